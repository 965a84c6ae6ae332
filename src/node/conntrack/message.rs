//! Messages of the kernel's connection tracking (linux/netfilter/nfnetlink_conntrack.h), written and read without `unsafe`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Octets of the header of a netlink message, and with the family behind it.
const HEADER: usize = 16;
const HEADERS: usize = HEADER + 4;

const NETLINK_ERROR: u16 = 2;
const NETLINK_DONE: u16 = 3;
const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
/// Messages about an entry have the type of the one that makes it.
const NEW: u16 = SUBSYSTEM;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
/// The answer may be incomplete, since the table changed meanwhile.
const INTERRUPTED: u16 = 0x10;

const NESTED: u16 = 1 << 15;
const TYPE: u16 = 0x3fff;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;
/// What of the filter's tuple counts: protocol and the port of the destination.
const BY_PORT: u32 = 1 << 3 | 1 << 5;
/// Its address too. For IPv6 the kernel's own comparison is the wrong way round, and tells all but those asked for.
const BY_DESTINATION: u32 = BY_PORT | 1 << 1;

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// TCP, number 6.
    Tcp,
    /// UDP, number 17.
    Udp,
}

/// What a message of the kernel says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An entry.
    Entry(Entry),
    /// All was said; true if the table changed meanwhile.
    Done(bool),
    /// An acknowledgement (0), or an error as `errno`.
    Error(i32),
    /// Something that is not for us.
    Other,
}

/// An entry, as far as it is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its protocol's number.
    pub(super) protocol: u8,
    /// Where the first packet went.
    pub(super) destination: SocketAddr,
    /// Who answers.
    pub(super) endpoint: SocketAddr,
    /// What names it to the kernel: attributes as the kernel wrote them.
    name: Vec<u8>,
}

impl Protocol {
    /// Its number (IANA).
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// Asks for the entries to a destination. The kernel may tell more: those of before 5.8 know no such filter.
pub(super) fn dump(protocol: Protocol, to: SocketAddr, sequence: u32) -> Vec<u8> {
    let (address, filter) = match to.ip() {
        IpAddr::V4(ip) => (attribute(2, &ip.octets()), BY_DESTINATION),
        IpAddr::V6(ip) => (attribute(4, &ip.octets()), BY_PORT),
    };
    let ports =
        [attribute(PROTOCOL_NUMBER, &[protocol.number()]), attribute(DESTINATION_PORT, &to.port().to_be_bytes())];
    let tuple = [attribute(TUPLE_IP | NESTED, &address), attribute(TUPLE_PROTOCOL | NESTED, &ports.concat())];
    let flags = [attribute(1, &filter.to_ne_bytes()), attribute(2, &0_u32.to_ne_bytes())];
    let body = [attribute(TUPLE_ORIGINAL | NESTED, &tuple.concat()), attribute(FILTER | NESTED, &flags.concat())];
    message(GET, REQUEST | DUMP, family(to.ip()), sequence, &body.concat())
}

/// Asks for the removal of an entry that the kernel told. Without a name the kernel would remove all entries: an
/// [`Entry`] is never without one.
pub(super) fn removal(entry: &Entry, sequence: u32) -> Vec<u8> {
    message(DELETE, REQUEST | ACKNOWLEDGE, family(entry.destination.ip()), sequence, &entry.name)
}

/// The messages of a datagram; what is cut off ends it.
pub(super) fn read(datagram: &[u8], sequence: u32) -> Vec<Said> {
    let mut all = Vec::new();
    let mut rest = datagram;
    while let Some(header) = rest.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER) else { break };
        let ours = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) == sequence;
        all.push(if ours { one(message) } else { Said::Other });
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    all
}

fn one(message: &[u8]) -> Said {
    let kind = u16::from_ne_bytes([message[4], message[5]]);
    let flags = u16::from_ne_bytes([message[6], message[7]]);
    let code = message.get(HEADER..HEADER + 4).map(|code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
    match (kind, code) {
        (NETLINK_DONE, Some(code)) if code < 0 => Said::Error(-code),
        (NETLINK_DONE, _) => Said::Done(flags & INTERRUPTED != 0),
        (NETLINK_ERROR, Some(code)) => Said::Error(-code),
        (NEW, _) => message.get(HEADERS..).and_then(entry).map_or(Said::Other, Said::Entry),
        _ => Said::Other,
    }
}

/// An entry of TCP or UDP; others have no ports and are passed over.
fn entry(attributes: &[u8]) -> Option<Entry> {
    let (mut original, mut reply, mut name) = (None, None, Vec::new());
    for (kind, whole, content) in each(attributes) {
        match kind {
            TUPLE_ORIGINAL => original = Some(tuple(content)?),
            TUPLE_REPLY => reply = Some(tuple(content)?),
            _ => (),
        }
        if matches!(kind, TUPLE_ORIGINAL | ID | ZONE) {
            name.extend_from_slice(whole);
            name.resize(aligned(name.len()), 0);
        }
    }
    let ((protocol, _, destination), (_, endpoint, _)) = (original?, reply?);
    Some(Entry { protocol, destination, endpoint, name })
}

/// Protocol, source and destination.
fn tuple(content: &[u8]) -> Option<(u8, SocketAddr, SocketAddr)> {
    let (mut addresses, mut protocol, mut ports) = ([None; 2], None, [None; 2]);
    for (kind, _, inner) in each(content) {
        for (part, _, value) in each(inner) {
            match (kind, part) {
                (TUPLE_IP, 1..=4) => addresses[usize::from(part + 1) % 2] = address(value),
                (TUPLE_PROTOCOL, PROTOCOL_NUMBER) => protocol = value.first().copied(),
                (TUPLE_PROTOCOL, SOURCE_PORT | DESTINATION_PORT) => {
                    ports[usize::from(part - SOURCE_PORT)] = value.first_chunk().map(|port| u16::from_be_bytes(*port));
                }
                _ => (),
            }
        }
    }
    let source = SocketAddr::new(addresses[0]?, ports[0]?);
    Some((protocol?, source, SocketAddr::new(addresses[1]?, ports[1]?)))
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

/// Attributes: kind, the whole without padding, and what is in it.
fn each(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE;
        let whole = rest.get(..length)?;
        let content = whole.get(4..)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, whole, content))
    })
}

fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + content.len()).expect("attributes of ours are short");
    let mut whole = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    whole.extend_from_slice(content);
    whole.resize(aligned(whole.len()), 0);
    whole
}

fn message(kind: u16, flags: u16, family: u8, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADERS + body.len()).expect("messages of ours are short");
    let mut all = length.to_ne_bytes().to_vec();
    all.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
    all.extend([sequence.to_ne_bytes(), 0_u32.to_ne_bytes()].concat());
    all.extend([family, 0, 0, 0]); // family, version of nfnetlink, resource
    all.extend_from_slice(body);
    all
}

fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 10,
    }
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple_of(kind: u16, source: &str, destination: &str) -> Vec<u8> {
        let (source, destination): (SocketAddr, SocketAddr) = (source.parse().unwrap(), destination.parse().unwrap());
        let (SocketAddr::V4(from), SocketAddr::V4(to)) = (source, destination) else { panic!("IPv4 here") };
        let addresses = [attribute(1, &from.ip().octets()), attribute(2, &to.ip().octets())].concat();
        let ports = [
            attribute(PROTOCOL_NUMBER, &[17]),
            attribute(SOURCE_PORT, &from.port().to_be_bytes()),
            attribute(DESTINATION_PORT, &to.port().to_be_bytes()),
        ];
        let both = [attribute(TUPLE_IP | NESTED, &addresses), attribute(TUPLE_PROTOCOL | NESTED, &ports.concat())];
        attribute(kind | NESTED, &both.concat())
    }

    fn told() -> Vec<u8> {
        let body = [
            tuple_of(TUPLE_ORIGINAL, "10.0.0.1:4000", "10.96.0.10:53"),
            tuple_of(TUPLE_REPLY, "10.2.0.2:5353", "10.0.0.1:4000"),
            attribute(ID, &7_u32.to_ne_bytes()),
        ];
        message(NEW, 0, 2, 9, &body.concat())
    }

    #[test]
    fn an_entry_tells_where_it_went_and_who_answers() {
        let [Said::Entry(entry)] = &read(&told(), 9)[..] else { panic!("an entry") };
        assert_eq!((entry.protocol, entry.destination.to_string()), (17, "10.96.0.10:53".to_owned()));
        assert_eq!(entry.endpoint.to_string(), "10.2.0.2:5353");
        // what it is removed by: the tuple and the number, and nothing of the answer's direction
        let kinds: Vec<_> = each(&entry.name).map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, [TUPLE_ORIGINAL, ID]);
        assert!(removal(entry, 1).len() > HEADERS + 4);
    }

    #[test]
    fn words_to_others_are_passed_over_and_ends_are_heard() {
        assert_eq!(read(&told(), 8), [Said::Other]);
        let done = [&[20, 0, 0, 0, 3, 0, 2, 0, 9, 0, 0, 0, 0, 0, 0, 0][..], &0_i32.to_ne_bytes()].concat();
        assert_eq!(read(&done, 9), [Said::Done(false)]);
        let refused = [&[20, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0][..], &(-1_i32).to_ne_bytes()].concat();
        assert_eq!(read(&refused, 9), [Said::Error(1)]);
    }

    #[test]
    fn whatever_is_cut_off_is_no_entry() {
        let whole = told();
        for length in 0..whole.len() {
            let mut part = whole[..length].to_vec();
            if length >= 4 {
                part[..4].copy_from_slice(&u32::try_from(length).unwrap().to_ne_bytes());
            }
            let entries = read(&part, 9).into_iter().filter(|said| matches!(said, Said::Entry(_))).count();
            // the number comes last and is not needed
            assert!(entries == 0 || length >= whole.len() - 8, "{length}");
        }
    }
}
