//! The runner itself: what it reads, what it finds, and that it passes nothing over.

use std::collections::BTreeSet;

use nearpath_tests::Reply;
use nearpath_tests::record::Record;

use super::deviation::{Field, compare};
use super::exchange::{Both, Said};
use super::fragment::{Fragment, Step, parse};
use super::rules::{Seen, explain};
use super::run::Outcome;

const TEXT: &str = "\
= a title
cache
forward . {knot}
- no defaults
- file hosts
192.0.2.1 a
- ask www A +dnssec from 127.0.0.9
- wait 1.5
- again
- file hosts
192.0.2.2 a

= another
whoami
";

fn fragment() -> Fragment {
    parse("cache", TEXT).swap_remove(0)
}

/// A reply with these flags and this record.
fn reply(flags: u16, record: &str) -> Said {
    reply_of(flags, &[record])
}

fn reply_of(flags: u16, records: &[&str]) -> Said {
    let question = super::fragment::question("www A").ask;
    let mut wire = question.wire();
    wire[2..4].copy_from_slice(&(0x8100 | flags).to_be_bytes());
    wire[7] = u8::try_from(records.len()).expect("a few");
    records.iter().for_each(|record| Record::parse(record).write(&mut wire));
    Said::Reply(Box::new(Reply::read(&wire).expect("a whole message")), 4242)
}

fn ids(both: &Both) -> Vec<(Field, Option<&'static str>)> {
    let fragment = fragment();
    let Step::Ask(questions) = &fragment.steps[0] else { panic!("it asks first") };
    let deviations = compare(&fragment, both);
    let seen = |deviation| {
        let question = &questions[0];
        Seen { fragment: &fragment, question, both, again: true, later: false, deviation }
    };
    deviations.iter().map(|deviation| (deviation.field, explain(&seen(deviation)))).collect()
}

#[test]
fn a_fragment_is_read_in_order() {
    let all = parse("cache", TEXT);
    assert_eq!(all.len(), 2);
    let first = &all[0];
    assert_eq!((first.place.as_str(), first.files.len()), ("cache.fragment:1", 1));
    assert_eq!(first.corefile, ".:{port} {\nbind {ip}\ncache\nforward . {knot}\n}\n");
    let steps = first.steps.as_slice();
    let [Step::Ask(asked), Step::Wait(time), Step::Ask(again), Step::Write(name, text)] = steps else {
        panic!("{steps:?}")
    };
    assert_eq!((asked.len(), again.len(), time.as_millis()), (1, 1, 1500));
    assert_eq!((name.as_str(), text.trim()), ("hosts", "192.0.2.2 a"));
    let Step::Ask(defaults) = &all[1].steps[0] else { panic!("it asks") };
    assert!(defaults.len() >= 20, "each fragment asks at least 20 questions");
}

#[test]
fn equal_replies_deviate_in_nothing() {
    let record = "www.plain.example. 60 A 192.0.2.1";
    assert_eq!(ids(&[reply(0x0080, record), reply(0x0080, record)]), []);
    assert_eq!(ids(&[Said::Nothing, Said::Nothing]), []);
}

#[test]
fn a_wanted_difference_has_its_name_and_another_one_none() {
    let record = "www.plain.example. 60 A 192.0.2.1";
    let wanted = [(Field::Flag(0x0080), Some("recursion-available"))];
    assert_eq!(ids(&[reply(0, record), reply(0x0080, record)]), wanted);
    assert_eq!(ids(&[reply(0x0080, record), reply(0, record)]), [(Field::Flag(0x0080), None)], "the other way round");
    let other = "www.plain.example. 60 A 192.0.2.2";
    assert_eq!(ids(&[reply(0x0080, record), reply(0x0080, other)]), [(Field::Section(0), None)]);
    let older = "www.plain.example. 50 A 192.0.2.1";
    assert_eq!(ids(&[reply(0x0080, record), reply(0x0080, older)]), [(Field::Ttl, None)]);
    assert_eq!(ids(&[reply(0x0080, record), Said::Nothing]), [(Field::Reply, None)]);
}

#[test]
fn a_record_twice_and_another_order_are_seen() {
    let (one, two) = ("www.plain.example. 60 A 192.0.2.1", "www.plain.example. 60 A 192.0.2.2");
    let both = |theirs: &[&str], ours: &[&str]| ids(&[reply_of(0, theirs), reply_of(0, ours)]);
    assert_eq!(both(&[one, one, two], &[one, two]), [(Field::Section(0), None)]);
    assert_eq!(both(&[one, two], &[two, one]), [(Field::Order(0), None)]);
    assert_eq!(both(&[one, two], &[one, two]), []);
}

#[test]
fn what_the_list_has_not_is_named() {
    let (mut outcome, known) = (Outcome::default(), BTreeSet::from(["own-size"]));
    outcome.takes(Some("own-size"), &known, |_| panic!("it is wanted"));
    outcome.takes(Some("stale-ttl"), &known, |id| format!("{id:?}"));
    outcome.takes(None, &known, |id| format!("{id:?}"));
    assert_eq!(outcome.unlisted, BTreeSet::from(["stale-ttl"]));
    assert_eq!(outcome.unexplained, ["Some(\"stale-ttl\")", "None"]);
    assert_eq!(outcome.wanted.values().sum::<usize>(), 1);
}

#[test]
fn every_rule_names_a_difference_of_the_list() {
    let listed: BTreeSet<_> = corefile_compat::differences::DIFFERENCES.iter().map(|one| one.id).collect();
    let named = super::rules::ids().chain(super::counts::ids()).chain(super::corefiles::ids());
    let named: BTreeSet<_> = named.collect();
    assert_eq!(named, listed, "a rule without an entry, or an entry without a rule");
}
