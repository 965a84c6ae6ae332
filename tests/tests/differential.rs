//! Tier `differential`: the same Corefile, the same upstreams and the same questions to the real CoreDNS and to nearpath.
//!
//! ```text
//!  fragments --Fragment--> Server (CoreDNS)  --+--> Knot, Erring        the same question to both
//!                     '--> Server (nearpath) --+        |                       |
//!                                                       v                       v
//!                                        compare --> Deviation --explain--> id of corefile_compat's DIFFERENCES
//!                                                                     '--> unexplained: the run fails
//! ```

mod corefiles;
mod counts;
mod deviation;
mod erring;
mod exchange;
mod fragment;
mod grammar;
mod later;
mod pair;
mod rules;
mod run;
mod show;
mod tests;
mod upstreams;

use std::collections::BTreeSet;
use std::path::PathBuf;

use corefile_compat::differences::DIFFERENCES;
use nearpath_tests::mode::{self, note};

/// How much of each kind is printed of what nobody can explain.
const SHOWN: usize = 10;

/// Fragments that are there at least: one that is not read is no difference either.
const FRAGMENTS_MIN: usize = 150;

/// How the names of differences in what is read begin.
const PARSE: &str = "parse-";

fn folder(name: &str) -> PathBuf {
    mode::root().join("Corefile-compat/differential").join(name)
}

/// True if everything is here that the tier needs.
fn is_possible() -> bool {
    let ready = mode::have("differential", &["knotd", nearpath_tests::program::NEEDS]);
    if pair::coredns().is_none() {
        mode::skip(
            "differential",
            "no CoreDNS: NEARPATH_COREDNS names none (tests/cluster/build FOLDER coredns makes it)",
        );
    }
    ready && pair::coredns().is_some()
}

/// The ids in the list, but for those that `NEARPATH_FORGET` takes out.
fn known() -> BTreeSet<&'static str> {
    let forgotten = std::env::var("NEARPATH_FORGET").unwrap_or_default();
    let forgotten: BTreeSet<&str> = forgotten.split(',').collect();
    DIFFERENCES.iter().map(|difference| difference.id).filter(|id| !forgotten.contains(id)).collect()
}

/// Only fragments whose place or title has the text of `NEARPATH_ONLY`, while one is being written.
fn chosen(mut fragments: Vec<fragment::Fragment>) -> (Vec<fragment::Fragment>, bool) {
    let Ok(only) = std::env::var("NEARPATH_ONLY") else { return (fragments, true) };
    fragments.retain(|fragment| fragment.place.contains(&only) || fragment.title.contains(&only));
    (fragments, false)
}

/// Says some of what nobody wants: of each difference that is not in the list, and of what is none.
fn show(unexplained: &[String], unlisted: &BTreeSet<&str>) {
    let is_of = |text: &str, id: &str| text.contains(&format!("`{id}` is not"));
    for id in unlisted {
        unexplained.iter().filter(|text| is_of(text, id)).take(SHOWN).for_each(|text| note(text));
    }
    let others = unexplained.iter().filter(|text| !unlisted.iter().any(|id| is_of(text, id)));
    others.take(SHOWN).for_each(|text| note(text));
}

#[test]
fn the_same_corefile_gives_the_same_answers() {
    if !is_possible() {
        return;
    }
    let (fragments, whole) = chosen(fragment::read(&folder("fragments")));
    assert!(!whole || fragments.len() >= FRAGMENTS_MIN, "only {} fragments", fragments.len());
    let known = known();
    let outcome = run::all(&fragments, &known);
    note(&format!(
        "{} fragments, {} questions: {} equal to the bit, {} but for RA; {} wanted differences, {} unexplained; {} samples of metrics \
         compared",
        fragments.len(),
        outcome.questions,
        outcome.equal,
        outcome.alike,
        outcome.wanted.values().sum::<usize>(),
        outcome.unexplained.len(),
        outcome.samples
    ));
    outcome.again.iter().for_each(|place| note(&format!("run once more, alone, for its TTLs or replies: {place}")));
    outcome.wanted.iter().for_each(|(id, count)| note(&format!("{count:6} {id}")));
    show(&outcome.unexplained, &outcome.unlisted);
    if let Some(path) = std::env::var_os("NEARPATH_REPORT") {
        std::fs::write(path, outcome.unexplained.join("\n----\n")).expect("the report can be written");
    }
    assert!(outcome.unlisted.is_empty(), "differences that are not in the list: {:?}", outcome.unlisted);
    assert!(outcome.unexplained.is_empty(), "{} deviations that nobody wants", outcome.unexplained.len());
    let unseen: Vec<_> =
        known.iter().filter(|id| !id.starts_with(PARSE) && !outcome.wanted.contains_key(*id)).collect();
    assert!(!whole || unseen.is_empty(), "differences in the list that did not occur: {unseen:?}");
}

#[test]
fn generated_corefiles_are_taken_by_both_or_refused_by_both() {
    if !is_possible() {
        return;
    }
    let corefiles = corefiles::make(mode::seed());
    let counts = corefiles::all(&corefiles, &known());
    let wanted: usize = counts.wanted.values().sum();
    note(&format!(
        "{} generated Corefiles: {} accepted, {} refused by both, {wanted} differ as wanted, {} unexplained",
        corefiles.len(),
        counts.accepted,
        counts.refused,
        counts.unexplained.len()
    ));
    counts.wanted.iter().for_each(|(id, count)| note(&format!("{count:6} {id}")));
    if let Some(path) = std::env::var_os("NEARPATH_REPORT") {
        std::fs::write(path, counts.unexplained.join("\n----\n")).expect("the report can be written");
    }
    show(&counts.unexplained, &counts.unlisted);
    assert!(counts.unlisted.is_empty(), "differences that are not in the list: {:?}", counts.unlisted);
    let unseen: Vec<_> =
        known().into_iter().filter(|id| id.starts_with(PARSE) && !counts.wanted.contains_key(id)).collect();
    assert!(unseen.is_empty(), "differences in the list that did not occur: {unseen:?}");
    assert!(corefiles.len() >= 300 && counts.unexplained.is_empty(), "{} unexplained", counts.unexplained.len());
}
