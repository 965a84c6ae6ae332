//! A packet from a client: what is read of it lies inside, and what is said to it is a whole message of allowed size.

use contract::wire::{HEADER, Message, Name, Question, Rcode, RecordType, Reject, reject_reply};
use contract::{Age, Answer, Asker, limits};

/// Takes a packet as the front door does.
pub fn packet(data: &[u8]) {
    let mut out = vec![0; limits::MESSAGE_MAX];
    match Question::parse(data) {
        Ok(question) => hit(&question, &mut out),
        Err(Reject::Silent) => assert!(data.len() < HEADER || data[2] & 0x80 != 0, "silence only by its two rules"),
        Err(Reject::Reply(rcode, edns)) => {
            let length = reject_reply(data, rcode, edns, &mut out);
            assert!(length <= limits::UDP_PLAIN_MAX, "a refusal fits the smallest client");
            assert_eq!(out[..2], data[..2], "the id comes back");
            assert_eq!(out[2] & 0x80, 0x80, "QR");
            if out[5] == 1 {
                let message = Message::parse(&out[..length]).expect("a refusal is a whole message");
                assert_eq!(message.rcode(), rcode);
                assert_eq!(message.opt().is_some(), edns.is_some());
            }
        }
    }
}

/// The way of a hit: the name in lower case, an answer written for the asker.
fn hit(question: &Question<'_>, out: &mut [u8]) {
    let name = Name::from_wire(question.name()).expect("a question's name is a name");
    assert_eq!(name.to_string().parse::<Name>().as_ref(), Ok(&name), "a name survives its text form");
    assert!(!matches!(question.rtype, RecordType::AXFR | RecordType::IXFR | RecordType::OPT));
    let answer = Answer::empty(&name, question.rtype, question.class, Rcode::NXDOMAIN);
    let size = question.edns.map_or(limits::UDP_PLAIN_MAX, |edns| usize::from(edns.udp_size));
    let asker = Asker {
        id: question.id(),
        flags: question.flags(),
        question: question.section(),
        edns: question.edns.map(|edns| edns.dnssec_ok),
        nsid: question.edns.filter(|edns| edns.nsid).map(|_| &b"node"[..]),
        way: None,
        limit: size.clamp(limits::UDP_PLAIN_MAX, limits::UDP_REPLY_MAX),
    };
    let length = answer.write(&asker, Age::Fresh(1), None, out);
    assert!(length <= asker.limit, "a reply is never larger than asked for");
    let message = Message::parse(&out[..length]).expect("a reply is a whole message");
    assert_eq!(message.id(), question.id());
    assert!(message.asks(&name, question.rtype, question.class));
    assert_eq!(message.opt().is_some(), question.edns.is_some(), "OPT if and only if the client sent one");
}
