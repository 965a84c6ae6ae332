//! ANY gets its one record; nothing else is touched.

use std::sync::Arc;

use contract::corefile::{self, Memory, Report};
use contract::wire::{Class, Name, Rcode, RecordType, Section};
use contract::{
    Blocks, Boxed, Client, Context, Failure, FakeClock, Moment, Next, Query, Scope, Served, Spec, Storing, Transport,
};

use crate::{AnySpec, check};

/// A question from 192.0.2.7 port 40212 over UDP.
fn query(name: &str, rtype: RecordType) -> Query {
    Query {
        name: Name::parse(name).unwrap(),
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client {
            address: "192.0.2.7:40212".parse().unwrap(),
            local: "127.0.0.1:53".parse().unwrap(),
            transport: Transport::Udp,
        },
        edns: None,
        header: (1, 0x0100),
        arrived: Moment(0),
        reentries: 0,
        refresh: false,
    }
}

/// No server blocks: nothing here enters them anew.
struct Nowhere;

impl Blocks for Nowhere {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { Err(Failure::NoBlock { name: query.name.to_string() }) })
    }
}

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<AnySpec>, String) {
    let mut report = Report::new();
    let corefile = corefile::parse("Corefile", &format!(". {{\n{statement}\n}}\n"), &Memory::new(), &mut report);
    let spec = check(&corefile.blocks[0].statements[0], &[Name::root()], &mut report);
    (spec, report.to_string())
}

fn context() -> Context {
    Context {
        clock: Arc::new(FakeClock::new()),
        metrics: Arc::default(),
        lists: Arc::default(),
        server: "dns://.:53".to_owned(),
    }
}

#[tokio::test]
async fn any_is_answered_with_one_hinfo() {
    let chain = [checked("any").0.unwrap().build(&context()).unwrap()];
    assert_eq!(chain[0].storing(), Storing::Nothing);
    let asked = query("example.org", RecordType::ANY);
    let reply = Next::new(&chain, &Nowhere).serve(&asked).await.unwrap();
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
    let chain = [checked("any").0.unwrap().build(&context()).unwrap()];
    for rtype in [RecordType::A, RecordType::HINFO, RecordType::RRSIG, RecordType(254)] {
        let asked = query("example.org", rtype);
        let failure = Next::new(&chain, &Nowhere).serve(&asked).await.unwrap_err();
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
