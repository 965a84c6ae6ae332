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

/// Corefiles with mutations about each directive that is served, beside each of its shapes as it stands.
const EACH: usize = 12;

/// What stands beside the directive in question.
const BESIDE: &[&str] =
    &["whoami", "errors", "forward . {knot}", "cache 30", "log", "any", "minimal", "debug", "bufsize 1232"];

/// Whole Corefiles, some with a mistake in their shape.
const WHOLE: &[&str] = &[
    ".:{port} {\nbind {ip}\nwhoami\n}\nexample.org:{port} {\nbind {ip}\nwhoami\n}\n",
    ".:{port} {\nbind {ip}\nwhoami\n}\n.:{port} {\nbind {ip}\nwhoami\n}\n",
    "(common) {\nerrors\n}\n.:{port} {\nbind {ip}\nimport common\nwhoami\n}\n",
    ".:{port} {\nbind {ip}\nimport nothing\nwhoami\n}\n",
    ".:{port}\nbind {ip}\nwhoami\n",
    ".:{port} {\nbind {ip}\nwhoami\n",
    ".:{port} {\nbind {ip}\nlog . \"{remote}\n}\n",
    ".:{port} {\nbind {ip}\nwhoami\n}\n}\n",
    "{\nbind {ip}\nwhoami\n}\n",
    ".:{port} {\nbind {ip}\nwhoamy\n}\n",
    ".:99999 {\nbind {ip}\nwhoami\n}\n",
    "a..b:{port} {\nbind {ip}\nwhoami\n}\n",
    "10.0.0.0/8:{port} 192.0.2.0/25:{port} {\nbind {ip}\nwhoami\n}\n",
    ".:{port},\nexample.org:{port} {\nbind {ip}\nwhoami\n}\n",
    "dns://example.org:{port} {\nbind {ip}\nwhoami\n}\n",
    ".:{port} {\nbind nowhere.example\nwhoami\n}\n",
    ".:{port} {\nbind\nwhoami\n}\n",
    ".:{port} { bind {ip}\nwhoami\n}\n",
    ".:{port} {\nbind {ip}\nwhoami }\n",
    ".:{port} {\n# nothing but a comment\nbind {ip}\nwhoami # and another\n}\n",
];

/// Words that a mutation puts in.
const WORDS: &[&str] = &["x", "0", "-1", "10s", "example.org", "{", "}", "\"", "*", "65536", "on", "a b"];

/// What nearpath refuses and CoreDNS takes, by the words of the error.
const RULES: &[(&str, &[&str])] = &[
    ("parse-twice", &["stands twice"]),
    ("parse-stray-brace", &["a closing brace that nothing opened"]),
    ("parse-nameless-block", &["a server block without a name"]),
    ("parse-superfluous-word", &["unexpected argument"]),
    ("parse-autopath-source", &["gives search lists"]),
    (
        "parse-open-end",
        &[
            "a brace that is never closed",
            "a quote that is never closed",
            "an opening brace on a line of its own",
            "behind a closing brace",
        ],
    ),
    ("parse-nothing-of-time", &["a duration of nothing"]),
    ("parse-port", &["is not a port"]),
    ("parse-log-format", &["a format without a name before it"]),
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
    /// Differences that a rule recognised and the list does not have.
    pub unlisted: BTreeSet<&'static str>,
    /// What nobody can explain.
    pub unexplained: Vec<String>,
}

/// All Corefiles of a seed: for each served directive by itself, so that another one that is served changes none of them.
pub(crate) fn make(seed: u64) -> Vec<Fragment> {
    let served = |shapes: &&Shapes| {
        matches!(corefile_compat::lookup(shapes.name), Some(corefile_compat::Support::Served { .. }))
    };
    let mut all = Vec::new();
    for (number, text) in WHOLE.iter().enumerate() {
        all.push(fragment("whole", number, (*text).to_owned()));
    }
    for shapes in GRAMMAR.iter().chain(MORE).filter(served) {
        let as_it_stands = shapes.right.iter().chain(shapes.odd);
        let alone = as_it_stands.map(|text| format!(".:{{port}} {{\nbind {{ip}}\n{text}\n}}\n"));
        all.extend(alone.enumerate().map(|(number, text)| fragment(shapes.name, number, text)));
        let own = shapes.name.bytes().fold(seed, |sum, octet| sum.wrapping_mul(31).wrapping_add(octet.into()));
        let mut random = Random::new(own);
        for number in 0..EACH {
            all.push(fragment(shapes.name, 1000 + number, one(&mut random, shapes)));
        }
    }
    all
}

/// A block with a mutated statement, or mutated itself, and some directives around it.
fn one(random: &mut Random, shapes: &Shapes) -> String {
    let right = *random.one_of(shapes.right);
    let inside = !random.once_in(3);
    let mut statement = if inside { mutated(random, right) } else { right.to_owned() };
    if random.once_in(8) {
        statement = format!("{statement}\n{right}");
    }
    let beside = (0..random.below(3)).map(|_| *random.one_of(BESIDE)).filter(|text| !text.starts_with(shapes.name));
    let mut lines: Vec<String> = beside.map(str::to_owned).collect();
    lines.dedup();
    lines.insert(random.below(lines.len() + 1), statement);
    let block = format!(".:{{port}} {{\nbind {{ip}}\n{}\n}}\n", lines.join("\n"));
    if inside { block } else { mutated(random, &block) }
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
        title: "generated".to_owned(),
        corefile,
        files: files.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        steps: Vec::new(),
        any_order: false,
        any_ttl: false,
        metrics: false,
        patience: Duration::from_secs(1),
        at: None,
    }
}

/// The difference that nearpath's errors are; `None` if one of them is no wanted one. A mistake in the shape of the file goes before all others,
/// since CoreDNS reads something else there.
fn explain(words: &str) -> Option<&'static str> {
    let of = |line: &str| {
        let fits = |(_, texts): &&(&str, &[&str])| texts.iter().any(|text| line.contains(text));
        RULES.iter().find(fits).map(|(id, _)| *id)
    };
    let ids: Vec<_> = words.lines().filter(|line| line.contains(": error: ")).map(of).collect();
    let shape = ids.iter().flatten().find(|id| matches!(**id, "parse-open-end" | "parse-nameless-block"));
    shape.copied().or_else(|| ids.iter().copied().collect::<Option<Vec<_>>>()?.first().copied())
}

/// The difference where CoreDNS alone refuses.
fn forgiven(words: &str) -> Option<&'static str> {
    words.contains("it is already defined").then_some("parse-bound-twice")
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
            let id = if theirs.is_ok() { explain(words) } else { forgiven(words) };
            match id.filter(|id| known.contains(id)) {
                Some(id) => *counts.wanted.entry(id).or_default() += 1,
                None if id.is_some() => counts.unlisted.extend(id),
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
        sum.unlisted.extend(counts.unlisted);
        sum.unexplained.extend(counts.unexplained);
        counts.wanted.into_iter().for_each(|(id, count)| *sum.wanted.entry(id).or_default() += count);
        Outcome::default()
    });
    sum.into_inner().expect("nobody panics with it")
}

/// The differences that rules here recognise.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(id, _)| *id).chain(["parse-bound-twice"])
}
