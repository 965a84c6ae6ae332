//! The messages of dnstap as dnstap.info's `dnstap.proto` numbers them; of them what this daemon fills in.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use contract::{Client, Forwarded, Sighting, Transport};
use prost::{Enumeration, Message as _};

/// What travels in a frame.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Dnstap {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) identity: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) version: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) extra: Option<Bytes>,
    #[prost(message, optional, tag = "14")]
    pub(crate) message: Option<Message>,
    #[prost(enumeration = "Type", required, tag = "15")]
    pub(crate) r#type: i32,
}

/// What a frame holds; there is one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Type {
    Message = 1,
}

/// A DNS message, and its way.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(enumeration = "Kind", required, tag = "1")]
    pub(crate) kind: i32,
    #[prost(enumeration = "Family", optional, tag = "2")]
    pub(crate) socket_family: Option<i32>,
    #[prost(enumeration = "Protocol", optional, tag = "3")]
    pub(crate) socket_protocol: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) query_address: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) response_address: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "6")]
    pub(crate) query_port: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) response_port: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) query_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    pub(crate) query_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "10")]
    pub(crate) query_message: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "12")]
    pub(crate) response_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    pub(crate) response_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "14")]
    pub(crate) response_message: Option<Vec<u8>>,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Kind {
    ClientQuery = 5,
    ClientResponse = 6,
    ForwarderQuery = 7,
    ForwarderResponse = 8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Family {
    Inet = 1,
    Inet6 = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Protocol {
    Udp = 1,
    Tcp = 2,
    Dot = 3,
    Doh = 4,
}

impl Message {
    /// A client's question, as it came.
    pub(crate) fn client_query(sighting: &Sighting<'_>, full: bool) -> Self {
        let message = Self::between_client_and_us(Kind::ClientQuery, sighting);
        Self { query_message: wire(sighting.query, full), ..message }
    }

    /// What the client was told.
    pub(crate) fn client_response(sighting: &Sighting<'_>, full: bool) -> Self {
        let mut message = Self::between_client_and_us(Kind::ClientResponse, sighting);
        message.responded_at(sighting.at);
        Self { response_message: wire(sighting.reply, full), ..message }
    }

    /// A message to an upstream, or from it.
    pub(crate) fn forwarder(forwarded: &Forwarded<'_>, now: SystemTime, full: bool) -> Self {
        let kind = if forwarded.answered_after.is_some() { Kind::ForwarderResponse } else { Kind::ForwarderQuery };
        let protocol = match forwarded.protocol {
            "udp" => Protocol::Udp,
            "tls" => Protocol::Dot,
            "https" => Protocol::Doh,
            _ => Protocol::Tcp,
        };
        let mut message = Self::new(kind, forwarded.upstream, protocol);
        message.asked_by(forwarded.client.address);
        message.answered_by(forwarded.upstream);
        let copy = wire(forwarded.message, full);
        match forwarded.answered_after {
            Some(took) => {
                message.asked_at(before(now, took));
                message.responded_at(now);
                message.response_message = copy;
            }
            None => {
                message.asked_at(now);
                message.query_message = copy;
            }
        }
        message
    }

    fn between_client_and_us(kind: Kind, sighting: &Sighting<'_>) -> Self {
        let Client { address, local, transport } = sighting.client;
        let protocol = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
            Transport::Tls => Protocol::Dot,
            Transport::Https => Protocol::Doh,
        };
        let mut message = Self::new(kind, address, protocol);
        message.asked_by(address);
        message.answered_by(local);
        message.asked_at(before(sighting.at, sighting.took));
        message
    }

    fn new(kind: Kind, peer: SocketAddr, protocol: Protocol) -> Self {
        let family = if peer.ip().to_canonical().is_ipv4() { Family::Inet } else { Family::Inet6 };
        Self {
            kind: kind.into(),
            socket_family: Some(family.into()),
            socket_protocol: Some(protocol.into()),
            ..Self::default()
        }
    }

    fn asked_by(&mut self, address: SocketAddr) {
        self.query_address = octets(address);
        self.query_port = Some(address.port().into());
    }

    fn answered_by(&mut self, address: SocketAddr) {
        self.response_address = octets(address);
        self.response_port = Some(address.port().into());
    }

    fn asked_at(&mut self, time: SystemTime) {
        let since = since_epoch(time);
        (self.query_time_sec, self.query_time_nsec) = (Some(since.as_secs()), Some(since.subsec_nanos()));
    }

    fn responded_at(&mut self, time: SystemTime) {
        let since = since_epoch(time);
        (self.response_time_sec, self.response_time_nsec) = (Some(since.as_secs()), Some(since.subsec_nanos()));
    }
}

impl Dnstap {
    /// As a data frame: its length (32 bits, network order), and itself.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let length = self.encoded_len();
        let mut frame = Vec::with_capacity(size_of::<u32>() + length);
        frame.extend(u32::try_from(length).expect("a DNS message has at most 64 KiB").to_be_bytes());
        self.encode(&mut frame).expect("a vector grows");
        frame
    }
}

/// An address in network order; none if it is the wildcard, which says nothing.
fn octets(address: SocketAddr) -> Option<Vec<u8>> {
    match address.ip().to_canonical() {
        ip if ip.is_unspecified() => None,
        std::net::IpAddr::V4(v4) => Some(v4.octets().to_vec()),
        std::net::IpAddr::V6(v6) => Some(v6.octets().to_vec()),
    }
}

fn wire(message: &[u8], full: bool) -> Option<Vec<u8>> {
    (full && !message.is_empty()).then(|| message.to_vec())
}

fn before(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
