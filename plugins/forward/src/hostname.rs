//! The addresses of an upstream that is given by its host name: asked for once, at the start, before there are queries.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use contract::BuildError;
use contract::wire::{Class, Flags, Message, Name, RecordType, Section};

use crate::resolv;

/// One question to one resolver.
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);
/// Datagrams that are read before one resolver is given up: junk does not hold up the start.
const DATAGRAMS_MAX: usize = 16;
/// The resolvers of the system.
const SYSTEM: &str = "/etc/resolv.conf";

/// The IPv4 and IPv6 addresses of a name, as `resolvers` (or, without any, the system's) tell them.
pub(crate) fn resolve(name: &Name, resolvers: &[SocketAddr]) -> Result<Vec<IpAddr>, BuildError> {
    let system;
    let resolvers = match resolvers {
        [] => {
            system = resolv::nameservers(Path::new(SYSTEM))?;
            &system
        }
        given => given,
    };
    let mut reason = "no resolver answered".to_owned();
    for resolver in resolvers {
        let mut found = Vec::new();
        for rtype in [RecordType::A, RecordType::AAAA] {
            match ask(name, rtype, *resolver) {
                Ok(addresses) => found.extend(addresses),
                Err(error) => reason = format!("{resolver}: {error}"),
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(BuildError::Unavailable {
        what: format!("the upstream {name}"),
        reason: format!("it has no address ({reason}); name its address instead, or another `resolver`"),
    })
}

fn ask(name: &Name, rtype: RecordType, resolver: SocketAddr) -> io::Result<Vec<IpAddr>> {
    let any = if resolver.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(resolver)?;
    socket.set_read_timeout(Some(RESOLVE_WITHIN))?;
    let id: u16 = rand::random();
    socket.send(&question(id, name, rtype))?;
    let mut buffer = [0; 4096];
    for _ in 0..DATAGRAMS_MAX {
        let length = socket.recv(&mut buffer)?;
        let Ok(message) = Message::parse(&buffer[..length]) else { continue };
        if message.id() == id && message.is_response() && message.asks(name, rtype, Class::IN) {
            return Ok(addresses(&message));
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "no reply among what it sent"))
}

fn question(id: u16, name: &Name, rtype: RecordType) -> Vec<u8> {
    let mut wire = Vec::new();
    for pair in [id, Flags::RD, 1, 0, 0, 0] {
        wire.extend_from_slice(&pair.to_be_bytes());
    }
    wire.extend_from_slice(name.as_wire());
    wire.extend_from_slice(&rtype.0.to_be_bytes());
    wire.extend_from_slice(&Class::IN.0.to_be_bytes());
    wire
}

/// The addresses in a reply, those behind a CNAME included.
fn addresses(message: &Message<'_>) -> Vec<IpAddr> {
    let address = |record| {
        let rdata = message.rdata(&record);
        match record.rtype {
            RecordType::A => <[u8; 4]>::try_from(rdata).ok().map(IpAddr::from),
            RecordType::AAAA => <[u8; 16]>::try_from(rdata).ok().map(IpAddr::from),
            _ => None,
        }
    };
    message.section(Section::Answer).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_at_the_given_resolver() {
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = resolver.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut buffer = [0; 512];
                let (length, peer) = resolver.recv_from(&mut buffer).unwrap();
                let mut reply = buffer[..length].to_vec();
                reply[2] |= 0x80;
                if reply[length - 3] == 1 {
                    reply[7] = 1;
                    reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
                }
                resolver.send_to(&[1, 2, 3], peer).unwrap();
                resolver.send_to(&reply, peer).unwrap();
            }
        });
        let name = Name::parse("dns.example").unwrap();
        assert_eq!(resolve(&name, &[address]).unwrap(), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        serving.join().unwrap();
    }

    #[test]
    fn a_resolver_that_is_not_there_is_said() {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = resolve(&Name::parse("dns.example").unwrap(), &[gone]).unwrap_err().to_string();
        assert!(error.contains("dns.example.") && error.contains("resolver"), "{error}");
    }
}
