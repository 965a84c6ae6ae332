//! What is left of each kind of reply.

use std::sync::Arc;
use std::time::Duration;

use contract::testing::{self, ask, built, context, query};
use contract::wire::{Class, Composer, Ede, Flags, Name, Rcode, RecordType, Section, ede};
use contract::{Age, Answer, Boxed, Failure, Next, Plugin, Query, Reply, Served, Source, Storing};

use crate::{MinimalSpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<MinimalSpec>, String) {
    testing::checked(statement, check)
}

/// The end of the chain: always the same reply.
#[derive(Debug)]
struct Fixed(Served);

impl Plugin for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn serve<'a>(&'a self, _query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async { self.0.clone() })
    }
}

const ASKED: &str = "www.example.org";

async fn minimized(reply: Served) -> Served {
    let chain = [built(checked("minimal"), &context()), Arc::new(Fixed(reply))];
    assert_eq!(chain[0].storing(), Storing::Nothing);
    ask(&chain, &query(ASKED, RecordType::A)).await
}

/// A reply with one record of each type in the sections given.
fn reply(rcode: Rcode, records: &[(Section, RecordType)]) -> Reply {
    let name = Name::parse(ASKED).unwrap();
    let mut composer = Composer::new(&name, RecordType::A, Class::IN);
    composer.rcode(rcode).flags(Flags::AA);
    for &(section, rtype) in records {
        let write = |to: &mut Composer| match rtype {
            RecordType::A => to.octets(&[192, 0, 2, 1]),
            RecordType::SOA => {
                to.rdata_name(&name);
                to.rdata_name(&name);
                to.octets(&[0, 0, 0, 20].repeat(5));
            }
            _ => to.rdata_name(&name),
        };
        composer.record(section, &name, rtype, 60, write).unwrap();
    }
    Reply::fresh(Answer::composed(composer.finish(), rcode), Source::Plugin("fixed"))
}

use Section::{Additional, Answer as Answers, Authority};

type Records<'r> = &'r [(Section, RecordType)];

#[tokio::test]
async fn each_kind_of_reply_keeps_what_it_needs() {
    let (a, cname, ns, soa) = (RecordType::A, RecordType::CNAME, RecordType::NS, RecordType::SOA);
    // what comes back, and whether only the answer section goes on
    let cases: [(&str, Rcode, Records<'_>, bool); 9] = [
        ("a positive answer", Rcode::NOERROR, &[(Answers, a), (Authority, ns), (Additional, a)], true),
        ("a positive answer alone", Rcode::NOERROR, &[(Answers, a)], true),
        ("NODATA", Rcode::NOERROR, &[(Authority, soa), (Additional, a)], false),
        ("a referral", Rcode::NOERROR, &[(Authority, ns), (Additional, a)], false),
        ("NXDOMAIN", Rcode::NXDOMAIN, &[(Authority, soa), (Additional, a)], false),
        ("NXDOMAIN behind a CNAME", Rcode::NXDOMAIN, &[(Answers, cname), (Authority, soa)], false),
        ("an error", Rcode::REFUSED, &[(Additional, a)], false),
        ("NODATA behind a CNAME loses its SOA", Rcode::NOERROR, &[(Answers, cname), (Authority, soa)], true),
        ("additional records alone, as of whoami", Rcode::NOERROR, &[(Additional, a)], true),
    ];
    for (what, rcode, records, stripped) in cases {
        let before = reply(rcode, records);
        let after = minimized(Ok(before.clone())).await.unwrap();
        assert_eq!(after.answer.rcode(), rcode, "{what}");
        if !stripped {
            assert_eq!(before.answer, after.answer, "{what}");
            continue;
        }
        let message = after.answer.message();
        assert!(message.asks(&Name::parse(ASKED).unwrap(), a, Class::IN), "{what}");
        assert_eq!(message.flags(), before.answer.message().flags(), "{what}");
        let left: Vec<_> = message.records().flatten().map(|one| (one.section, one.rtype, one.ttl)).collect();
        let answers = records.iter().filter(|(section, _)| *section == Answers);
        assert_eq!(left, answers.map(|&(section, rtype)| (section, rtype, 60)).collect::<Vec<_>>(), "{what}");
    }
}

#[tokio::test]
async fn what_is_known_about_the_reply_is_kept() {
    let mut before = reply(Rcode::NOERROR, &[(Answers, RecordType::A), (Additional, RecordType::A)]);
    before.answer = Arc::new(Arc::into_inner(before.answer).unwrap().with_ede(Ede::new(ede::FORGED_ANSWER, "forged")));
    before.age = Age::Fresh(7);
    before.lifetime = Some(Duration::from_secs(5));
    before.storable = false;
    before.source = Source::Upstream("127.0.0.1:53".parse().unwrap());
    before.ede = Some(Ede::new(ede::STALE_ANSWER, "stale"));
    let after = minimized(Ok(before.clone())).await.unwrap();
    assert_eq!(after.answer.ede(), before.answer.ede());
    assert_eq!((after.age, after.lifetime, after.storable), (before.age, before.lifetime, before.storable));
    assert_eq!((after.source, after.ede), (before.source, before.ede));
}

#[tokio::test]
async fn a_cname_without_its_soa_is_memorised_no_longer_than_with_it() {
    let mut before = reply(Rcode::NOERROR, &[(Answers, RecordType::CNAME), (Authority, RecordType::SOA)]);
    before.age = Age::Fresh(5);
    let after = minimized(Ok(before)).await.unwrap();
    assert_eq!(after.lifetime, Some(Duration::from_secs(15)), "MINIMUM is 20 s, and 5 s have passed");
}

#[tokio::test]
async fn a_failure_goes_through() {
    let failure = Failure::AllDown { count: 2, longest: None };
    assert_eq!(minimized(Err(failure.clone())).await.unwrap_err(), failure);
}

#[test]
fn it_is_a_mere_word() {
    let (spec, report) = checked("minimal");
    assert!(spec.is_some() && report.is_empty(), "{report}");
    for (wrong, place) in [("minimal A", "Corefile:2:9: error"), ("minimal {\n  type A\n}", "Corefile:3:3: error")] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place), "{report}");
    }
}
