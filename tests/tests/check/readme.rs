//! Every example of every README is right, is served, and answers as it says (`plugins/README.md` has the notation).
//!
//! ```text
//!   README --Fences--> example, files --questions--> Line (Asked, Expected)
//!                         '--Stage--> Corefile with our addresses and StandIns --Daemon--> ask_all
//! ```

use std::sync::Mutex;
use std::time::Instant;

use nearpath_tests::daemon;
use nearpath_tests::mode::{self, note};
use nearpath_tests::place::Folder;
use nearpath_tests::{ApiServer, Daemon};

use self::asking::{ask_all, caught};
pub(super) use self::fences::examples;
use self::fences::{Example, Fences};
use self::notation::questions;
use self::stage::Stage;
use super::{WITHIN, text};

mod asking;
mod cluster;
mod expected;
mod fences;
mod files;
mod layout;
mod notation;
mod stage;
mod standin;
mod zone;

/// How many examples are served at a time.
const AT_A_TIME: usize = 6;

/// Crates of the folder that are no directives, so have no README with examples.
const LIBRARIES: [&str; 3] = ["contract", "records", "upstream"];

/// Examples that are only checked and not served: the README, a part of the example's text, and why. A reason is about the
/// machine that the tests run on.
const NOT_SERVED: [(&str, &str, &str); 0] = [];

/// The sections that a README has.
const SECTIONS: [&str; 6] = ["Name", "Description", "Syntax", "Examples", "Metrics", "Bugs"];

/// An example with what its README shows beside it.
struct Task<'r> {
    readme: &'r str,
    fences: &'r Fences,
    example: &'r Example,
}

#[test]
fn every_example_of_every_readme_is_right_and_answers_as_it_says() {
    let begun = Instant::now();
    let plugins = mode::root().join("plugins");
    let mut names: Vec<String> = std::fs::read_dir(&plugins)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !LIBRARIES.contains(&name.as_str()))
        .collect();
    names.sort();
    let (mut readmes, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let readme = std::fs::read_to_string(plugins.join(&name).join("README.md")).unwrap_or_default();
        let fences = Fences::of(&readme);
        let whole = SECTIONS.iter().all(|section| readme.contains(&format!("\n## {section}\n")));
        if !whole || fences.examples.is_empty() {
            missing.push(name.clone());
        }
        readmes.push((format!("plugins/{name}/README.md"), fences));
    }
    assert!(missing.is_empty(), "READMEs without one of the six sections or without an example: {missing:?}");
    let outcome = outcome_of(&readmes);
    note(&format!(
        "{} examples are right, of them {} were served and asked {} questions, {} left out: {:.1} s",
        outcome.examples,
        outcome.examples - outcome.left_out,
        outcome.asked,
        outcome.left_out,
        begun.elapsed().as_secs_f64()
    ));
    assert!(outcome.wrong.is_empty(), "{} wrong:\n\n{}", outcome.wrong.len(), outcome.wrong.join("\n\n"));
}

/// What became of examples.
#[derive(Debug, Default)]
struct Outcome {
    examples: usize,
    asked: usize,
    left_out: usize,
    /// In the order of their places.
    wrong: Vec<String>,
}

/// Serves all examples of some READMEs, several at a time.
fn outcome_of(readmes: &[(String, Fences)]) -> Outcome {
    let tasks = readmes
        .iter()
        .flat_map(|(readme, fences)| fences.examples.iter().map(move |example| Task { readme, fences, example }));
    let (tasks, outcome) = (Mutex::new(tasks), Mutex::new(Outcome::default()));
    let work = || {
        loop {
            let task = tasks.lock().expect("nobody panics with it").next();
            let Some(task) = task else { break };
            let found = caught(|| task.run()).flatten();
            let mut outcome = outcome.lock().expect("nobody panics with it");
            outcome.examples += 1;
            match found {
                Ok(Some(asked)) => outcome.asked += asked,
                Ok(None) => outcome.left_out += 1,
                Err(wrong) if wrong.starts_with("plugins/") => outcome.wrong.push(wrong),
                Err(wrong) => outcome.wrong.push(format!("{}:{}: {wrong}", task.readme, task.example.0)),
            }
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(work))));
    let mut outcome = outcome.into_inner().expect("nobody panicked with it");
    outcome.wrong.sort();
    outcome
}

impl Task<'_> {
    /// Checks, serves and asks; how many questions were answered, `None` if it is not served.
    fn run(&self) -> Result<Option<usize>, String> {
        let (line, example) = self.example;
        let lines = questions(self.readme, *line, example)?;
        self.is_right()?;
        let left_out = |(readme, part, _): &&(&str, &str, &str)| *readme == self.readme && example.contains(part);
        if let Some((_, _, why)) = NOT_SERVED.iter().find(left_out) {
            note(&format!("not served: {}:{line}: {why}", self.readme));
            return Ok(None);
        }
        let v6 = lines.iter().any(|line| line.asked.client.is_some_and(|client| client.is_ipv6()));
        let stage = Stage::of(example, &self.fences.files, v6)?;
        let (_server, mut daemon) = self.started(&stage)?;
        let wrong = ask_all(self.readme, &lines, &stage, stage.is_watched(example));
        caught(|| daemon.is_well())?;
        if wrong.is_empty() { Ok(Some(lines.len())) } else { Err(wrong.join("\n\n")) }
    }

    /// As `nearpath check` sees it.
    fn is_right(&self) -> Result<(), String> {
        let folder = Folder::new();
        let path = folder.write("Corefile", &self.example.1).display().to_string();
        let output = daemon::run(&["check", &path], WITHIN);
        if output.status.success() { Ok(()) } else { Err(format!("it is not right:\n{}", text(&output))) }
    }

    /// A daemon with the example, and the API server that it watches.
    fn started(&self, stage: &Stage) -> Result<(Option<ApiServer>, Daemon), String> {
        let server = stage.is_watched(&self.example.1).then(|| cluster::with(stage));
        let flags = server.as_ref().map(cluster::flags).unwrap_or_default();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let files = [("resolv.conf", "nameserver 127.0.0.1\n")];
        let daemon = caught(|| Daemon::at(stage.layout.at, &stage.corefile, &[], &files, &flags));
        daemon.map(|daemon| (server, daemon)).map_err(|error| format!("{error}\n{}", stage.corefile))
    }
}

/// What is wrong with a README of these fences.
fn wrong_with(fences: &str) -> Vec<String> {
    outcome_of(&[("plugins/x/README.md".to_owned(), Fences::of(fences))]).wrong
}

#[test]
fn a_wrong_expectation_fails_with_its_place_the_question_and_both_answers() {
    let example = |line: &str| format!("\n~~~ corefile\n.:1053 {{\n    any\n    whoami\n}}\n{line}\n~~~\n");
    let right = "# dig a.example ANY -> NOERROR -aa ttl 8482 HINFO\n# dig a.example -> NOERROR; additional A 127.0.0.1, SRV 0 0 * .";
    assert_eq!(wrong_with(&example(right)), [""; 0]);
    for (line, wanted) in [
        ("# dig a.example A -> NXDOMAIN", ["expected: NXDOMAIN", "the RCODE is NOERROR", "127.0.0.1"]),
        ("# dig a.example A -> NOERROR 192.0.2.1", ["NOERROR 192.0.2.1", "other records in the answer", "SRV"]),
        ("# dig a.example ANY -> NOERROR", ["ANY -> NOERROR", "other records in the answer", "a.example. HINFO"]),
        ("# dig a.example ANY -> NOERROR ttl 5 HINFO", ["ttl 5", "TTLs of the answer are [8482]", "got"]),
        ("# dig a.example A -> NOERROR -aa", ["-aa", "the flags are", "aa"]),
        ("# dig a.example A +edns -> NOERROR ede 3", ["ede 3", "Extended DNS Errors are []", "got"]),
        ("# dig a.example A -> no reply", ["no reply", "got", "NOERROR"]),
        ("# dig a.example A +tls -> NOERROR", ["+tls", "serves tls:// at no such address and port", "expected"]),
        ("# a comment", ["the example says no question and answer", "`# dig NAME TYPE", "-> RCODE"]),
    ] {
        let wrong = wrong_with(&example(line)).join("\n");
        let place = if line.contains("dig") { "plugins/x/README.md:7: dig" } else { "plugins/x/README.md:2: " };
        assert!(wrong.starts_with(place), "{line}: {wrong}");
        wanted.iter().for_each(|part| assert!(wrong.contains(part), "expected {part}: {wrong}"));
    }
}

#[test]
fn an_example_that_cannot_be_served_fails_with_its_place() {
    for (example, wanted) in [
        (".:1053 {\n    whomai\n}\n# dig a.example -> NOERROR", "README.md:1: it is not right"),
        (".:1053 {\n    hosts /etc/none\n}\n# dig a.example -> NOERROR", "README.md:1: it names /etc/none"),
    ] {
        let wrong = wrong_with(&format!("~~~ corefile\n{example}\n~~~\n")).join("\n");
        assert!(wrong.contains(wanted), "{wrong}");
    }
}
