//! Which replies are made, of what, for whom, and what is left alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::limits::{EXCHANGE_WITHIN, SERVFAIL_MAX};
use contract::testing::{self, ask, built, client, context, query};
use contract::wire::{Class, Composer, Ede, Flags, Name, Rcode, RecordType, Section, ede};
use contract::{Age, Answer, Blocks, Bound, Boxed, Failure, Next, Past, Plugin, Query, Reply, Scope, Served, Source};

use crate::{Dns64Spec, Prefix, check};

/// What the end of the chain says to one type.
#[derive(Clone, Debug, Default)]
struct Said {
    rcode: u16,
    /// A record each: owner, type, TTL, RDATA.
    answers: Vec<(&'static str, RecordType, u32, Vec<u8>)>,
    /// The TTL of an SOA in the authority section.
    soa: Option<u32>,
    /// An additional record with this address.
    additional: Option<[u8; 4]>,
    flags: u16,
    age: u32,
    /// The TTL with which it is told past its end.
    stale: Option<u32>,
    fails: Option<Failure>,
    /// After so long.
    waits: Duration,
}

/// Says something to AAAA and something to every other type.
#[derive(Debug)]
struct End {
    aaaa: Said,
    other: Said,
}

/// The server blocks: what they say to whoever enters them anew, and what was asked.
#[derive(Debug, Default)]
struct Around {
    said: Said,
    asked: Mutex<Vec<Query>>,
}

impl Blocks for Around {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(query.clone());
            tokio::time::sleep(self.said.waits).await;
            self.said.reply(&query)
        })
    }
}

impl Plugin for End {
    fn name(&self) -> &'static str {
        "end"
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        let said = if query.rtype == RecordType::AAAA { &self.aaaa } else { &self.other };
        Box::pin(async move {
            tokio::time::sleep(said.waits).await;
            said.reply(query)
        })
    }
}

impl Said {
    fn reply(&self, query: &Query) -> Served {
        if let Some(failure) = &self.fails {
            return Err(failure.clone());
        }
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        composer.rcode(Rcode(self.rcode)).flags(self.flags);
        for (owner, rtype, ttl, rdata) in &self.answers {
            let owner = Name::parse(owner).unwrap();
            composer.record(Section::Answer, &owner, *rtype, *ttl, |to| to.octets(rdata)).unwrap();
        }
        if let Some(ttl) = self.soa {
            let zone = Name::parse("example").unwrap();
            let rdata = |to: &mut Composer| to.octets(&[&[0; 2][..], &[0; 16], &9u32.to_be_bytes()].concat());
            composer.record(Section::Authority, &zone, RecordType::SOA, ttl, rdata).unwrap();
        }
        if let Some(address) = self.additional {
            let owner = Name::parse("ns.example").unwrap();
            composer.record(Section::Additional, &owner, RecordType::A, 7, |to| to.octets(&address)).unwrap();
        }
        let answer = Answer::composed(composer.finish(), Rcode(self.rcode));
        let reply = Reply::fresh(answer, Source::Plugin("end"));
        let ede = self.stale.map(|_| Ede::new(ede::STALE_ANSWER, "old"));
        Ok(Reply { age: self.stale.map_or(Age::Fresh(self.age), Age::StaleWith), ede, ..reply })
    }
}

fn checked(statement: &str) -> (Option<Dns64Spec>, String) {
    testing::checked(statement, check)
}

fn address() -> Said {
    Said { answers: vec![("www.example", RecordType::A, 300, vec![192, 0, 2, 1])], ..Said::default() }
}

/// The reply to AAAA, where the block says something to AAAA and nothing to A, but the server blocks as a whole do.
async fn served(statement: &str, ip: &str, aaaa: &Said, found: &Said) -> Served {
    let around = Around { said: found.clone(), ..Around::default() };
    served_among(&around, statement, aaaa, &Query { client: client(ip), ..query("www.example", RecordType::AAAA) })
        .await
}

async fn served_among(around: &Around, statement: &str, aaaa: &Said, asked: &Query) -> Served {
    let end: Arc<dyn Plugin> = Arc::new(End { aaaa: aaaa.clone(), other: Said::default() });
    let chain = [built(checked(statement), &context()), end];
    Next::new(&chain, around).serve(asked).await
}

/// The answer section: owner, type, TTL, RDATA.
fn answers(reply: &Reply) -> Vec<(String, RecordType, u32, Vec<u8>)> {
    let message = reply.answer.message();
    assert!(message.asks(&Name::parse("www.example").unwrap(), RecordType::AAAA, Class::IN));
    let records = message.section(Section::Answer);
    let told = |record: contract::wire::Record| {
        let owner = message.name(record.owner).unwrap().to_string();
        (owner, record.rtype, record.ttl, message.rdata(&record).to_vec())
    };
    records.map(told).collect()
}

const MADE: [u8; 16] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1];

#[tokio::test]
async fn who_has_no_ipv6_address_gets_one() {
    // the reply to AAAA, and the TTL of what is made
    for (aaaa, ttl) in [
        (Said { soa: Some(60), ..Said::default() }, 60),
        (Said { soa: Some(900), ..Said::default() }, 300),
        (Said { soa: Some(60), age: 20, ..Said::default() }, 40),
        (Said::default(), 300),
        (Said { rcode: 2, ..Said::default() }, 300),
        (Said { rcode: 5, ..Said::default() }, 300),
        (Said { answers: vec![("www.example", RecordType::CNAME, 5, vec![1, b'x', 0])], ..Said::default() }, 300),
        (
            Said {
                rcode: 3,
                answers: vec![("www.example", RecordType::CNAME, 5, vec![1, b'x', 0])],
                ..Said::default()
            },
            300,
        ),
    ] {
        let reply = served("dns64", "2001:db8::7", &aaaa, &address()).await.unwrap();
        let expected = vec![("www.example.".to_owned(), RecordType::AAAA, ttl, MADE.to_vec())];
        assert_eq!(answers(&reply), expected, "{aaaa:?}");
        assert_eq!(reply.answer.rcode(), Rcode::NOERROR);
        assert!(reply.personal, "clients over IPv4 get another one");
    }
}

#[tokio::test]
async fn without_an_soa_it_lives_ten_minutes_at_most() {
    let long = Said { answers: vec![("www.example", RecordType::A, 86_400, vec![192, 0, 2, 1])], ..Said::default() };
    let reply = served("dns64", "2001:db8::7", &Said::default(), &long).await.unwrap();
    assert_eq!(answers(&reply)[0].2, 600);
}

#[tokio::test]
async fn it_is_true_no_longer_than_both_replies() {
    let negative = Said { soa: Some(60), age: 4, ..Said::default() };
    let reply = served("dns64", "2001:db8::7", &negative, &address()).await.unwrap();
    assert_eq!(reply.true_for(), Some(Duration::from_secs(5)), "MINIMUM is 9, of which 4 have gone");
}

#[tokio::test]
async fn what_needs_nothing_is_passed_on() {
    let ipv6 = Said { answers: vec![("www.example", RecordType::AAAA, 30, vec![1; 16])], ..Said::default() };
    let gone = Said { rcode: 3, soa: Some(60), ..Said::default() };
    for (statement, ip, aaaa) in [
        ("dns64", "2001:db8::7", &ipv6),
        ("dns64", "2001:db8::7", &gone),
        ("dns64 {\n translate_all\n}", "2001:db8::7", &gone),
        ("dns64", "192.0.2.7", &Said { soa: Some(60), ..Said::default() }),
        ("dns64", "::ffff:192.0.2.7", &Said { soa: Some(60), ..Said::default() }),
    ] {
        let reply = served(statement, ip, aaaa, &address()).await.unwrap();
        let same = aaaa.reply(&query("www.example", RecordType::AAAA)).unwrap();
        assert_eq!(reply.answer, same.answer, "{statement} {ip}");
        assert!(!reply.personal);
    }
    for failure in [Failure::Panicked, Failure::Prohibited, Bound::Misses.reached()] {
        let failing = Said { fails: Some(failure.clone()), ..Said::default() };
        assert_eq!(served("dns64", "2001:db8::7", &failing, &address()).await.unwrap_err(), failure);
    }
}

fn memorised() -> Failure {
    Failure::Memorised { text: "upstream said SERVFAIL".into(), replied: true }
}

fn timed_out() -> Failure {
    Failure::Timeout { upstream: ([192, 0, 2, 53], 53).into(), waited: EXCHANGE_WITHIN }
}

#[tokio::test]
async fn that_nobody_tells_of_ipv6_addresses_is_like_having_none() {
    let table = [
        Said { rcode: 2, ..Said::default() },
        Said { fails: Some(memorised()), ..Said::default() },
        Said { fails: Some(timed_out()), ..Said::default() },
        Said { fails: Some(Failure::AllDown { count: 2, longest: None }), ..Said::default() },
    ];
    for aaaa in table {
        let statement = "dns64 {\n allow_ipv4\n}";
        let reply = served(statement, "2001:db8::7", &aaaa, &address()).await.unwrap();
        assert_eq!((answers(&reply)[0].2, &answers(&reply)[0].3[..]), (300, &MADE[..]), "{aaaa:?}");
        assert_eq!((reply.lifetime, reply.storable, reply.personal), (Some(SERVFAIL_MAX), true, false), "{aaaa:?}");
        // that nobody replied is no proof that there is none
        let without = served(statement, "2001:db8::7", &aaaa, &Said::default()).await;
        match aaaa.fails.clone().filter(|failure| *failure != memorised()) {
            Some(failure) => assert_eq!(without.unwrap_err(), failure),
            None => assert_eq!(
                (without.as_ref().unwrap().answer.rcode(), answers(&without.unwrap()).len()),
                (Rcode::NOERROR, 0)
            ),
        }
        let stale = Said { stale: Some(20), ..address() };
        assert!(served(statement, "2001:db8::7", &aaaa, &stale).await.unwrap().is_stale());
        let failing = Said { fails: Some(Failure::Panicked), ..Said::default() };
        assert_eq!(served(statement, "2001:db8::7", &aaaa, &failing).await.unwrap_err(), Failure::Panicked);
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_question_has_the_time_that_the_first_one_left() {
    let aaaa = |waits| Said { fails: Some(timed_out()), waits, ..Said::default() };
    let found = |waits| Said { waits, ..address() };
    let (none, second) = (Duration::ZERO, Duration::from_secs(1));
    // how long the failure takes and how long the reply to A, and whether that is told
    for (first, then, is_told) in [
        (none, second, true),
        (EXCHANGE_WITHIN - 2 * second, second, true),
        (EXCHANGE_WITHIN, none, true),
        (EXCHANGE_WITHIN, second, false),
        (2 * second, 3 * second, false),
    ] {
        let served = served("dns64", "2001:db8::7", &aaaa(first), &found(then)).await;
        match is_told {
            true => assert_eq!(answers(&served.unwrap())[0].3, MADE),
            false => assert_eq!(served.unwrap_err(), timed_out()),
        }
    }
}

#[tokio::test]
async fn the_question_for_a_enters_the_server_blocks_anew() {
    let around = Around { said: address(), ..Around::default() };
    let passed: Arc<[Name]> = [Name::parse("alias.example").unwrap()].into();
    let asked = Query {
        client: client("2001:db8::7"),
        dnssec_ok: true,
        reentries: 2,
        refresh: true,
        chased: Some(Arc::clone(&passed)),
        past: Past::Own,
        ..query("www.example", RecordType::AAAA)
    };
    served_among(&around, "dns64", &Said::default(), &asked).await.unwrap();
    let questions = around.asked.into_inner().unwrap();
    let [question] = &questions[..] else { panic!("{questions:?}") };
    assert_eq!((question.name.to_string().as_str(), question.rtype), ("www.example.", RecordType::A));
    assert_eq!((question.client, question.dnssec_ok, question.refresh), (asked.client, true, true));
    assert_eq!((question.past, question.scope), (Past::Not, Scope::Shared));
    assert_eq!((question.reentries, question.chased.as_ref()), (3, Some(&passed)), "bounds against going round hold");
    assert_eq!(question.arrived, asked.arrived);
}

#[tokio::test]
async fn properties_widen_it() {
    let ipv6 = Said { answers: vec![("www.example", RecordType::AAAA, 30, vec![1; 16])], ..Said::default() };
    let reply = served("dns64 {\n translate_all\n}", "2001:db8::7", &ipv6, &address()).await.unwrap();
    assert_eq!(answers(&reply)[0].3, MADE);
    let reply = served("dns64 {\n allow_ipv4\n}", "192.0.2.7", &Said::default(), &address()).await.unwrap();
    assert_eq!(answers(&reply)[0].3, MADE);
    assert!(!reply.personal, "everybody gets it");
    let reply = served("dns64 2001:db8::/32 {\n allow_ipv4\n}", "192.0.2.7", &Said::default(), &address()).await;
    assert_eq!(answers(&reply.unwrap())[0].3, [0x20, 1, 0xd, 0xb8, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn all_else_of_the_reply_to_a_stays() {
    let found = Said {
        answers: vec![
            ("www.example", RecordType::CNAME, 80, b"\x03web\x07example\x00".to_vec()),
            ("web.example", RecordType::A, 300, vec![192, 0, 2, 1]),
            ("web.example", RecordType::A, 20, vec![192, 0, 2, 2]),
        ],
        soa: Some(11),
        additional: Some([192, 0, 2, 53]),
        flags: Flags::TC | Flags::AA | Flags::AD,
        age: 10,
        ..Said::default()
    };
    let reply = served("dns64", "2001:db8::7", &Said { soa: Some(100), ..Said::default() }, &found).await.unwrap();
    let told = answers(&reply);
    let ttls: Vec<_> = told.iter().map(|(owner, rtype, ttl, _)| (owner.as_str(), *rtype, *ttl)).collect();
    assert_eq!(
        ttls,
        [
            ("www.example.", RecordType::CNAME, 70),
            ("web.example.", RecordType::AAAA, 100),
            ("web.example.", RecordType::AAAA, 10)
        ]
    );
    let message = reply.answer.message();
    assert_eq!(message.section(Section::Authority).map(|record| record.ttl).collect::<Vec<_>>(), [1]);
    let additional: Vec<_> = message.section(Section::Additional).collect();
    assert_eq!((additional[0].rtype, message.rdata(&additional[0])), (RecordType::A, &[192, 0, 2, 53][..]));
    assert_eq!(message.flags() & (Flags::TC | Flags::AA | Flags::AD), Flags::TC);
}

#[tokio::test]
async fn what_is_made_of_a_stale_reply_is_stale() {
    let stale = |said: Said| Said { stale: Some(20), ..said };
    let denial = Said { soa: Some(60), ..Said::default() };
    for (aaaa, found) in
        [(stale(denial.clone()), address()), (denial.clone(), stale(address())), (stale(denial), stale(address()))]
    {
        let reply = served("dns64", "2001:db8::7", &aaaa, &found).await.unwrap();
        assert_eq!((reply.age, answers(&reply)[0].2), (Age::StaleWith(20), 20));
        assert_eq!((reply.true_for(), reply.ede.unwrap().code), (Some(Duration::ZERO), ede::STALE_ANSWER));
    }
}

#[tokio::test]
async fn a_failure_of_the_question_for_a_is_told() {
    let refused = Said { rcode: 5, ..Said::default() };
    let reply = served("dns64", "2001:db8::7", &Said::default(), &refused).await.unwrap();
    assert_eq!((reply.answer.rcode(), answers(&reply).len()), (Rcode::REFUSED, 0));
    let failing = Said { fails: Some(Failure::Panicked), ..Said::default() };
    assert_eq!(served("dns64", "2001:db8::7", &Said::default(), &failing).await.unwrap_err(), Failure::Panicked);
}

#[tokio::test]
async fn it_counts_what_it_made() {
    let context = context();
    let end: Arc<dyn Plugin> = Arc::new(End { aaaa: Said::default(), other: address() });
    let chain = [built(checked("dns64"), &context), end];
    let around = Around { said: address(), ..Around::default() };
    for (ip, rtype) in
        [("2001:db8::7", RecordType::AAAA), ("192.0.2.7", RecordType::AAAA), ("2001:db8::7", RecordType::A)]
    {
        let asked = Query { client: client(ip), ..query("www.example", rtype) };
        Next::new(&chain, &around).serve(&asked).await.unwrap();
    }
    let text = context.metrics.text();
    assert!(text.contains("coredns_dns64_requests_translated_total{server=\"dns://.:53\"} 1\n"), "{text}");
}

#[test]
fn it_stands_ahead_of_memory_for_whom_it_concerns() {
    for (statement, ipv4, personal) in [("dns64", false, true), ("dns64 {\n allow_ipv4\n}", true, false)] {
        let plugin = built(checked(statement), &context());
        let ahead = plugin.ahead().unwrap();
        assert!(ahead.always(&client("2001:db8::7"), RecordType::AAAA));
        assert_eq!(ahead.always(&client("192.0.2.7"), RecordType::AAAA), ipv4);
        assert!(!ahead.always(&client("2001:db8::7"), RecordType::A));
        assert_eq!(ahead.is_personal(), personal);
        assert!(!ahead.touches(b"\x01a\0", RecordType::AAAA, Class::IN));
    }
}

#[tokio::test]
async fn other_classes_pass() {
    let end: Arc<dyn Plugin> = Arc::new(End { aaaa: Said::default(), other: address() });
    let chain = [built(checked("dns64"), &context()), end];
    let asked = Query { client: client("2001:db8::7"), class: Class::CH, ..query("www.example", RecordType::AAAA) };
    assert_eq!(ask(&chain, &asked).await.unwrap().answer.message().section(Section::Answer).count(), 0);
}

#[test]
fn statements_of_one_block_add_up() {
    let (specs, report) = testing::all_checked(
        "dns64 64:1::/96 {\n translate_all\n}\ndns64 {\n prefix 64:2::/64\n allow_ipv4\n}\ndns64",
        &[Name::root()],
        check,
    );
    let spec = specs.into_iter().map(Option::unwrap).reduce(Dns64Spec::then).unwrap();
    let prefix = Some(Prefix::parse("64:2::/64").unwrap());
    assert_eq!((spec, report.as_str()), (Dns64Spec { prefix, translate_all: true, allow_ipv4: true }, ""));
}

#[test]
fn mistakes_have_a_place() {
    for (wrong, place, word) in [
        ("dns64 64:ff9b::/97", "Corefile:2:7: error", "97 bits"),
        ("dns64 64:ff9b::/96 64:1::/96", "Corefile:2:20: error", "unexpected argument"),
        ("dns64 10.0.0.0/8", "Corefile:2:7: error", "IPv4"),
        ("dns64 {\n prefix\n}", "Corefile:3:8: error", "64:ff9b::/96"),
        ("dns64 {\n prefix a b\n}", "Corefile:3:9: error", "prefix"),
        ("dns64 {\n prefix 64:ff9b::/96 b\n}", "Corefile:3:22: error", "unexpected"),
        ("dns64 {\n translate_al\n}", "Corefile:3:2: error", "`translate_all`?"),
        ("dns64 {\n translate_all 1\n}", "Corefile:3:16: error", "unexpected"),
        ("dns64 {\n allow_ipv4 {\n  x\n }\n}", "Corefile:4:3: error", "no properties"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    let (spec, report) = checked("dns64 64:1::/72");
    assert!(spec.is_some() && report.contains("Corefile:2:7: warning"), "{report}");
}
