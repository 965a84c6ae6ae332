//! A query and its reply as octets, on their way from whoever answers to whoever looks on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, SystemTime};

use contract::wire::{Class, NAME_MAX, Rcode, RecordType};
use contract::{Client, Moment, Sighting, Transport, Way};

/// Octets before the name.
const FIXED: usize = 82;
/// The longest head: what is fixed, and the name.
const HEAD_MAX: usize = FIXED + NAME_MAX;

/// What is shown of a query, and to the witnesses of which block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record<'r> {
    pub(super) moment: Moment,
    pub(super) took: Duration,
    pub(super) client: Client,
    pub(super) name: &'r [u8],
    pub(super) question: (RecordType, Class),
    pub(super) rcode: Rcode,
    pub(super) way: Way,
    pub(super) query: &'r [u8],
    pub(super) reply: &'r [u8],
    pub(super) weight: u32,
    /// The number of the block's witnesses; 0 if it has none.
    pub(super) block: u32,
}

/// A record's octets up to the messages.
pub(super) struct Head {
    octets: [u8; HEAD_MAX],
    length: usize,
}

impl Head {
    fn put(&mut self, octets: &[u8]) {
        self.octets[self.length..self.length + octets.len()].copy_from_slice(octets);
        self.length += octets.len();
    }

    fn put_address(&mut self, address: SocketAddr) {
        self.put(&address.port().to_be_bytes());
        let (scope, octets) = match address {
            SocketAddr::V4(v4) => (0, v4.ip().to_ipv6_mapped().octets()),
            SocketAddr::V6(v6) => (v6.scope_id(), v6.ip().octets()),
        };
        self.put(&scope.to_be_bytes());
        self.put(&octets);
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

impl<'r> Record<'r> {
    /// Octets of the whole.
    pub(super) fn length(&self) -> usize {
        FIXED + self.name.len() + self.query.len() + self.reply.len()
    }

    /// All but the messages, which follow: query, reply.
    pub(super) fn head(&self) -> Head {
        let mut head = Head { octets: [0; HEAD_MAX], length: 0 };
        let number = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let is_v4 = |address: SocketAddr| u8::from(address.is_ipv4());
        let took = u32::try_from(self.took.as_micros()).unwrap_or(u32::MAX);
        head.put(&u32::try_from(self.length()).unwrap_or(u32::MAX).to_be_bytes());
        head.put(&self.weight.to_be_bytes());
        head.put(&self.block.to_be_bytes());
        head.put(&self.moment.0.to_be_bytes());
        head.put(&took.to_be_bytes());
        let families = is_v4(self.client.address) | is_v4(self.client.local) << 1;
        head.put(&[self.way as u8, self.client.transport as u8, self.name.len() as u8, families]);
        head.put(&self.rcode.0.to_be_bytes());
        head.put(&self.question.0.0.to_be_bytes());
        head.put(&self.question.1.0.to_be_bytes());
        head.put(&number(self.query.len()));
        head.put(&number(self.reply.len()));
        head.put_address(self.client.address);
        head.put_address(self.client.local);
        debug_assert_eq!(head.length, FIXED);
        head.put(self.name);
        head
    }

    /// The whole in a piece of memory of its own.
    pub(super) fn owned(&self) -> Box<[u8]> {
        [self.head().octets(), self.query, self.reply].concat().into()
    }

    /// What the octets of a record say; `None` if they are none.
    pub(super) fn read(octets: &'r [u8]) -> Option<Self> {
        let mut rest = Rest(octets);
        rest.u32()?; // the length
        let (weight, block) = (rest.u32()?, rest.u32()?);
        let moment = Moment(u64::from_be_bytes(rest.array()?));
        let took = Duration::from_micros(rest.u32()?.into());
        let [way, transport, name, families] = rest.array()?;
        let (rcode, rtype, class) = (Rcode(rest.u16()?), RecordType(rest.u16()?), Class(rest.u16()?));
        let (query, reply) = (rest.u16()?, rest.u16()?);
        let address = rest.address(families & 1 != 0)?;
        let local = rest.address(families & 2 != 0)?;
        let transports = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https];
        let transport = transports.into_iter().find(|one| *one as u8 == transport)?;
        Some(Self {
            moment,
            took,
            client: Client { address, local, transport },
            name: rest.take(name.into())?,
            question: (rtype, class),
            rcode,
            way: *Way::ALL.get(usize::from(way))?,
            query: rest.take(query.into())?,
            reply: rest.take(reply.into())?,
            weight,
            block,
        })
    }

    /// As it is shown.
    pub(super) fn sighting(&self, at: SystemTime) -> Sighting<'r> {
        let Self { took, client, name, question, rcode, way, query, reply, weight, .. } = *self;
        Sighting { at, took, client, name, question, rcode, way, query, reply, weight }
    }
}

/// Octets that are not read yet.
struct Rest<'r>(&'r [u8]);

impl<'r> Rest<'r> {
    fn take(&mut self, count: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn address(&mut self, is_v4: bool) -> Option<SocketAddr> {
        let (port, scope) = (self.u16()?, self.u32()?);
        let ip = Ipv6Addr::from(self.array::<16>()?);
        Some(match ip.to_ipv4_mapped().filter(|_| is_v4) {
            Some(v4) => SocketAddr::new(IpAddr::V4(Ipv4Addr::from(v4.octets())), port),
            None => SocketAddrV6::new(ip, port, 0, scope).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        for (address, local) in
            [("192.0.2.1:53124", "127.0.0.1:53"), ("[fe80::1%7]:4000", "[::1]:53"), ("[::ffff:192.0.2.1]:9", "[::]:53")]
        {
            for way in Way::ALL {
                let record = Record {
                    moment: Moment(1_234_567_890_123),
                    took: Duration::from_micros(4_321),
                    client: Client {
                        address: address.parse().unwrap(),
                        local: local.parse().unwrap(),
                        transport: Transport::Https,
                    },
                    name: b"\x03www\x07example\0",
                    question: (RecordType::SRV, Class::IN),
                    rcode: Rcode::NXDOMAIN,
                    way,
                    query: &[7; 300],
                    reply: &[9; 1_232],
                    weight: 77,
                    block: 3,
                };
                let octets = record.owned();
                assert_eq!(octets.len(), record.length());
                assert_eq!(octets[..4], u32::try_from(octets.len()).unwrap().to_be_bytes());
                assert_eq!(Record::read(&octets), Some(record));
                assert_eq!(Record::read(&octets[..octets.len() - 1]), None, "cut short");
            }
        }
    }
}
