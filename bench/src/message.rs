//! As much of the wire format (RFC 1035 4.1) as loads need: a question for an address, and what a reply says.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Octets of a header.
const HEADER: usize = 12;

/// A question for the A records of `name`, RD set, without EDNS.
pub(crate) fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend(id.to_be_bytes());
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        message.push(u8::try_from(label.len()).expect("labels of ours are short"));
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// What counts of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) id: u16,
    pub(crate) rcode: u8,
    pub(crate) answers: u16,
    /// The TTL of the last answer, if that is an A record.
    pub(crate) ttl: Option<u32>,
}

impl Reply {
    /// Reads a reply; `None` if it is none.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        let flags = word(2)?;
        (flags & 0x8000 != 0 && message.len() >= HEADER).then_some(())?;
        let answers = word(6)?;
        // Without authority and additional records the last A record ends the message: TTL, length 4, address.
        let bare = answers > 0 && word(8)? == 0 && word(10)? == 0 && message.len() > HEADER + 10;
        let tail = message.len().saturating_sub(10);
        let ttl = (bare && word(tail + 4)? == 4)
            .then(|| u32::from_be_bytes([message[tail], message[tail + 1], message[tail + 2], message[tail + 3]]));
        Some(Self { id: word(0)?, rcode: u8::try_from(flags & 15).ok()?, answers, ttl })
    }

    /// An error unless it is NOERROR.
    pub(crate) fn expect_noerror(self) -> Result<Self> {
        ensure!(self.rcode == 0, "a wrong answer: RCODE {}", self.rcode);
        Ok(self)
    }
}

/// A client with one socket, one question at a time.
#[derive(Debug)]
pub(crate) struct Client {
    socket: UdpSocket,
    next_id: u16,
}

impl Client {
    /// A client at `from` of the server at 127.0.0.1:`port`.
    pub(crate) fn new(from: Ipv4Addr, port: u16, patience: Duration) -> Result<Self> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(patience))?;
        Ok(Self { socket, next_id: 1 })
    }

    /// Asks and waits for the reply.
    pub(crate) fn ask(&mut self, name: &str) -> Result<Reply> {
        self.next_id = self.next_id.wrapping_add(1);
        let mut buffer = [0; 4_096];
        self.socket.send(&question(self.next_id, name))?;
        for _ in 0..64 {
            let length = self.socket.recv(&mut buffer).with_context(|| format!("no answer for {name}"))?;
            match Reply::parse(&buffer[..length]) {
                Some(reply) if reply.id == self.next_id => return Ok(reply),
                _ => {}
            }
        }
        bail!("only replies to other questions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply to `question` with one A record.
    fn reply(question: &[u8], rcode: u8, ttl: u32) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] |= 0x80;
        message[3] |= rcode;
        message[7] = 1;
        message.extend([0xc0, 12, 0, 1, 0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend([0, 4, 192, 0, 2, 1]);
        message
    }

    #[test]
    fn a_question_has_its_name_in_labels() {
        let message = question(0x1234, "ab.c.");
        assert_eq!(message[..4], [0x12, 0x34, 1, 0]);
        assert_eq!(message[12..], [2, b'a', b'b', 1, b'c', 0, 0, 1, 0, 1]);
    }

    #[test]
    fn a_reply_tells_its_code_and_ttl() {
        let asked = question(7, "host.example");
        let expected = Reply { id: 7, rcode: 0, answers: 1, ttl: Some(3_599) };
        assert_eq!(Reply::parse(&reply(&asked, 0, 3_599)), Some(expected));
        assert_eq!(Reply::parse(&asked), None, "a question is no reply");
        assert!(Reply::parse(&reply(&asked, 3, 1)).unwrap().expect_noerror().is_err());
        assert_eq!(Reply::parse(&[0; 5]), None);
    }
}
