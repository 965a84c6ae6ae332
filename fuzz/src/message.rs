//! A message from an upstream: whatever it says, an answer made of it can be written for every kind of client.

use contract::wire::Message;
use contract::{Age, Answer, Asker, Query, limits};

use crate::stage::query;

/// Takes a message as the upstream engine does, asked for what its own question section says.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    for record in message.records() {
        let record = record.expect("a parsed message has whole records");
        let _ = message.name(record.owner);
        assert!(message.rdata(&record).len() <= data.len());
    }
    let Some(name) = message.question_name() else { return };
    let header = (message.id(), message.flags());
    let query =
        Query { dnssec_ok: true, header, class: message.question_class(), ..query(name, message.question_type()) };
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
