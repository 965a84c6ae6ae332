//! One question to both servers at the same time, from the same address, and what each said.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nearpath_tests::{Reply, Tcp};

use super::fragment::Transport;

/// What the one and the other said: CoreDNS's first.
pub(crate) type Both = [Said; 2];

/// What a server said.
#[derive(Debug)]
pub(crate) enum Said {
    /// A whole message, and the port that it was asked from.
    Reply(Box<Reply>, u16),
    /// Octets that are none.
    Broken(String),
    /// Nothing in time, or the connection was closed.
    Nothing,
}

impl Said {
    fn read(octets: &[u8], port: u16) -> Self {
        match Reply::read(octets) {
            Ok(reply) => Self::Reply(Box::new(reply), port),
            Err(error) => Self::Broken(format!("{error}: {octets:02x?}")),
        }
    }
}

/// Asks all and waits for all.
pub(crate) fn exchange<const N: usize>(
    wire: &[u8],
    transport: Transport,
    from: IpAddr,
    servers: [SocketAddr; N],
    patience: Duration,
) -> [Said; N] {
    match transport {
        Transport::Udp => datagrams(wire, from, servers, patience),
        Transport::Tcp => connections(wire, from, servers, patience),
    }
}

/// One socket for all, so that all see the same port.
fn datagrams<const N: usize>(wire: &[u8], from: IpAddr, servers: [SocketAddr; N], patience: Duration) -> [Said; N] {
    let socket = UdpSocket::bind((from, 0)).expect("a loopback address can be bound");
    let port = socket.local_addr().expect("it is bound").port();
    let deadline = Instant::now() + patience;
    for server in servers {
        socket.send_to(wire, server).expect("loopback takes a datagram");
    }
    let (mut both, mut buffer) = ([const { Said::Nothing }; N], vec![0; 65_535]);
    while both.iter().any(|said| matches!(said, Said::Nothing)) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left)).expect("a wait above zero");
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                let index = servers.iter().position(|server| *server == source);
                // the first one counts: CoreDNS says twice what a plugin both writes and returns
                if let Some(index) = index.filter(|index| matches!(both[*index], Said::Nothing)) {
                    both[index] = Said::read(&buffer[..length], port);
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(_) => break,
        }
    }
    both
}

fn connections<const N: usize>(wire: &[u8], from: IpAddr, servers: [SocketAddr; N], patience: Duration) -> [Said; N] {
    let deadline = Instant::now() + patience;
    let framed = [&(wire.len() as u16).to_be_bytes(), wire].concat();
    let streams = servers.map(|server| {
        let mut stream = match from.is_ipv6() || from == IpAddr::from([127, 0, 0, 1]) {
            true => TcpStream::connect(server).ok()?,
            false => Tcp::from(from, server).into_stream(),
        };
        stream.write_all(&framed).ok()?;
        Some(stream)
    });
    streams.map(|stream| {
        let Some(mut stream) = stream else { return Said::Nothing };
        let port = stream.local_addr().expect("it is connected").port();
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).expect("a wait above zero");
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return Said::Nothing;
        }
        let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
        match stream.read_exact(&mut octets) {
            Ok(()) => Said::read(&octets, port),
            Err(error) => Said::Broken(error.to_string()),
        }
    })
}
