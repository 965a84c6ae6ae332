//! The header of the PROXY protocol, a line in version 1, binary in version 2, as HAProxy's text of the protocol has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use contract::limits::PROXY_REST_MAX;

/// How a header of version 1 begins.
const LINE: &[u8] = b"PROXY";
/// The longest line, its end included.
const LINE_MAX: usize = 107;
/// How a header of version 2 begins.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The part of version 2 that is always there: the beginning, command, family, length.
const FIXED: usize = 16;
/// Octets of the addresses of both ends with their ports.
const ADDRESSES_V4: usize = 12;
const ADDRESSES_V6: usize = 36;
const ADDRESSES_UNIX: usize = 216;

/// What stands at the beginning of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No header.
    Nothing,
    /// What may become a header, and is not whole.
    Part,
    /// A header.
    Header(Header),
}

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its octets; the message begins behind.
    pub length: usize,
    /// Whom it tells of; `None` if the proxy speaks for itself (LOCAL, UNKNOWN), or of a socket that has no IP address.
    pub told: Option<Told>,
    /// True if it is about datagrams: version 2, for UDP.
    pub is_of_datagram: bool,
    /// True if the proxy speaks for itself.
    pub is_local: bool,
    /// True if it is a line.
    pub is_line: bool,
}

/// The connection as the proxy has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The client.
    pub source: SocketAddr,
    /// Whom it asked.
    pub destination: SocketAddr,
}

/// What begins as a header and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A line of version 1 that does not end.
    #[error("a line of more than {LINE_MAX} octets")]
    LongLine,
    /// A line of version 1 that does not read as one.
    #[error("a line that is not of the protocol's form")]
    Line,
    /// Neither LOCAL nor PROXY, or not version 2.
    #[error("a command or a version that is not known")]
    Command,
    /// A family or transport that the protocol does not have.
    #[error("a family or a transport that is not known")]
    Family,
    /// Longer than is read, or shorter than the addresses of its family.
    #[error("a length that cannot be")]
    Length,
    /// A datagram that ends within its header.
    #[error("a datagram that ends within the header")]
    Cut,
    /// A header that is not about datagrams, in one.
    #[error("a header in a datagram that is not about datagrams")]
    NotOfDatagram,
    /// From somebody who may send none.
    #[error("a header from somebody who may send none")]
    Unwanted,
}

/// Reads the header at the beginning of what has come so far. It says as soon as it is clear that there is none.
pub fn read_header(octets: &[u8]) -> Result<Seen, Wrong> {
    if begins(octets, LINE) {
        return read_line(octets);
    }
    if begins(octets, BINARY) {
        return read_binary(octets);
    }
    Ok(Seen::Nothing)
}

/// True if octets can be, or become, something that begins so.
fn begins(octets: &[u8], with: &[u8]) -> bool {
    let common = octets.len().min(with.len());
    octets[..common] == with[..common]
}

/// True if it cannot be anything but a header, whole or not.
pub(crate) fn is_signed(octets: &[u8]) -> bool {
    octets.starts_with(LINE) || octets.starts_with(BINARY)
}

fn read_line(octets: &[u8]) -> Result<Seen, Wrong> {
    let within = &octets[..octets.len().min(LINE_MAX)];
    let Some(end) = within.iter().position(|&octet| octet == b'\n') else {
        return if within.len() == LINE_MAX { Err(Wrong::LongLine) } else { Ok(Seen::Part) };
    };
    let line = within[..end].strip_suffix(b"\r").ok_or(Wrong::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| Wrong::Line)?;
    let words: Vec<&str> = line.split(' ').collect();
    let told = match words[..] {
        // whatever stands behind is to be passed over
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] => Some(Told {
            source: SocketAddr::new(ip(family, source)?, port(source_port)?),
            destination: SocketAddr::new(ip(family, destination)?, port(destination_port)?),
        }),
        _ => return Err(Wrong::Line),
    };
    let is_local = told.is_none();
    Ok(Seen::Header(Header { length: end + 1, told, is_of_datagram: false, is_local, is_line: true }))
}

fn ip(family: &str, text: &str) -> Result<IpAddr, Wrong> {
    let ip = match family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4),
        _ => text.parse::<Ipv6Addr>().map(|ip| IpAddr::V6(ip).to_canonical()),
    };
    ip.map_err(|_| Wrong::Line)
}

/// A port without sign and leading zeros.
fn port(text: &str) -> Result<u16, Wrong> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or(Wrong::Line)
}

fn read_binary(octets: &[u8]) -> Result<Seen, Wrong> {
    let is_local = match octets.get(BINARY.len()) {
        None => return Ok(Seen::Part),
        Some(0x20) => true,
        Some(0x21) => false,
        Some(_) => return Err(Wrong::Command),
    };
    // of what the addresses are, and how many octets they take
    let (is_of_datagram, addresses) = match octets.get(BINARY.len() + 1) {
        None => return Ok(Seen::Part),
        Some(0x00) if is_local => (false, 0),
        Some(family @ (0x11 | 0x12)) => (*family == 0x12, ADDRESSES_V4),
        Some(family @ (0x21 | 0x22)) => (*family == 0x22, ADDRESSES_V6),
        Some(0x31 | 0x32) => (false, ADDRESSES_UNIX),
        Some(_) => return Err(Wrong::Family),
    };
    let Some(length) = octets.get(FIXED - 2..FIXED) else { return Ok(Seen::Part) };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length > PROXY_REST_MAX || (length < addresses && !is_local) {
        return Err(Wrong::Length);
    }
    let Some(rest) = octets.get(FIXED..FIXED + length) else { return Ok(Seen::Part) };
    let told = if is_local { None } else { ends(&rest[..addresses]) };
    Ok(Seen::Header(Header { length: FIXED + length, told, is_of_datagram, is_local, is_line: false }))
}

/// The two ends out of a block of addresses; `None` if they have no IP addresses.
fn ends(block: &[u8]) -> Option<Told> {
    let (source, destination, ports) = match *block {
        [a, b, c, d, e, f, g, h, ref ports @ ..] if block.len() == ADDRESSES_V4 => {
            (IpAddr::from([a, b, c, d]), IpAddr::from([e, f, g, h]), ports)
        }
        _ if block.len() == ADDRESSES_V6 => {
            let (source, rest) = block.split_first_chunk::<16>()?;
            let (destination, ports) = rest.split_first_chunk::<16>()?;
            (IpAddr::from(*source).to_canonical(), IpAddr::from(*destination).to_canonical(), ports)
        }
        _ => return None,
    };
    let &[a, b, c, d] = ports else { return None };
    Some(Told {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
    })
}

#[cfg(test)]
mod tests;
