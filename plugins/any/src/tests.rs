//! ANY gets its one record; nothing else is touched.

use contract::testing::{self, ask, built, context, query};
use contract::wire::{Class, Rcode, RecordType, Section};
use contract::{Failure, Storing};

use crate::{AnySpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<AnySpec>, String) {
    testing::checked(statement, check)
}

#[tokio::test]
async fn any_is_answered_with_one_hinfo() {
    let chain = [built(checked("any"), &context())];
    assert_eq!(chain[0].storing(), Storing::Nothing);
    let asked = query("example.org", RecordType::ANY);
    let reply = ask(&chain, &asked).await.unwrap();
    let message = reply.answer.message();
    assert_eq!(reply.answer.rcode(), Rcode::NOERROR);
    assert!(message.asks(&asked.name, RecordType::ANY, Class::IN));
    let records: Vec<_> = message.records().map(Result::unwrap).collect();
    let [record] = records[..] else { panic!("{records:?}") };
    assert_eq!((record.section, record.rtype, record.ttl), (Section::Answer, RecordType::HINFO, 8482));
    assert_eq!(message.rdata(&record), b"\x0dANY obsoleted\x0cSee RFC 8482");
    assert_eq!(message.name(record.owner), Some(asked.name));
}

#[tokio::test]
async fn every_other_type_goes_on() {
    let chain = [built(checked("any"), &context())];
    for rtype in [RecordType::A, RecordType::HINFO, RecordType::RRSIG, RecordType(254)] {
        let asked = query("example.org", rtype);
        let failure = ask(&chain, &asked).await.unwrap_err();
        assert_eq!(failure, Failure::EndOfChain { name: "example.org.".to_owned() });
    }
}

#[test]
fn it_is_a_mere_word() {
    let (spec, report) = checked("any");
    assert!(spec.is_some() && report.is_empty(), "{report}");
    for (wrong, place) in [("any example.org", "Corefile:2:5: error"), ("any {\n  type A\n}", "Corefile:3:3: error")] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place), "{report}");
    }
}
