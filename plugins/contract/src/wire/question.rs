//! A query as it arrives, read where it lies: the first step of every hit.

use super::edns::{self, EdnsView};
use super::message::{Malformed, Message, skip_name};
use super::types::{Class, Flags, Rcode, RecordType};

/// Octets of a message's header (RFC 1035 4.1.1).
pub const HEADER: usize = 12;

/// A well-formed query with one question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'p> {
    packet: &'p [u8],
    name_end: usize,
    /// QTYPE.
    pub rtype: RecordType,
    /// QCLASS.
    pub class: Class,
    /// EDNS, if the client speaks it.
    pub edns: Option<EdnsView>,
}

/// Why a packet is no question that can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Nothing is said: no whole header, or a response.
    Silent,
    /// The header is answered with this RCODE (and OPT where the client's was understood).
    Reply(Rcode, Option<EdnsView>),
}

impl<'p> Question<'p> {
    /// Reads a packet. Nothing is copied.
    pub fn parse(packet: &'p [u8]) -> Result<Self, Reject> {
        let refuse = |rcode| Err(Reject::Reply(rcode, opt_of(packet)));
        if packet.len() < HEADER {
            return Err(Reject::Silent);
        }
        let flags = pair(packet, 2);
        if flags & Flags::QR != 0 {
            return Err(Reject::Silent);
        }
        let plain = |rcode| Err(Reject::Reply(rcode, None));
        if flags & Flags::OPCODE != 0 {
            return refuse(Rcode::NOTIMP);
        }
        if pair(packet, 4) != 1 {
            return plain(Rcode::FORMERR);
        }
        let Some(name_end) = plain_name_end(packet) else { return plain(Rcode::FORMERR) };
        if name_end + 4 > packet.len() {
            return plain(Rcode::FORMERR);
        }
        let rtype = RecordType(pair(packet, name_end));
        let class = Class(pair(packet, name_end + 2));
        if matches!(rtype, RecordType::AXFR | RecordType::IXFR) {
            return refuse(Rcode::REFUSED); // before the sections are judged: IXFR has an authority section
        }
        let Ok(edns) = read_additional(packet, name_end + 4) else { return plain(Rcode::FORMERR) };
        if let Some(view) = edns.filter(|view| view.version > 0) {
            return Err(Reject::Reply(Rcode::BADVERS, Some(view)));
        }
        if matches!(rtype, RecordType::OPT | RecordType::TSIG | RecordType::TKEY) {
            return refuse(Rcode::FORMERR); // meta types that cannot be asked for
        }
        Ok(Self { packet, name_end, rtype, class, edns })
    }

    /// The id.
    pub fn id(&self) -> u16 {
        pair(self.packet, 0)
    }

    /// The second pair of octets, see [`Flags`].
    pub fn flags(&self) -> u16 {
        pair(self.packet, 2)
    }

    /// QNAME in wire form, in the client's spelling.
    pub fn name(&self) -> &'p [u8] {
        &self.packet[HEADER..self.name_end]
    }

    /// Name, type and class as they stand on the wire.
    pub fn section(&self) -> &'p [u8] {
        &self.packet[HEADER..self.name_end + 4]
    }

    /// DNSSEC OK.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// Checking disabled (RFC 4035 3.2.2).
    pub fn checking_disabled(&self) -> bool {
        self.flags() & Flags::CD != 0
    }

    /// The client's EDNS options in wire form, one behind the other; none without EDNS.
    pub fn options(&self) -> &'p [u8] {
        let opt = |packet| {
            let message = Message::parse(packet).ok()?;
            Some(message.rdata(&message.opt()?))
        };
        self.edns.and_then(|_| opt(self.packet)).unwrap_or_default()
    }

    /// The datagram or message as it came.
    pub fn packet(&self) -> &'p [u8] {
        self.packet
    }

    /// How many octets of packet there are.
    pub fn packet_len(&self) -> usize {
        self.packet.len()
    }
}

/// The end of QNAME at offset 12: at most 255 octets, and no pointer, since nothing stands before it to point to.
fn plain_name_end(packet: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1 + length;
        if length == 0 {
            return (at - HEADER <= 255).then_some(at);
        }
        if length > 63 || at - HEADER > 254 {
            return None;
        }
    }
}

/// The client's OPT in a message whose other sections are of no interest; `None` if it has none or cannot be read.
fn opt_of(packet: &[u8]) -> Option<EdnsView> {
    let mut at = HEADER;
    for _ in 0..pair(packet, 4) {
        at = skip_name(packet, at)? + 4;
    }
    let records = [6, 8, 10].iter().map(|&count| usize::from(pair(packet, count))).sum::<usize>();
    for _ in 0..records.min(REJECTED_RECORDS_MAX) {
        let fixed = skip_name(packet, at)?;
        let octets = packet.get(fixed..fixed + 10)?;
        let end = fixed + 10 + usize::from(pair(octets, 8));
        let rdata = packet.get(fixed + 10..end)?;
        if RecordType(pair(octets, 0)) == RecordType::OPT {
            let ttl = u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]);
            return edns::view(pair(octets, 2), ttl, rdata).ok();
        }
        at = end;
    }
    None
}

/// How far a refused message is searched for its OPT: a transfer's question has a record or two before it.
const REJECTED_RECORDS_MAX: usize = 8;

/// Walks what follows the question: no answer or authority records, at most one OPT, nothing after the last record.
fn read_additional(packet: &[u8], mut at: usize) -> Result<Option<EdnsView>, Malformed> {
    if pair(packet, 6) != 0 || pair(packet, 8) != 0 {
        return Err(Malformed::Record);
    }
    let mut edns = None;
    for _ in 0..pair(packet, 10) {
        let root = packet.get(at) == Some(&0);
        let fixed = skip_name(packet, at).ok_or(Malformed::Name)?;
        let octets = packet.get(fixed..fixed + 10).ok_or(Malformed::Record)?;
        let end = fixed + 10 + usize::from(pair(octets, 8));
        let rdata = packet.get(fixed + 10..end).ok_or(Malformed::Record)?;
        if RecordType(pair(octets, 0)) == RecordType::OPT {
            if edns.is_some() || !root {
                return Err(Malformed::Edns); // RFC 6891 6.1.1
            }
            let ttl = u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]);
            edns = Some(edns::view(pair(octets, 2), ttl, rdata)?);
        }
        at = end;
    }
    if at == packet.len() { Ok(edns) } else { Err(Malformed::Trailing) }
}

fn pair(wire: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([wire[at], wire[at + 1]])
}

/// Writes the reply to a packet that is not looked up: its header with the RCODE, the question where it can be read,
/// OPT if and only if the client's OPT was understood. Returns the length.
pub fn reject_reply(packet: &[u8], rcode: Rcode, edns: Option<EdnsView>, out: &mut [u8]) -> usize {
    let asked = pair(packet, 2);
    let kept = asked & (Flags::OPCODE | Flags::RD | Flags::CD);
    let flags = Flags::QR | Flags::RA | kept | rcode.0 & Flags::RCODE;
    out[..HEADER].fill(0);
    out[..2].copy_from_slice(&packet[..2]);
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    let mut length = HEADER;
    let question = (pair(packet, 4) == 1).then(|| plain_name_end(packet)).flatten().map(|end| end + 4);
    if let Some(end) = question.filter(|&end| end <= packet.len()) {
        out[HEADER..end].copy_from_slice(&packet[HEADER..end]);
        out[5] = 1;
        length = end;
    }
    if let Some(edns) = edns {
        let [high, low] = (crate::limits::UDP_REPLY_MAX as u16).to_be_bytes();
        let opt = [0, 0, 41, high, low, (rcode.0 >> 4) as u8, 0, u8::from(edns.dnssec_ok) << 7, 0, 0, 0];
        out[length..length + opt.len()].copy_from_slice(&opt);
        out[11] = 1;
        length += opt.len();
    }
    length
}
