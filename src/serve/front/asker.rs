//! Who asks, as whoever writes a reply sees it, and what it is told of a failure.

use contract::limits::{MESSAGE_MAX, UDP_PLAIN_MAX};
use contract::wire::{Class, EdnsView, Name, Question, RecordType};
use contract::{Age, Answer, Asker, Client, Failure, Transport};

/// OPT with the longest EDE text.
pub(super) const OPT_MAX: usize = 512;

/// True if the client wants to know who answers, and how.
#[inline]
pub(super) fn asks_why(question: &Question<'_>) -> bool {
    question.edns.is_some_and(|edns| edns.nsid)
}

/// The largest reply for a client: its own size within the server's bound over UDP, any over streams.
#[inline]
pub(super) fn reply_limit(edns: Option<EdnsView>, transport: Transport, udp_reply_max: usize) -> usize {
    match (transport, edns) {
        (Transport::Udp, None) => UDP_PLAIN_MAX,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_size).max(UDP_PLAIN_MAX).min(udp_reply_max),
        (Transport::Tcp | Transport::Tls | Transport::Https, _) => MESSAGE_MAX,
    }
}

/// What the writer of a reply needs of a question and its client. `node_name` is told to whoever asks for it.
#[inline]
pub(super) fn asker<'p>(
    question: &Question<'p>,
    client: &Client,
    udp_reply_max: usize,
    node_name: Option<&'p [u8]>,
) -> Asker<'p> {
    Asker {
        id: question.id(),
        flags: question.flags(),
        question: question.section(),
        edns: question.edns.map(|edns| edns.dnssec_ok),
        nsid: node_name.filter(|_| asks_why(question)),
        way: None,
        limit: reply_limit(question.edns, client.transport, udp_reply_max),
    }
}

/// Writes what a client is told of a failure.
pub(super) fn tell(failure: &Failure, asker: &Asker<'_>, name: &[u8], out: &mut [u8]) -> usize {
    let (rcode, ede) = failure.told();
    let name = Name::from_wire(name).expect("the question was parsed");
    let rtype = &asker.question[asker.question.len() - 4..];
    let rtype = RecordType(u16::from_be_bytes([rtype[0], rtype[1]]));
    Answer::empty(&name, rtype, Class::IN, rcode).write(asker, Age::Fresh(0), Some(&ede), out)
}
