//! Reads the corpus: Corefiles in the shapes found in the wild, and wrong ones of each common kind.
//!
//! Beside each `NAME.Corefile` stands `NAME.expected`: `exit 0` or `exit 1`, then texts that the check prints, in this
//! order. What only a directive's own crate can judge ends with a bare `error` there and is left to the whole check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::host::Memory;
use crate::report::Report;
use crate::syntax::Corefile;
use crate::{check_directives, check_overlap, parse};

/// Mutated files that are read in one test run.
const MUTATIONS: usize = 10_000;

/// Time in which any of them must be read.
const MUTATION_TIME_MAX: Duration = Duration::from_secs(5);

/// Every file of the corpus by its path in the folder.
fn files() -> BTreeMap<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(&folder).unwrap().to_owned(), text);
            }
        }
    }
    files
}

fn host(files: &BTreeMap<PathBuf, String>) -> Memory {
    files.iter().fold(Memory::new(), |host, (path, text)| host.file(path, text))
}

fn checked(name: &str, text: &str, host: &Memory) -> (Corefile, Report) {
    let mut report = Report::new();
    let corefile = parse(name, text, host, &mut report);
    check_directives(&corefile, &mut report);
    check_overlap(&corefile, &mut report);
    (corefile, report)
}

/// The expected texts that this crate can tell: without bare errors and what is said about them.
fn known_here(expected: &str) -> Vec<&str> {
    let mut here = true;
    let mut known = Vec::new();
    for line in expected.lines().skip(1) {
        if line.contains(": error") || line.contains(": warning") {
            here = !line.ends_with(": error");
        }
        if here {
            known.push(line);
        }
    }
    known
}

#[test]
fn every_corefile_is_judged_as_expected() {
    let files = files();
    let host = host(&files);
    let corefiles: Vec<_> =
        files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "Corefile")).collect();
    assert!(corefiles.len() >= 18, "the corpus has {} files", corefiles.len());
    for (path, text) in corefiles {
        let name = path.to_string_lossy();
        let expected = files.get(&path.with_extension("expected")).unwrap_or_else(|| panic!("{name} has no .expected"));
        let (corefile, report) = checked(&name, text, &host);
        let printed = report.to_string();
        let known = known_here(expected);
        match expected.lines().next() {
            Some("exit 0") => assert!(!report.has_errors(), "{name}:\n{printed}"),
            Some("exit 1") => {
                let told_here = known.iter().any(|line| line.contains(": error"));
                assert_eq!(report.has_errors(), told_here, "{name}:\n{printed}");
            }
            _ => panic!("{name}: the first line of .expected is neither `exit 0` nor `exit 1`"),
        }
        assert!(!corefile.blocks.is_empty(), "{name} has no block");
        let mut rest = printed.as_str();
        for line in known {
            let at =
                rest.find(line).unwrap_or_else(|| panic!("{name}: `{line}` is missing or out of order in\n{printed}"));
            rest = &rest[at + line.len()..];
        }
    }
}

/// A small generator of numbers (Knuth's MMIX constants), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

const INSERTED: [&str; 20] = [
    "{",
    "}",
    "\"",
    "#",
    "\\\"",
    "\\",
    ",",
    "\n",
    "\r\n",
    " ",
    "(common)",
    "import common",
    "import imports/*",
    "{$HOME}",
    "{%",
    "\u{feff}",
    "é",
    "://",
    ":",
    "10.0.0.0/9",
];

fn mutated(text: &str, numbers: &mut Numbers) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(characters.len() + 1);
        let end = (at + numbers.below(40)).min(characters.len());
        match numbers.below(4) {
            0 => drop(characters.drain(at..end)),
            1 => {
                let copied: Vec<char> = characters[at..end].to_vec();
                let to = numbers.below(characters.len() + 1);
                characters.splice(to..to, copied);
            }
            2 => characters.truncate(characters.len() - numbers.below(characters.len() / 8 + 1)),
            _ => {
                let inserted = INSERTED[numbers.below(INSERTED.len())];
                characters.splice(at..at, inserted.chars());
            }
        }
    }
    characters.into_iter().collect()
}

#[test]
fn no_mutation_of_the_corpus_panics_or_hangs() {
    let files = files();
    let host = host(&files);
    let texts: Vec<&String> = files.values().collect();
    let mut numbers = Numbers(1);
    for _ in 0..MUTATIONS {
        let text = mutated(texts[numbers.below(texts.len())], &mut numbers);
        let begin = Instant::now();
        let (_, report) = checked("Corefile", &text, &host);
        let printed = report.to_string();
        assert!(begin.elapsed() < MUTATION_TIME_MAX, "too slow:\n{text}");
        for diagnostic in report.diagnostics() {
            assert!(printed.contains(&report.place(diagnostic.span()).to_string()));
        }
    }
}
