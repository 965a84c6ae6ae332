//! Tier `check`: `nearpath check` over the corpus, over files full of mistakes, and every example of every README, which
//! the daemon is also started with and asked.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use nearpath_tests::daemon;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;

use self::readme::examples;

mod elsewhere;
mod private;
mod readme;

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
