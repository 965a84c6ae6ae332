//! Which questions are dropped, answered late or cut, counted from the first one.

use std::sync::Arc;
use std::time::Duration;

use contract::testing::{self, ask, built, context, query};
use contract::wire::{Flags, Name, Rcode, RecordType, Section};
use contract::{Failure, Plugin, Storing};

use crate::{ErraticSpec, V4, V6, check};

fn checked(statement: &str) -> (Option<ErraticSpec>, String) {
    testing::checked(statement, check)
}

fn plugin(body: &str) -> Arc<dyn Plugin> {
    built(checked(&format!("erratic {{\n{body}\n}}")), &context())
}

/// What becomes of the first eight questions: dropped, late, cut, late and cut (`L`), or as it should be.
async fn first_eight(body: &str) -> String {
    let chain = [plugin(body)];
    let mut seen = String::new();
    for _ in 0..8 {
        let begun = tokio::time::Instant::now();
        seen.push(match ask(&chain, &query("example.org", RecordType::A)).await {
            Err(Failure::Silent) => 'd',
            Err(other) => panic!("{other}"),
            Ok(reply) => match (begun.elapsed() > Duration::ZERO, reply.answer.is_truncated()) {
                (true, true) => 'L',
                (true, false) => 'l',
                (false, true) => 'c',
                (false, false) => '.',
            },
        });
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn every_so_many_questions_something_happens() {
    for (body, expected) in [
        ("", "d.d.d.d."),
        ("large", "d.d.d.d."),
        ("drop", "d.d.d.d."),
        ("drop 3", "d..d..d."),
        ("drop 1", "dddddddd"),
        ("drop 0", "........"),
        ("delay", "l.l.l.l."),
        ("delay 3 50ms", "l..l..l."),
        ("delay 0", "d.d.d.d."),
        ("truncate", "cc..cc.."),
        ("truncate 1", "c.c.c.c."),
        ("truncate 5", "c.c....."),
        ("drop 3\ntruncate 2", "dc.dccd."),
        ("drop\ndelay 3", "d.dld.d."),
        ("delay 4\ntruncate 1", "L.c.L.c."),
        ("drop 0\ndelay 0\ntruncate 0", "........"),
    ] {
        assert_eq!(first_eight(body).await, expected, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_late_by_so_much() {
    for (body, late) in [("delay", 100), ("delay 1", 100), ("delay 1 50ms", 50)] {
        let begun = tokio::time::Instant::now();
        ask(&[plugin(body)], &query("example.org", RecordType::A)).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(late), "{body}");
    }
}

#[tokio::test]
async fn addresses_are_answered_and_nothing_else() {
    for (body, rtype, count, address) in [
        ("drop 0", RecordType::A, 1, &V4[..]),
        ("drop 0", RecordType::AAAA, 1, &V6[..]),
        ("drop 0\nlarge", RecordType::A, 30, &V4[..]),
        ("drop 0\nlarge", RecordType::AAAA, 1, &V6[..]),
    ] {
        let chain = [plugin(body)];
        assert_eq!(chain[0].storing(), Storing::PerReply);
        let reply = ask(&chain, &query("www.example.org", rtype)).await.unwrap();
        let message = reply.answer.message();
        let records: Vec<_> = message.section(Section::Answer).collect();
        assert_eq!((records.len(), message.flags() & Flags::AA != 0, reply.storable), (count, true, false));
        for record in records {
            assert_eq!((record.rtype, record.ttl, message.rdata(&record)), (rtype, 0, address));
            assert_eq!(message.name(record.owner), Some(query("www.example.org", rtype).name));
        }
    }
    for rtype in [RecordType::TXT, RecordType::ANY, RecordType::SOA] {
        let reply = ask(&[plugin("drop 0")], &query("example.org", rtype)).await.unwrap();
        assert_eq!(reply.answer.rcode(), Rcode::SERVFAIL);
    }
}

#[tokio::test]
async fn it_is_ready_for_a_while() {
    let chain = [plugin("drop 0")];
    for expected in [false, false, false, true, true, false, false] {
        assert_eq!(chain[0].is_ready(), expected);
        ask(&chain, &query("example.org", RecordType::A)).await.unwrap();
    }
}

#[test]
fn statements_of_one_block_add_up() {
    let text = "erratic {\n drop 3\n large\n}\nerratic {\n drop 5\n delay\n}";
    let (specs, report) = testing::all_checked(text, &[Name::root()], check);
    let spec = specs.into_iter().map(Option::unwrap).reduce(ErraticSpec::then).unwrap();
    assert_eq!((spec.drop, spec.large, spec.delay.is_some(), report.as_str()), (Some(5), true, true, ""));
}

#[test]
fn mistakes_have_a_place() {
    for (wrong, place, word) in [
        ("erratic x", "Corefile:2:9: error", "unexpected"),
        ("erratic {\n dropp\n}", "Corefile:3:2: error", "`drop`?"),
        ("erratic {\n drop -1\n}", "Corefile:3:7: error", "number"),
        ("erratic {\n drop 2147483648\n}", "Corefile:3:7: error", "out of range"),
        ("erratic {\n drop 1 2\n}", "Corefile:3:9: error", "unexpected"),
        ("erratic {\n truncate x\n}", "Corefile:3:11: error", "number"),
        ("erratic {\n delay 1 x\n}", "Corefile:3:10: error", "duration"),
        ("erratic {\n delay 1 1s 2\n}", "Corefile:3:13: error", "unexpected"),
        ("erratic {\n large 1\n}", "Corefile:3:8: error", "unexpected"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    let (spec, report) = checked("erratic {\n delay 1 10s\n}");
    assert!(spec.is_some() && report.contains("Corefile:3:10: warning"), "{report}");
}
