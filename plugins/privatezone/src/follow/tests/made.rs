//! Answers that are made of what objects say: each type, and whatever makes them uncertain.

use contract::testing::query;
use contract::wire::{Class, Name, Rcode, RecordType, Section, ede};
use contract::{Answer, Publication, Query};

use super::world::{House, name, object, publication};
use crate::follow::Follow;

/// The owner, type and RDATA of an answer's records, names read out.
fn records(answer: &Answer) -> Vec<(Name, RecordType, Vec<u8>, Option<Name>)> {
    let message = answer.message();
    let of = |record: contract::wire::Record| {
        let (before, has_name) = match record.rtype {
            RecordType::CNAME => (0, true),
            _ => (message.rdata(&record).len(), false),
        };
        let target = has_name.then(|| message.name(record.rdata + before).unwrap());
        (message.name(record.owner).unwrap(), record.rtype, message.rdata(&record)[..before].to_vec(), target)
    };
    message.section(Section::Answer).map(of).collect()
}

fn publishing(publications: Vec<Publication>) -> House {
    let house = House::new();
    house.says(object("web"), publications);
    house
}

#[tokio::test]
async fn addresses_and_cnames_are_made() {
    let target = || Some(name("t.example"));
    for (rtype, text, octets, named) in [
        (RecordType::A, "192.0.2.1", vec![192, 0, 2, 1], None),
        (RecordType::AAAA, "2001:db8::1", [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat(), None),
        (RecordType::CNAME, "t.example", vec![], target()),
    ] {
        let house = publishing(vec![publication("www.corp.example", rtype, &[text])]);
        let answer = house.makes("www.corp.example", rtype).unwrap();
        assert_eq!(records(&answer), [(name("www.corp.example"), rtype, octets, named)]);
        assert_eq!((answer.rcode(), answer.smallest_ttl()), (Rcode::NOERROR, Some(30)));
        let told = answer.ede().unwrap();
        assert_eq!(
            (told.code, &*told.text),
            (ede::SYNTHESIZED, "made of Service shop/web, its resolver does not answer")
        );
        assert_eq!(house.makes("www.corp.example", RecordType::CAA).is_some(), rtype == RecordType::CNAME, "{rtype}");
        assert!(house.makes("other.corp.example", rtype).is_none());
    }
}

#[tokio::test]
async fn all_targets_are_told_with_the_least_ttl() {
    let one = publication("www.corp.example", RecordType::A, &["192.0.2.1", "192.0.2.2"]);
    let other = publication("www.corp.example", RecordType::A, &["192.0.2.2", "192.0.2.1"]);
    let house = publishing(vec![Publication { ttl: Some(300), ..one.clone() }]);
    assert_eq!(house.makes("www.corp.example", RecordType::A).unwrap().smallest_ttl(), Some(30));
    house.says(object("same"), vec![Publication { ttl: Some(7), ..other }]);
    let answer = house.makes("www.corp.example", RecordType::A).unwrap();
    assert_eq!((records(&answer).len(), answer.smallest_ttl()), (2, Some(7)), "objects that agree");
}

#[tokio::test]
async fn a_cname_is_told_for_any_type() {
    let house = publishing(vec![publication("www.corp.example", RecordType::CNAME, &["t.example"])]);
    for rtype in [RecordType::A, RecordType::AAAA, RecordType::TXT, RecordType::CNAME] {
        let answer = house.makes("www.corp.example", rtype).unwrap();
        assert_eq!(records(&answer), [(name("www.corp.example"), RecordType::CNAME, vec![], Some(name("t.example")))]);
        assert_eq!(answer.message().question_type(), rtype);
    }
    assert!(house.makes("www.corp.example", RecordType::ANY).is_none());
    house.says(object("two"), vec![publication("www.corp.example", RecordType::A, &["192.0.2.1"])]);
    assert!(house.makes("www.corp.example", RecordType::A).is_none(), "there cannot be both");
    assert!(house.makes("www.corp.example", RecordType::CNAME).is_none());
}

#[tokio::test]
async fn a_wildcard_is_told_under_the_name_that_was_asked_for() {
    let house = publishing(vec![publication("*.dev.corp.example", RecordType::A, &["192.0.2.1"])]);
    let answer = house.makes("a.dev.corp.example", RecordType::A).unwrap();
    assert_eq!(records(&answer)[0].0, name("a.dev.corp.example"));
    assert!(house.makes("a.b.dev.corp.example", RecordType::A).is_some());
    assert!(house.makes("dev.corp.example", RecordType::A).is_none());
    house.says(object("own"), vec![publication("a.dev.corp.example", RecordType::TXT, &["x"])]);
    assert!(house.makes("a.dev.corp.example", RecordType::A).is_none(), "a name of its own is not covered");
}

#[tokio::test]
async fn what_is_uncertain_is_not_made() {
    let sound = publication("www.corp.example", RecordType::A, &["192.0.2.1"]);
    let refused = |publications: Vec<Publication>, rtype| {
        let house = publishing(publications);
        assert!(
            house.makes("www.corp.example", rtype).is_none(),
            "{:?}",
            house.published.at(&name("www.corp.example"))
        );
    };
    refused(vec![sound.clone()], RecordType::TXT);
    refused(vec![sound.clone()], RecordType::ANY);
    refused(vec![Publication { is_plain: false, ..sound.clone() }], RecordType::A);
    refused(vec![Publication { rtype: None, ..sound.clone() }], RecordType::A);
    refused(vec![Publication { targets: [].into(), ..sound.clone() }], RecordType::A);
    let other = |rtype, target| publication("www.corp.example", rtype, &[target]);
    refused(vec![sound.clone(), Publication { is_plain: false, ..other(RecordType::TXT, "x") }], RecordType::A);
    refused(vec![sound.clone(), Publication { rtype: None, ..other(RecordType::TXT, "x") }], RecordType::A);
    refused(vec![other(RecordType::A, "lb.example")], RecordType::A);
    // whether ExternalDNS publishes these nobody knows
    refused(vec![other(RecordType::TXT, "x")], RecordType::TXT);
    refused(vec![other(RecordType::MX, "10 t.example")], RecordType::MX);
    refused(vec![other(RecordType::SRV, "0 5 5060 t.example.")], RecordType::SRV);
    refused(vec![other(RecordType::NS, "t.example.")], RecordType::NS);
    refused(vec![publication("www.corp.example", RecordType::CNAME, &["a.example", "b.example"])], RecordType::A);
    let house = publishing(vec![sound.clone()]);
    house.says(object("other"), vec![other(RecordType::A, "192.0.2.2")]);
    assert!(house.makes("www.corp.example", RecordType::A).is_none(), "objects contradict each other");
}

#[tokio::test]
async fn a_name_with_addresses_of_one_type_has_none_of_the_other() {
    let made = |publications: Vec<Publication>, rtype| publishing(publications).makes("www.corp.example", rtype);
    let one = |rtype, target| publication("www.corp.example", rtype, &[target]);
    let (v4, text) = (one(RecordType::A, "192.0.2.1"), one(RecordType::TXT, "x"));
    for (has, asked) in [
        (vec![v4.clone()], RecordType::AAAA),
        (vec![v4.clone(), text.clone()], RecordType::AAAA),
        (vec![one(RecordType::AAAA, "2001:db8::1")], RecordType::A),
        (vec![publication("*.corp.example", RecordType::A, &["192.0.2.1"])], RecordType::AAAA),
    ] {
        let answer = made(has, asked).unwrap();
        assert!(answer.is_nodata() && records(&answer).is_empty());
        assert_eq!((answer.negative_ttl(), answer.rcode()), (None, Rcode::NOERROR));
        assert_eq!(answer.ede().unwrap().code, ede::SYNTHESIZED);
    }
    assert!(made(vec![text.clone()], RecordType::AAAA).is_none(), "no address is published");
    assert!(made(vec![one(RecordType::A, "lb.example")], RecordType::AAAA).is_none(), "it may be both");
    let house = publishing(vec![v4.clone()]);
    house.says(object("other"), vec![one(RecordType::A, "lb.example")]);
    assert!(house.makes("www.corp.example", RecordType::AAAA).is_none(), "of one of them");
    let weighted = Publication { is_plain: false, ..v4.clone() };
    assert!(made(vec![weighted], RecordType::AAAA).is_none());
    assert!(made(vec![v4.clone(), Publication { rtype: None, ..text.clone() }], RecordType::AAAA).is_none());
    let alias = one(RecordType::CNAME, "t.example");
    assert!(made(vec![v4.clone(), alias], RecordType::AAAA).is_none());
    for other in [RecordType::TXT, RecordType::MX, RecordType::CNAME, RecordType::SOA, RecordType::HTTPS] {
        assert!(made(vec![v4.clone()], other).is_none(), "{other}");
    }
}

#[tokio::test]
async fn who_asks_for_what_cannot_be_made_gets_nothing() {
    let house = publishing(vec![publication("www.corp.example", RecordType::A, &["192.0.2.1"])]);
    let asked = query("www.corp.example", RecordType::A);
    assert!(house.follow.answer(&asked).is_some());
    assert!(house.follow.answer(&Query { dnssec_ok: true, ..asked.clone() }).is_none());
    assert!(house.follow.answer(&Query { class: Class::CH, ..asked.clone() }).is_none());
    let published = std::sync::Arc::clone(&house.published);
    let off = Follow::new(published, false, &name("corp.example"), &house.context);
    assert!(off.answer(&asked).is_none(), "answer_from_watch off");
}
