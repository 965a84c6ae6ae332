//! One question to one server, by UDP or by TCP, as a stub would ask it: for what a resolver would hide, such as sizes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};
use nix::sys::socket::{getsockopt, sockopt};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// One try.
const TRY_WITHIN: Duration = Duration::from_secs(1);
/// Datagrams may be lost: so often is a question sent.
const TRIES: usize = 2;
/// A whole exchange by TCP.
const STREAM_WITHIN: Duration = Duration::from_secs(2);
/// The option of an Extended DNS Error (RFC 8914).
const EDE: u16 = 15;

/// Over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Udp,
    Tcp,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) message: Message,
    /// Octets.
    pub(super) size: usize,
    /// The path MTU that the kernel knows by then, of IPv4 by UDP.
    pub(super) mtu: Option<u32>,
}

impl Reply {
    pub(super) fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The data of the answer's records of a type, sorted.
    pub(super) fn records(&self, rtype: RecordType) -> Vec<String> {
        let asked = self.message.answers.iter().filter(|record| record.record_type() == rtype);
        let mut records: Vec<String> = asked.map(|record| record.data.to_string().to_lowercase()).collect();
        records.sort();
        records
    }

    /// The first text of the answer.
    pub(super) fn text(&self) -> Option<String> {
        self.message.answers.iter().find_map(|record| match &record.data {
            RData::TXT(text) => Some(text.to_string()),
            _ => None,
        })
    }

    /// The codes of its Extended DNS Errors.
    pub(super) fn errors(&self) -> Vec<u16> {
        let options = self.message.edns.iter().flat_map(|edns| edns.options().as_ref());
        let code = |(_, option): &(_, hickory_resolver::proto::rr::rdata::opt::EdnsOption)| match option {
            hickory_resolver::proto::rr::rdata::opt::EdnsOption::Unknown(EDE, octets) => {
                octets.first_chunk().map(|code| u16::from_be_bytes(*code))
            }
            _ => None,
        };
        options.filter_map(code).collect()
    }
}

/// A question with room for a reply of so many octets, DNSSEC's records with it if `large`.
pub(super) fn question(name: &str, rtype: RecordType, room: u16, large: bool) -> Result<Message, String> {
    let name = Name::from_ascii(name).map_err(|error| format!("{name}: {error}"))?;
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, rtype));
    let mut edns = Edns::new();
    edns.set_max_payload(room).set_version(0);
    edns.set_dnssec_ok(large);
    message.set_edns(edns);
    Ok(message)
}

/// A question to the server about itself (RFC 4892).
pub(super) fn chaos(name: &str) -> Message {
    let mut message = Message::query();
    let mut query = Query::query(Name::from_ascii(name).expect("letters and dots"), RecordType::TXT);
    query.set_query_class(DNSClass::CH);
    message.add_query(query);
    message
}

/// Asks. An error says what became of the question.
pub(super) async fn ask(message: &Message, server: SocketAddr, over: Over) -> Result<Reply, String> {
    let wire = message.to_vec().map_err(|error| error.to_string())?;
    match over {
        Over::Udp => by_datagram(message.metadata.id, &wire, server).await,
        Over::Tcp => match timeout(STREAM_WITHIN, by_stream(&wire, server)).await {
            Ok(reply) => reply,
            Err(_) => Err(format!("no reply by TCP within {} s", STREAM_WITHIN.as_secs())),
        },
    }
}

async fn by_datagram(id: u16, wire: &[u8], server: SocketAddr) -> Result<Reply, String> {
    let own: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0)).await.map_err(|error| error.to_string())?;
    socket.connect(server).await.map_err(|error| error.to_string())?;
    let mut refused = None;
    for _ in 0..TRIES {
        // an error of the last try is told here, and this one is sent all the same
        if let Err(error) = socket.send(wire).await {
            refused = Some(error.to_string());
            continue;
        }
        match timeout(TRY_WITHIN, matching(&socket, id)).await {
            Ok(Ok((message, size))) => {
                let mtu = getsockopt(&socket, sockopt::IpMtu).ok().and_then(|mtu| u32::try_from(mtu).ok());
                return Ok(Reply { message, size, mtu: mtu.filter(|_| server.is_ipv4()) });
            }
            Ok(Err(error)) => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| format!("no reply by UDP within {} s", TRY_WITHIN.as_secs() * TRIES as u64)))
}

/// The reply to a question; anything else is passed over.
async fn matching(socket: &UdpSocket, id: u16) -> Result<(Message, usize), String> {
    let mut octets = vec![0; usize::from(u16::MAX)];
    loop {
        let size = socket.recv(&mut octets).await.map_err(|error| error.to_string())?;
        match Message::from_vec(&octets[..size]) {
            Ok(message) if message.metadata.id == id => return Ok((message, size)),
            _ => {}
        }
    }
}

async fn by_stream(wire: &[u8], server: SocketAddr) -> Result<Reply, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(server).await.map_err(said)?;
    let length = u16::try_from(wire.len()).map_err(|_| "a question that is too long".to_owned())?;
    stream.write_all(&[&length.to_be_bytes(), wire].concat()).await.map_err(said)?;
    let size = usize::from(stream.read_u16().await.map_err(said)?);
    let mut octets = vec![0; size];
    stream.read_exact(&mut octets).await.map_err(said)?;
    let message = Message::from_vec(&octets).map_err(|error| error.to_string())?;
    Ok(Reply { message, size, mtu: None })
}
