//! Corefiles made from the grammar, a seed and mistakes: accepted by both, or refused by both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nearpath_tests::random::Random;

use super::fragment::Fragment;
use super::grammar::{GRAMMAR, Shapes};
use super::later::MORE;
use super::pair::{Kind, Server};
use super::run::Outcome;
use super::upstreams::Knot;

/// Corefiles about each directive that is served.
const EACH: usize = 70;

/// What stands beside the directive in question.
const BESIDE: &[&str] = &["whoami", "errors", "forward . {knot}", "cache 30", "log", "any", "minimal", "debug", "bufsize 1232"];

/// Words that a mutation puts in.
const WORDS: &[&str] = &["x", "0", "-1", "10s", "example.org", "{", "}", "\"", "*", "65536", "on", "a b"];

/// What nearpath refuses and CoreDNS takes, by the words of the error.
const RULES: &[(&str, &[&str])] = &[
    ("parse-twice", &["stands twice"]),
    ("parse-stray-brace", &["a closing brace that nothing opened"]),
    ("parse-nameless-block", &["a server block without a name"]),
    ("parse-superfluous-word", &["unexpected argument"]),
    ("parse-autopath-source", &["gives search lists"]),
    ("parse-hosts-line", &["is neither a property nor an address"]),
];

/// What came of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Taken by both.
    pub accepted: usize,
    /// Refused by both.
    pub refused: usize,
    /// Taken by one alone, as wanted, by id.
    pub wanted: BTreeMap<&'static str, usize>,
    /// What nobody can explain.
    pub unexplained: Vec<String>,
}

/// All Corefiles of a seed: for each served directive by itself, so that another one that is served changes none of them.
pub(crate) fn make(seed: u64) -> Vec<Fragment> {
    let served = |shapes: &&Shapes| {
        matches!(corefile_compat::lookup(shapes.name), Some(corefile_compat::Support::Served { .. }))
    };
    let mut all = Vec::new();
    for shapes in GRAMMAR.iter().chain(MORE).filter(served) {
        let own = shapes.name.bytes().fold(seed, |sum, octet| sum.wrapping_mul(31).wrapping_add(octet.into()));
        let mut random = Random::new(own);
        for number in 0..EACH {
            all.push(fragment(shapes.name, number, one(&mut random, shapes)));
        }
    }
    all
}

fn one(random: &mut Random, shapes: &Shapes) -> String {
    let right = *random.one_of(shapes.right);
    let (mut statement, key) = match random.below(10) {
        0..4 => (right.to_owned(), true),
        4..8 => ((*random.one_of(shapes.odd)).to_owned(), true),
        _ => (mutated(random, right), random.below(3) > 0),
    };
    if random.once_in(8) {
        statement = format!("{statement}\n{right}");
    }
    let beside = (0..random.below(3)).map(|_| *random.one_of(BESIDE)).filter(|text| !text.starts_with(shapes.name));
    let mut lines: Vec<String> = beside.map(str::to_owned).collect();
    lines.dedup();
    lines.insert(random.below(lines.len() + 1), statement);
    let block = format!(".:{{port}} {{\nbind {{ip}}\n{}\n}}\n", lines.join("\n"));
    if key { block } else { mutated(random, &block) }
}

/// A text with one word or line dropped, doubled, changed or put in.
fn mutated(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<Vec<String>> =
        text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let line = random.below(lines.len());
    let word = random.below(lines[line].len());
    match random.below(6) {
        0 => drop(lines[line].remove(word)),
        1 => drop(lines.remove(line)),
        2 => lines.insert(line, lines[line].clone()),
        3 => lines[line][word] = random.word(WORDS).to_owned(),
        4 => lines[line].insert(word, random.word(WORDS).to_owned()),
        _ => lines[line].push(random.word(WORDS).to_owned()),
    }
    lines.iter().map(|line| line.join(" ")).collect::<Vec<_>>().join("\n") + "\n"
}

fn fragment(name: &str, number: usize, corefile: String) -> Fragment {
    let files = [("hosts", "192.0.2.1 a.example.org\n"), ("resolv.conf", "search a.example.org example.org\n")];
    Fragment {
        place: format!("{name} {}", number + 1),
        directive: name.to_owned(),
        title: "generated".to_owned(),
        corefile,
        files: files.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        steps: Vec::new(),
        ordered: false,
        any_ttl: false,
        metrics: false,
        patience: Duration::from_secs(1),
        at: None,
    }
}

/// The difference that nearpath's errors are; `None` if one of them is no wanted one.
fn explain(words: &str) -> Option<&'static str> {
    let mut ids = words.lines().filter(|line| line.contains(": error: ")).map(|line| {
        let fits = |(_, texts): &&(&str, &[&str])| texts.iter().any(|text| line.contains(text));
        RULES.iter().find(fits).map(|(id, _)| *id)
    });
    let first = ids.next()??;
    ids.all(|id| id.is_some()).then_some(first)
}

/// Starts one, and ends it. Some Corefiles name no address for an admin page: two of these at a time are in each other's way.
fn start(kind: Kind, fragment: &Fragment, knot: &Knot) -> Result<(), String> {
    let mut outcome = Ok(());
    for _ in 0..20 {
        outcome = Server::start(kind, fragment, knot).map(drop);
        match &outcome {
            Err(words) if words.to_lowercase().contains("address already in use") => {
                std::thread::sleep(Duration::from_millis(200));
            }
            _ => break,
        }
    }
    outcome
}

/// Starts both with a Corefile and compares whether they do.
fn judge(fragment: &Fragment, knot: &Knot, known: &BTreeSet<&str>, counts: &mut Counts) {
    let [theirs, ours] = [Kind::CoreDns, Kind::Nearpath].map(|kind| start(kind, fragment, knot));
    match (&theirs, &ours) {
        (Ok(()), Ok(())) => counts.accepted += 1,
        (Err(_), Err(_)) => counts.refused += 1,
        _ => {
            let words = ours.as_ref().err().or(theirs.as_ref().err()).expect("one of them refuses");
            match explain(words).filter(|id| theirs.is_ok() && known.contains(id)) {
                Some(id) => *counts.wanted.entry(id).or_default() += 1,
                None => counts.unexplained.push(format!(
                    "{}: CoreDNS {}, nearpath {}\n{}{words}",
                    fragment.place,
                    if theirs.is_ok() { "starts" } else { "does not" },
                    if ours.is_ok() { "starts" } else { "does not" },
                    fragment.corefile
                )),
            }
        }
    }
}

/// Judges all, several at a time.
pub(crate) fn all(fragments: &[Fragment], known: &BTreeSet<&str>) -> Counts {
    let knot = Knot::start();
    let sum = std::sync::Mutex::new(Counts::default());
    super::run::each(fragments, |fragment| {
        let mut counts = Counts::default();
        judge(fragment, &knot, known, &mut counts);
        let mut sum = sum.lock().expect("nobody panics with it");
        sum.accepted += counts.accepted;
        sum.refused += counts.refused;
        sum.unexplained.extend(counts.unexplained);
        counts.wanted.into_iter().for_each(|(id, count)| *sum.wanted.entry(id).or_default() += count);
        Outcome::default()
    });
    sum.into_inner().expect("nobody panics with it")
}
