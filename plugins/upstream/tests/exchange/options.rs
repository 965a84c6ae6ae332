//! EDNS options that go along with a question.

use std::sync::{Arc, Mutex};

use contract::limits::SENT_OPTIONS_MAX;
use contract::wire::{HEADER, Question, Rcode};
use contract::{Context, Options, Query};
use upstream::Protocol;

use crate::script::{ANY_PORT, context, good, query, read_frame, reply, soon, udp, upstream, write_frame};

/// NSID, empty; and a local option that holds `abcd`.
const SENT: &[u8] = b"\0\x03\0\0\xff\xee\0\x04abcd";

fn asked(context: &Context, sent: &[u8]) -> Query {
    Query { options: Options { sent: Some(sent.into()), ..Options::default() }, ..query(context, "n7.example") }
}

/// The options of a question in wire form; `None` if it has no OPT.
fn options(wire: &[u8]) -> Option<Vec<u8>> {
    let question = Question::parse(wire).unwrap();
    question.edns?;
    Some(wire[HEADER + question.section().len() + 11..].to_vec())
}

type Seen = Arc<Mutex<Vec<Option<Vec<u8>>>>>;

#[tokio::test]
async fn they_stand_in_the_opt_of_a_datagram_and_go_with_it() {
    let (context, seen) = (context(), Seen::default());
    let note = Arc::clone(&seen);
    let address = udp(move |question, _| {
        let options = options(question);
        let rcode = if options.is_some() { Rcode::FORMERR } else { Rcode::NOERROR };
        note.lock().unwrap().push(options);
        vec![reply(question, 0, rcode)]
    })
    .await;
    upstream(&context, address, Protocol::Udp).ask(&asked(&context, SENT), soon()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(SENT.to_vec()), None], "what is repeated without EDNS has none");
}

#[tokio::test]
async fn they_are_sent_up_to_their_bound() {
    let (context, seen) = (context(), Seen::default());
    let note = Arc::clone(&seen);
    let address = udp(move |question, _| {
        note.lock().unwrap().push(options(question));
        vec![good(question)]
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Udp);
    let long =
        |length: usize| [&b"\xff\xee"[..], &((length - 4) as u16).to_be_bytes(), &vec![b'x'; length - 4]].concat();
    for sent in [Vec::new(), long(SENT_OPTIONS_MAX), long(SENT_OPTIONS_MAX + 1)] {
        upstream.ask(&asked(&context, &sent), soon()).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, [Some(Vec::new()), Some(long(SENT_OPTIONS_MAX)), Some(Vec::new())]);
}

#[tokio::test]
async fn they_stand_in_the_opt_of_a_question_on_a_connection() {
    let context = context();
    let listener = tokio::net::TcpListener::bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let question = read_frame(&mut stream).await.unwrap();
        write_frame(&mut stream, &good(&question)).await;
        options(&question)
    });
    upstream(&context, address, Protocol::Tcp).ask(&asked(&context, SENT), soon()).await.unwrap();
    assert_eq!(seen.await.unwrap(), Some(SENT.to_vec()));
}
