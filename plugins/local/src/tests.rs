//! Each local name gets its records; all others go on.

use contract::Storing;
use contract::testing::{self, ask, built, context, query};
use contract::wire::{Class, Flags, RecordType, Section};

use crate::{LocalSpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<LocalSpec>, String) {
    testing::checked(statement, check)
}

/// RCODE, then each record as `SECTION OWNER TYPE`, with the target or address if it is an answer. `-` if it went on.
async fn said(statement: &str, name: &str, rtype: RecordType) -> String {
    let chain = [built(checked(statement), &context())];
    assert_eq!(chain[0].storing(), Storing::Nothing);
    let asked = query(name, rtype);
    let Ok(reply) = ask(&chain, &asked).await else { return "-".to_owned() };
    let message = reply.answer.message();
    assert!(message.asks(&asked.name, rtype, Class::IN));
    assert_eq!(message.flags() & Flags::AA, 0);
    let mut said = reply.answer.rcode().to_string();
    for record in message.records().map(Result::unwrap) {
        assert_eq!(record.ttl, 604_800);
        let owner = message.name(record.owner).unwrap();
        said += &format!(" {:?} {owner} {}", record.section, record.rtype);
        let rdata = message.rdata(&record);
        match (record.rtype, record.section) {
            (RecordType::A, _) => assert_eq!(rdata, [127, 0, 0, 1]),
            (RecordType::AAAA, _) => assert_eq!(rdata, std::net::Ipv6Addr::LOCALHOST.octets()),
            (RecordType::SOA, _) => {
                assert_eq!(message.name(record.rdata).unwrap().to_string(), "localhost.");
                let numbers = [1, 0, 0, 0, 604_800u32].map(u32::to_be_bytes).concat();
                assert!(rdata.ends_with(&numbers));
            }
            (_, Section::Answer) => said += &format!(" {}", message.name(record.rdata).unwrap()),
            (rtype, section) => panic!("{rtype} in {section:?}"),
        }
    }
    said
}

#[tokio::test]
async fn every_local_name_has_its_answer() {
    use RecordType as T;
    let cases = [
        ("localhost", T::A, "NOERROR Answer localhost. A"),
        ("localhost", T::AAAA, "NOERROR Answer localhost. AAAA"),
        ("localhost", T::SOA, "NOERROR Answer localhost. SOA"),
        ("localhost", T::NS, "NOERROR Answer localhost. NS localhost."),
        ("localhost", T::MX, "NOERROR Authority localhost. SOA"),
        ("127.in-addr.arpa", T::SOA, "NOERROR Answer 127.in-addr.arpa. SOA"),
        ("0.in-addr.arpa", T::NS, "NOERROR Answer 0.in-addr.arpa. NS localhost."),
        ("255.in-addr.arpa", T::A, "NOERROR Authority 255.in-addr.arpa. SOA"),
        ("255.in-addr.arpa", T::AAAA, "NOERROR Authority 255.in-addr.arpa. SOA"),
        ("1.0.0.127.in-addr.arpa", T::PTR, "NOERROR Answer 1.0.0.127.in-addr.arpa. PTR localhost."),
        ("1.0.0.127.in-addr.arpa", T::A, "NOERROR Authority 127.in-addr.arpa. SOA"),
        ("2.0.0.127.in-addr.arpa", T::PTR, "NXDOMAIN Authority 127.in-addr.arpa. SOA"),
        ("0.0.127.in-addr.arpa", T::SOA, "NXDOMAIN Authority 127.in-addr.arpa. SOA"),
        ("9.0.in-addr.arpa", T::PTR, "NXDOMAIN Authority 0.in-addr.arpa. SOA"),
        // below localhost every name exists, and NODATA names it as if it were a zone
        ("a.localhost", T::A, "NOERROR Answer a.localhost. A"),
        ("a.b.localhost", T::AAAA, "NOERROR Answer a.b.localhost. AAAA"),
        ("a.localhost", T::MX, "NOERROR Authority a.localhost. SOA"),
        ("a.localhost", T::NS, "NOERROR Authority a.localhost. SOA"),
        // and so does localhost before any domain
        ("localhost.example.org", T::A, "NOERROR Answer localhost.example.org. A"),
        ("localhost.ns.svc.cluster.local", T::TXT, "NOERROR Authority localhost.ns.svc.cluster.local. SOA"),
        // not local
        ("example.org", T::A, "-"),
        ("notlocalhost", T::A, "-"),
        ("localhosts.example.org", T::A, "-"),
        (r"localhost\.example.org", T::A, "-"),
        (r"a\.localhost", T::A, "-"),
        ("1.0.0.10.in-addr.arpa", T::PTR, "-"),
        ("1.ip6.arpa", T::PTR, "-"),
        (".", T::NS, "-"),
    ];
    for (name, rtype, expected) in cases {
        assert_eq!(said("local", name, rtype).await, expected, "{name} {rtype}");
    }
}

#[tokio::test]
async fn without_the_prefix_only_names_below_localhost_are_special() {
    let off = "local {\n  localhost_prefix off\n}";
    assert_eq!(said(off, "localhost.example.org", RecordType::A).await, "-");
    assert_eq!(said(off, "a.localhost", RecordType::A).await, "NOERROR Answer a.localhost. A");
    assert_eq!(said(off, "localhost", RecordType::A).await, "NOERROR Answer localhost. A");
    let on = "local {\n  localhost_prefix on\n}";
    assert_eq!(said(on, "localhost.example.org", RecordType::A).await, "NOERROR Answer localhost.example.org. A");
}

#[tokio::test]
async fn names_around_localhost_are_counted_and_localhost_is_not() {
    let context = context();
    let chain = [built(checked("local"), &context)];
    for name in ["localhost", "a.localhost", "localhost.example.org", "1.0.0.127.in-addr.arpa"] {
        ask(&chain, &query(name, RecordType::A)).await.unwrap();
    }
    let text = context.metrics.text();
    assert!(text.contains("\ncoredns_local_localhost_requests_total 2\n"), "{text}");
}

#[test]
fn mistakes_have_a_place_and_a_nearest_word() {
    for (wrong, place, word) in [
        ("local example.org", "Corefile:2:7: error", "no more arguments"),
        ("local {\n  localhost_prefx on\n}", "Corefile:3:3: error", "`localhost_prefix`?"),
        ("local {\n  localhost_prefix\n}", "Corefile:3:19: error", "`on` or `off`"),
        ("local {\n  localhost_prefix no\n}", "Corefile:3:20: error", "`on` or `off`"),
        ("local {\n  localhost_prefix on off\n}", "Corefile:3:23: error", "no more arguments"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{report}");
    }
}
