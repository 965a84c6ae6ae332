//! A message from an upstream: whatever it says, an answer made of it can be written for every kind of client.

use std::net::{Ipv4Addr, SocketAddr};

use contract::wire::Message;
use contract::{Age, Answer, Asker, Client, Moment, Query, Scope, Transport, limits};

/// Takes a message as the upstream engine does, asked for what its own question section says.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    for record in message.records() {
        let record = record.expect("a parsed message has whole records");
        let _ = message.name(record.owner);
        assert!(message.rdata(&record).len() <= data.len());
    }
    let Some(name) = message.question_name() else { return };
    let query = Query {
        name,
        rtype: message.question_type(),
        class: message.question_class(),
        dnssec_ok: true,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 53)),
            transport: Transport::Udp,
        },
        edns: None,
        header: (message.id(), message.flags()),
        arrived: Moment(0),
        reentries: 0,
        refresh: false,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    };
    let Ok(answer) = Answer::from_upstream(&query, data) else { return };
    let (_, _, _) = (answer.is_negative(), answer.true_for(), answer.size());
    let mut question = query.name.as_wire().to_vec();
    question.extend(query.rtype.0.to_be_bytes());
    question.extend(query.class.0.to_be_bytes());
    let mut out = vec![0; limits::MESSAGE_MAX];
    for limit in [limits::UDP_PLAIN_MAX, 700, limits::UDP_REPLY_MAX, limits::MESSAGE_MAX] {
        for (edns, age) in [(None, Age::Stale), (Some(true), Age::Fresh(u32::MAX)), (Some(false), Age::Kept)] {
            let asker = Asker { id: 7, flags: 0x0130, question: &question, edns, nsid: None, way: None, limit };
            let length = answer.write(&asker, age, None, &mut out);
            assert!(length <= limit, "a reply is never larger than asked for");
            Message::parse(&out[..length]).expect("a reply is a whole message");
        }
    }
}
