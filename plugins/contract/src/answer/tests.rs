//! What upstream's bytes become, and what a client gets of them.

use super::*;
use crate::clock::Moment;
use crate::query::{Client, Transport};
use crate::scope::Scope;
use crate::wire::ede;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn query(text: &str, rtype: RecordType) -> Query {
    let address = "127.0.0.1:53".parse().unwrap();
    Query {
        name: name(text),
        rtype,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client { address, local: address, transport: Transport::Udp },
        edns: None,
        header: (0, 0),
        arrived: Moment(0),
        reentries: 0,
        refresh: false,
        chased: None,
        past: crate::Past::Not,
        options: crate::Options::default(),
        story: None,
    }
}

/// An upstream's reply to `www.x. A` with these records in its answer section.
fn reply(records: &[(&str, RecordType, &[u8])]) -> Vec<u8> {
    let mut composer = Composer::new(&name("www.x"), RecordType::A, Class::IN);
    for (owner, rtype, rdata) in records {
        composer.record(Section::Answer, &name(owner), *rtype, 60, |to| to.octets(rdata)).unwrap();
    }
    composer.finish().wire
}

fn asker(question: &[u8], edns: Option<bool>, limit: usize) -> Asker<'_> {
    Asker { id: 7, flags: Flags::RD, question, edns, nsid: None, way: None, limit }
}

/// The question section of an answer to `www.x. A`.
const QUESTION: &[u8] = b"\x03WWW\x01x\0\0\x01\0\x01";

#[test]
fn only_the_chain_of_the_question_is_kept() {
    let cname = RecordType::CNAME;
    let wire = reply(&[
        ("evil", RecordType::A, &[6, 6, 6, 6]),
        ("end.x", RecordType::A, &[1, 2, 3, 4]),
        ("mid.x", cname, b"\x03end\x01x\0"),
        ("www.x", cname, b"\x03mid\x01x\0"),
        ("other.x", cname, b"\x03end\x01x\0"),
        ("end.x", RecordType::AAAA, &[0; 16]),
    ]);
    let answer = Answer::from_upstream(&query("www.x", RecordType::A), &wire).unwrap();
    let message = answer.message();
    let kept: Vec<_> = message.records().flatten().map(|one| message.name(one.owner).unwrap().to_string()).collect();
    assert_eq!(kept, ["www.x.", "mid.x.", "end.x."], "in the order of the chain");
}

#[test]
fn a_loop_of_links_ends() {
    let wire = reply(&[("www.x", RecordType::CNAME, b"\x01a\0"), ("a", RecordType::CNAME, b"\x03www\x01x\0")]);
    let answer = Answer::from_upstream(&query("www.x", RecordType::A), &wire).unwrap();
    assert_eq!(answer.message().section(Section::Answer).count(), 2);
}

#[test]
fn what_answers_something_else_or_is_broken_is_refused() {
    let wire = reply(&[("www.x", RecordType::A, &[1, 2, 3, 4])]);
    let refused = |query: Query, wire: &[u8]| Answer::from_upstream(&query, wire).unwrap_err();
    assert_eq!(refused(query("www.y", RecordType::A), &wire), BadAnswer::Mismatch);
    assert_eq!(refused(query("www.x", RecordType::AAAA), &wire), BadAnswer::Mismatch);
    let mut question = wire.clone();
    question[2] &= 0x7f;
    assert_eq!(refused(query("www.x", RecordType::A), &question), BadAnswer::Mismatch);
    let broken = reply(&[("www.x", RecordType::CNAME, &[0xc0])]);
    assert_eq!(refused(query("www.x", RecordType::A), &broken), BadAnswer::Malformed(Malformed::Name));
    let mut longer = wire;
    longer.push(0);
    assert_eq!(refused(query("www.x", RecordType::A), &longer), BadAnswer::Malformed(Malformed::Trailing));
}

#[test]
fn a_client_gets_its_spelling_its_id_aged_ttls_and_no_opt_unasked() {
    let wire = reply(&[("www.x", RecordType::A, &[1, 2, 3, 4])]);
    let answer = Answer::from_upstream(&query("www.x", RecordType::A), &wire).unwrap();
    let mut out = [0; 512];
    let length = answer.write(&asker(QUESTION, None, 512), Age::Fresh(20), None, &mut out);
    let message = Message::parse(&out[..length]).unwrap();
    assert_eq!((message.id(), &out[12..12 + QUESTION.len()]), (7, QUESTION));
    assert_eq!(message.flags() & (Flags::RD | Flags::RA | Flags::QR), Flags::RD | Flags::RA | Flags::QR);
    assert_eq!(message.records().flatten().map(|record| record.ttl).collect::<Vec<_>>(), [40]);
    let length = answer.write(&asker(QUESTION, Some(false), 512), Age::Stale, None, &mut out);
    let message = Message::parse(&out[..length]).unwrap();
    assert!(message.opt().is_some());
    assert_eq!(message.section(Section::Answer).next().unwrap().ttl, limits::STALE_TTL);
}

#[test]
fn ad_is_for_those_who_ask_for_it() {
    let mut wire = reply(&[("www.x", RecordType::A, &[1, 2, 3, 4])]);
    wire[3] |= Flags::AD as u8;
    let answer = Answer::from_upstream(&query("www.x", RecordType::A), &wire).unwrap();
    let mut out = [0; 512];
    for (flags, edns, told) in
        [(0, None, 0), (Flags::AD, None, Flags::AD), (0, Some(true), Flags::AD), (0, Some(false), 0)]
    {
        let asker = Asker { flags, ..asker(QUESTION, edns, 512) };
        let length = answer.write(&asker, Age::Fresh(0), None, &mut out);
        assert_eq!(Message::parse(&out[..length]).unwrap().flags() & Flags::AD, told, "{flags:x} {edns:?}");
    }
}

#[test]
fn whatever_the_limit_a_reply_is_whole_records_and_no_larger() {
    let mut composer = Composer::new(&name("www.x"), RecordType::A, Class::IN);
    for last in 0..60 {
        composer.record(Section::Answer, &name("www.x"), RecordType::A, 60, |to| to.octets(&[10, 0, 0, last])).unwrap();
    }
    composer.record(Section::Additional, &name("ns.x"), RecordType::A, 60, |to| to.octets(&[10, 0, 1, 0])).unwrap();
    let answer = Answer::composed(composer.finish(), Rcode::NOERROR);
    let long = vec![b'n'; 255];
    let told = Ede::new(ede::OTHER, "x".repeat(400));
    let mut out = [0; 1_500];
    for limit in 300..1_232 {
        for nsid in [None, Some(&long[..])] {
            let asker = Asker { nsid, way: None, ..asker(QUESTION, Some(true), limit) };
            let length = answer.write(&asker, Age::Fresh(0), Some(&told), &mut out);
            assert!(length <= limit, "{length} of {limit}");
            let message = Message::parse(&out[..length]).expect("whole records");
            assert!(message.opt().is_some(), "OPT stays, whatever else must go");
            let answers = message.section(Section::Answer).count();
            assert_eq!(message.flags() & Flags::TC != 0, answers < 60, "additional records may go without a word");
        }
    }
}

#[test]
fn without_edns_an_rcode_above_15_is_servfail() {
    for (rcode, edns, header, upper) in [
        (Rcode(16), None, 2, None),
        (Rcode(23), None, 2, None),
        (Rcode(11), None, 11, None),
        (Rcode(16), Some(false), 0, Some(1)),
        (Rcode(23), Some(true), 7, Some(1)),
    ] {
        let answer = Answer::empty(&name("www.x"), RecordType::A, Class::IN, rcode).with_flags(Flags::AA, 0);
        let mut out = [0; 512];
        let length = answer.write(&asker(QUESTION, edns, 512), Age::Fresh(0), None, &mut out);
        let opt = HEADER + QUESTION.len();
        assert_eq!((u16::from(out[3]) & Flags::RCODE, out[..length].get(opt + 5).copied()), (header, upper), "{rcode}");
        assert_ne!(out[2] & 4, 0, "AA is not touched");
    }
}
