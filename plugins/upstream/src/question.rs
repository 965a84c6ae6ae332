//! A question as it goes to an upstream, and the judgement whether bytes that came back are its reply.

use std::sync::Arc;
use std::time::Duration;

use contract::Query;
use contract::limits::SENT_OPTIONS_MAX;
use contract::wire::{Class, Flags, HEADER, Message, Name, Rcode, RecordType, skip_name};

use crate::tap::{Over, Tap};

/// The size of datagram that is announced, octets (DNS flag day 2020).
const UDP_SIZE: u16 = contract::limits::UDP_REPLY_MAX as u16;

/// The longest question on a stream, octets: length, header, the longest name, type and class, OPT with its options.
pub(crate) const FRAME_MAX: usize = 2 + HEADER + 255 + 4 + 11 + SENT_OPTIONS_MAX;

/// What is asked, without the id, which is chosen per attempt.
#[derive(Debug)]
pub(crate) struct Question {
    name: Name,
    rtype: RecordType,
    class: Class,
    dnssec_ok: bool,
    flags: u16,
    /// EDNS options that go along, in wire form; at most [`SENT_OPTIONS_MAX`] octets.
    options: Option<Arc<[u8]>>,
    /// Who looks on at its messages.
    tap: Option<Tap>,
    is_check: bool,
}

/// What came back for a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A whole message with this question.
    Whole(Vec<u8>),
    /// The header and question of a reply whose records were cut (TC) in the middle of one.
    Cut(Vec<u8>),
    /// A header alone: how some servers refuse what they cannot read.
    Bare(Rcode),
}

/// Why bytes are no reply to a question: the label of the counter of discarded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Malformed,
    Id,
    Question,
}

impl Question {
    /// The client's question: RD and AD set, CD and DO as the client has them.
    pub(crate) fn of(query: &Query, tap: Option<Tap>) -> Self {
        let cd = if query.checking_disabled { Flags::CD } else { 0 };
        Self {
            name: query.name.clone(),
            rtype: query.rtype,
            class: query.class,
            dnssec_ok: query.dnssec_ok,
            flags: Flags::RD | Flags::AD | cd,
            options: query.options.sent.clone().filter(|options| options.len() <= SENT_OPTIONS_MAX),
            tap,
            is_check: false,
        }
    }

    /// The question of a health check: who serves this name?
    pub(crate) fn check(name: Name, recursion: bool) -> Self {
        let flags = if recursion { Flags::RD } else { 0 };
        Self {
            name,
            rtype: RecordType::NS,
            class: Class::IN,
            dnssec_ok: false,
            flags,
            options: None,
            tap: None,
            is_check: true,
        }
    }

    /// Whether it is a check.
    pub(crate) fn is_check(&self) -> bool {
        self.is_check
    }

    /// The message, with an OPT record (RFC 6891) or without.
    pub(crate) fn wire(&self, id: u16, edns: bool) -> Vec<u8> {
        let mut wire = Vec::with_capacity(HEADER + self.name.as_wire().len() + 15);
        self.write(id, edns, &mut wire);
        wire
    }

    fn write(&self, id: u16, edns: bool, wire: &mut Vec<u8>) {
        for pair in [id, self.flags, 1, 0, 0, u16::from(edns)] {
            wire.extend_from_slice(&pair.to_be_bytes());
        }
        wire.extend_from_slice(self.name.as_wire());
        wire.extend_from_slice(&self.rtype.0.to_be_bytes());
        wire.extend_from_slice(&self.class.0.to_be_bytes());
        if edns {
            let [high, low] = UDP_SIZE.to_be_bytes();
            let dnssec_ok = if self.dnssec_ok { 0x80 } else { 0 };
            let options = self.options.as_deref().unwrap_or_default();
            let length = u16::try_from(options.len()).expect("options are bounded");
            wire.extend_from_slice(&[0, 0, 41, high, low, 0, 0, dnssec_ok, 0]);
            wire.extend_from_slice(&length.to_be_bytes());
            wire.extend_from_slice(options);
        }
    }

    /// Adds the message to others on a stream, behind the two octets of its length (RFC 1035 4.2.2).
    pub(crate) fn write_frame(&self, id: u16, edns: bool, frames: &mut Vec<u8>) {
        let begin = frames.len();
        frames.extend_from_slice(&[0; 2]);
        self.write(id, edns, frames);
        let length = u16::try_from(frames.len() - begin - 2).expect("a name, an OPT and a header are short");
        frames[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
    }

    /// Shows who looks on that it left with this id.
    pub(crate) fn show_asked(&self, over: Over, id: u16, edns: bool) {
        if let Some(tap) = &self.tap {
            tap.show(over, &self.wire(id, edns), None);
        }
    }

    /// Shows who looks on that its reply came after so long.
    pub(crate) fn show_answered(&self, over: Over, wire: &[u8], after: Duration) {
        if let Some(tap) = &self.tap {
            tap.show(over, wire, Some(after));
        }
    }

    /// Whether `wire` is the reply to this question asked with this id.
    pub(crate) fn judge(&self, id: u16, wire: &[u8]) -> Result<Reply, Foreign> {
        let header = wire.get(..HEADER).ok_or(Foreign::Malformed)?;
        let pair = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if pair(0) != id {
            return Err(Foreign::Id);
        }
        let flags = pair(2);
        if flags & Flags::QR == 0 || flags & Flags::OPCODE != 0 {
            return Err(Foreign::Malformed);
        }
        let rcode = Rcode(flags & Flags::RCODE);
        if pair(4) == 0 && wire.len() == HEADER && rcode != Rcode::NOERROR {
            return Ok(Reply::Bare(rcode));
        }
        if let Ok(message) = Message::parse(wire) {
            return if self.is_asked_by(&message) { Ok(Reply::Whole(wire.to_vec())) } else { Err(Foreign::Question) };
        }
        if flags & Flags::TC == 0 {
            return Err(Foreign::Malformed);
        }
        let head = head(wire).ok_or(Foreign::Malformed)?;
        let message = Message::parse(&head).map_err(|_| Foreign::Malformed)?;
        if self.is_asked_by(&message) { Ok(Reply::Cut(head)) } else { Err(Foreign::Question) }
    }

    fn is_asked_by(&self, message: &Message<'_>) -> bool {
        message.asks(&self.name, self.rtype, self.class)
    }
}

/// Header and question of a message, its records counted as none.
fn head(wire: &[u8]) -> Option<Vec<u8>> {
    let end = skip_name(wire, HEADER)? + 4;
    let mut head = wire.get(..end)?.to_vec();
    head[6..HEADER].fill(0);
    Some(head)
}

impl Question {
    /// DO is to be sent.
    pub(crate) fn wants_signatures(&self) -> bool {
        self.dnssec_ok
    }
}

impl Reply {
    /// Whether the upstream refused the message as it does not know EDNS (RFC 6891 7): it says so without an OPT.
    pub(crate) fn refuses_edns(&self) -> bool {
        let refuses = |rcode| matches!(rcode, Rcode::FORMERR | Rcode::NOTIMP | Rcode::BADVERS);
        match self {
            Self::Whole(wire) => {
                Message::parse(wire).is_ok_and(|message| refuses(message.rcode()) && message.opt().is_none())
            }
            Self::Cut(_) => false,
            Self::Bare(rcode) => refuses(*rcode),
        }
    }

    /// Whether it answers the question: NOERROR or NXDOMAIN.
    pub(crate) fn is_good(&self) -> bool {
        match self {
            Self::Whole(wire) | Self::Cut(wire) => {
                Message::parse(wire).is_ok_and(|message| matches!(message.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN))
            }
            Self::Bare(_) => false,
        }
    }

    /// Whether records are missing (TC).
    pub(crate) fn is_truncated(&self) -> bool {
        match self {
            Self::Whole(wire) => wire[2] & (Flags::TC >> 8) as u8 != 0,
            Self::Cut(_) => true,
            Self::Bare(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question::check(Name::parse("www.example").unwrap(), true)
    }

    fn reply(id: u16, flags: u16) -> Vec<u8> {
        let mut wire = question().wire(id, false);
        wire[2..4].copy_from_slice(&(Flags::QR | flags).to_be_bytes());
        wire
    }

    #[test]
    fn a_question_reads_back_as_the_client_meant_it() {
        let wire = question().wire(7, true);
        let read = contract::wire::Question::parse(&wire).unwrap();
        assert_eq!((read.id(), read.flags(), read.rtype), (7, Flags::RD, RecordType::NS));
        assert_eq!(read.edns.map(|edns| (edns.udp_size, edns.dnssec_ok)), Some((1232, false)));
        let signed = Question { dnssec_ok: true, ..question() };
        assert!(contract::wire::Question::parse(&signed.wire(7, true)).unwrap().dnssec_ok());
        let mut frames = b"before".to_vec();
        question().write_frame(7, false, &mut frames);
        assert_eq!(frames[..6 + 2], *b"before\x00\x1d");
        assert_eq!(frames[6 + 2..], question().wire(7, false));
    }

    #[test]
    fn only_its_own_reply_is_taken() {
        let question = question();
        assert!(matches!(question.judge(7, &reply(7, 0)), Ok(Reply::Whole(_))));
        assert_eq!(question.judge(8, &reply(7, 0)), Err(Foreign::Id));
        assert_eq!(question.judge(7, &question.wire(7, false)), Err(Foreign::Malformed), "a query is no reply");
        assert_eq!(question.judge(7, &reply(7, 0)[..20]), Err(Foreign::Malformed));
        let mut other = reply(7, 0);
        other[13] = b'x';
        assert_eq!(question.judge(7, &other), Err(Foreign::Question));
        assert_eq!(question.judge(7, &[0, 7]), Err(Foreign::Malformed));
    }

    #[test]
    fn a_reply_cut_inside_a_record_still_says_that_it_is_cut() {
        let mut cut = reply(7, Flags::TC);
        cut[7] = 1;
        cut.extend_from_slice(&[0xc0, 12, 0]);
        let taken = question().judge(7, &cut).unwrap();
        assert!(taken.is_truncated() && matches!(taken, Reply::Cut(_)));
    }

    #[test]
    fn a_header_alone_refuses() {
        let bare = [0, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let taken = question().judge(7, &bare).unwrap();
        assert_eq!(taken, Reply::Bare(Rcode::FORMERR));
        assert!(taken.refuses_edns());
        assert!(question().judge(7, &reply(7, Rcode::FORMERR.0)).unwrap().refuses_edns());
        assert!(!question().judge(7, &reply(7, Rcode::SERVFAIL.0)).unwrap().refuses_edns());
    }
}
