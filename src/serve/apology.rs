//! What a client is told whose question panicked on its way: SERVFAIL, at once, rather than nothing until it gives up.

use contract::wire::{Flags, HEADER, Rcode, reject_reply};

/// A header and the longest question: a name of 255 octets, QTYPE, QCLASS.
const ROOM: usize = HEADER + 255 + 4;

/// Writes SERVFAIL; `None` where nothing may be said: there is no whole header, or it is a response.
pub(super) fn write(packet: &[u8], out: &mut [u8]) -> Option<usize> {
    let is_query = packet.len() >= HEADER && u16::from_be_bytes([packet[2], packet[3]]) & Flags::QR == 0;
    is_query.then(|| reject_reply(packet, Rcode::SERVFAIL, None, out))
}

/// The same, kept while a miss is under way, since its packet is not.
pub(super) fn kept(packet: &[u8]) -> Option<Box<[u8]>> {
    let mut out = [0; ROOM];
    write(packet, &mut out).map(|length| out[..length].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_question_fits_and_what_is_no_query_gets_nothing() {
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in [63, 63, 63, 61] {
            query.push(label);
            query.extend(vec![b'x'; usize::from(label)]);
        }
        query.extend([0, 0, 28, 0, 1]);
        assert_eq!(query.len(), ROOM);
        let question = query[HEADER..].to_vec();
        query.extend(b"and what follows");
        let reply = kept(&query).unwrap();
        assert_eq!(reply[..HEADER], [0x12, 0x34, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reply[HEADER..], question[..]);
        assert_eq!(kept(&query[..HEADER - 1]), None);
        query[2] |= 0x80;
        assert_eq!(kept(&query), None);
    }
}
