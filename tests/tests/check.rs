//! Tier `check`: `nearpath check` over the corpus, over files full of mistakes, and every example of every README, which
//! the daemon is also started with.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use nearpath_tests::daemon;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::{self, Folder};
use nearpath_tests::{Daemon, ask};

mod elsewhere;
mod private;

const WITHIN: Duration = Duration::from_secs(20);

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == ending));
    found.sort();
    found
}

#[test]
fn every_corefile_of_the_corpus_has_its_outcome() {
    let corpus = mode::root().join("Corefile-compat/corpus");
    let expected = files(&corpus, "expected");
    assert!(expected.len() >= 15, "{} Corefiles in the corpus", expected.len());
    for path in &expected {
        outcome(&corpus, path);
    }
    note(&format!("{} Corefiles of the corpus", expected.len()));
}

/// Runs `nearpath check` on a Corefile as its messages name it: without a folder.
#[track_caller]
fn outcome(corpus: &Path, expected: &Path) {
    let wanted = std::fs::read_to_string(expected).expect("a readable file");
    let mut lines = wanted.lines().filter(|line| !line.trim().is_empty());
    let exit = lines.next().and_then(|line| line.strip_prefix("exit ")).expect("the first line is `exit N`");
    let name = expected.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let output = std::process::Command::new(daemon::binary())
        .args(["check", &format!("{name}.Corefile")])
        .current_dir(corpus)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary can be started");
    let said = text(&output);
    assert_eq!(output.status.code().map(|code| code.to_string()).as_deref(), Some(exit), "{name}:\n{said}");
    let mut rest = said.as_str();
    for line in lines {
        let at = rest.find(line.trim());
        rest =
            &rest[at.unwrap_or_else(|| panic!("{name}: expected {line:?} after what was found before, in:\n{said}"))..];
        rest = &rest[line.trim().len()..];
    }
}

#[test]
fn five_mistakes_are_five_located_errors_in_one_run() {
    let folder = Folder::new();
    let corefile = ". {\n    cahce 30\n    forward\n    errors {\n        stackrace\n    }\n    cache 30 {\n        servfail 5x\n    \
                    }\n    bufsize many\n}\n";
    let path = folder.write("Corefile", corefile);
    let output = daemon::run(&["check", &path.display().to_string()], WITHIN);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (place, word) in [("2:5", "cache"), ("3:", ""), ("5:9", "stacktrace"), ("8:18", "5x"), ("10:13", "many")] {
        let located = format!("Corefile:{place}");
        assert!(said.contains(&located) && said.contains(word), "expected {located} and {word:?} in:\n{said}");
    }
    let errors = said.lines().filter(|line| line.contains(": error")).count();
    assert_eq!(errors, 5, "{said}");
    assert!(said.contains('^'), "the place is marked:\n{said}");
}

#[test]
fn several_files_are_checked_in_one_run() {
    let folder = Folder::new();
    let good = folder.write("good", ".:1053 {\n whoami\n}\n").display().to_string();
    let bad = folder.write("bad", ".:1053 {\n whomai\n}\n").display().to_string();
    assert_eq!(daemon::run(&["check", &good], WITHIN).status.code(), Some(0));
    let output = daemon::run(&["check", &good, &bad], WITHIN);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("bad:2:2"), "{}", text(&output));
    assert_eq!(daemon::run(&["check", "/nonexistent"], WITHIN).status.code(), Some(1));
}

#[test]
fn the_plan_says_which_block_answers_what_by_which_plugins_in_which_order() {
    let folder = Folder::new();
    let corefile = ".:1053 {\n forward . 192.0.2.1\n cache 30\n errors\n}\ncluster.local:1053 {\n whoami\n}\n";
    let path = folder.write("Corefile", corefile).display().to_string();
    let said = text(&daemon::run(&["check", &path], WITHIN));
    let at = |word: &str| said.find(word).unwrap_or_else(|| panic!("expected {word} in:\n{said}"));
    at("cluster.local");
    at("whoami");
    assert!(
        at("cache") < at("forward") && at("errors") < at("forward"),
        "the order is the build's, not the file's:\n{said}"
    );
}

/// The ```corefile fences of a README with the line on which each starts.
fn examples(readme: &str) -> Vec<(usize, String)> {
    let (mut found, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (number, line) in readme.lines().enumerate() {
        match line.trim_end() {
            "```corefile" | "~~~ corefile" | "~~~corefile" => {
                open = true;
                found.push((number + 1, String::new()));
            }
            "```" | "~~~" => open = false,
            _ if open => {
                let example = &mut found.last_mut().expect("a fence is open").1;
                example.push_str(line);
                example.push('\n');
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_example_of_every_readme_is_right_and_runs() {
    let plugins = mode::root().join("plugins");
    let (mut checked, mut started, mut missing) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(&plugins).unwrap() {
        let folder = entry.unwrap().path();
        let path = folder.join("README.md");
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !folder.is_dir() || ["contract", "upstream", "records"].contains(&name.as_str()) {
            continue;
        }
        let readme = std::fs::read_to_string(&path).unwrap_or_default();
        let sections = ["Name", "Description", "Syntax", "Examples", "Metrics", "Bugs"];
        let found = sections.iter().all(|section| readme.contains(&format!("\n## {section}\n")));
        let examples = examples(&readme);
        if !found || examples.is_empty() {
            missing.push(name);
            continue;
        }
        for (line, example) in examples {
            let place = format!("plugins/{name}/README.md:{line}");
            is_right(&place, &example);
            checked += 1;
            started += usize::from(runs(&place, &example));
        }
    }
    note(&format!("{checked} examples are right, of them {started} were started and asked"));
    assert!(missing.is_empty(), "READMEs without one of the six sections or without an example: {missing:?}");
    assert!(started * 2 > checked, "most examples can be started here");
}

fn is_right(place: &str, example: &str) {
    let folder = Folder::new();
    let path = folder.write("Corefile", example).display().to_string();
    let output = daemon::run(&["check", &path], WITHIN);
    assert!(output.status.success(), "{place}:\n{example}\n{}", text(&output));
}

/// Starts the daemon with an example, its addresses and ports replaced by free ones, and asks it. False if the example
/// needs files that are not here.
fn runs(place: &str, example: &str) -> bool {
    let needs_files = ["tls ", "import ", "hosts /", "pods "].iter().any(|word| example.contains(word));
    if needs_files || example.contains("https://") || example.contains("view") {
        return false;
    }
    let here = place::address();
    let mut text = String::new();
    let mut offset = 1;
    for line in example.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_key = line.trim_end().ends_with('{') && !line.starts_with([' ', '\t', '(']);
        match words.first() {
            Some(&"bind") if line.ends_with('{') => text.push_str(" bind IP {\n"),
            Some(&"bind") => text.push_str(" bind IP\n"),
            Some(&"prometheus" | &"health" | &"ready") => {
                offset += 1;
                let at = format!("{here}:{}", 9000 + offset);
                let tail = if line.ends_with('{') { " {" } else { "" };
                text.push_str(&format!(" {} {at}{tail}\n", words[0]));
            }
            _ if is_key => {
                let keys: Vec<String> = line.trim_end_matches([' ', '{']).split([',', ' ']).map(on_free_port).collect();
                text.push_str(&format!("{} {{\n", keys.join(" ").trim()));
                let bound = example.lines().any(|line| line.trim_start().starts_with("bind "));
                text.push_str(if bound { "" } else { " bind IP\n" });
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    note(place);
    let is_watched = example.contains('@') || example.contains(" watch");
    let mut daemon = if is_watched { away_from_its_cluster(&text) } else { Daemon::given(&text, &[]) };
    let zone = if example.contains("cluster.local") { "x.cluster.local" } else { "x.example.org" };
    // any reply will do: the upstreams of an example are not there
    let client = daemon.client();
    client.send(&ask(zone, "A").wire());
    let replied = client.receive(Duration::from_secs(6)).is_some();
    daemon.is_well();
    assert!(replied || example.contains("drop"), "{place}: no reply with\n{text}");
    true
}

/// What is named by an `@`, and what private zones `watch`, is watched; and its API server is away.
fn away_from_its_cluster(corefile: &str) -> Daemon {
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \
                      \"http://127.0.0.1:1\"}}]\nusers: [{name: c, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: \
                      c}}]\n";
    Daemon::with(corefile, &[], &[("kubeconfig", kubeconfig)], &["-kubeconfig", "kubeconfig"])
}

fn on_free_port(key: &str) -> String {
    let key = key.trim();
    match key.rsplit_once(':') {
        Some((zone, port)) if port.parse::<u16>().is_ok() => format!("{zone}:PORT"),
        _ if key.is_empty() => String::new(),
        _ => format!("{key}:PORT"),
    }
}
