//! Clients: a stub resolver's socket from an address of choice, and a TCP connection that pipelines.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::message::{Ask, Reply};

/// Longer than the daemon may take: what has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(6);

/// How long a test waits to see that nothing is said.
pub const SILENCE: Duration = Duration::from_millis(400);

/// A UDP client.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Udp {
    /// A client at an address of its own.
    pub fn from(address: IpAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("a loopback address can be bound");
        Self { socket, server }
    }

    /// Sends octets.
    pub fn send(&self, octets: &[u8]) {
        self.socket.send_to(octets, self.server).expect("loopback takes a datagram");
    }

    /// The next datagram of the server within a time, and how long it took.
    #[track_caller]
    pub fn receive(&self, within: Duration) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_535];
        self.socket.set_read_timeout(Some(within)).expect("a wait above zero");
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, source)) => {
                    assert_eq!(source, self.server, "a reply comes from the address that was asked");
                    buffer.truncate(length);
                    return Some(buffer);
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(_) => return None,
            }
        }
    }

    /// Asks and reads the reply, which must fit the question and its size.
    #[track_caller]
    pub fn asks(&self, ask: &Ask) -> Reply {
        self.send(&ask.wire());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let Some(octets) = self.receive(left) else { panic!("no reply to {ask:?} within {PATIENCE:?}") };
            let reply = read(&octets);
            if reply.id == ask.id {
                let limit = ask.edns.as_ref().map_or(512, |edns| usize::from(edns.0).max(512));
                assert!(octets.len() <= limit, "{} octets for a client that takes {limit}:\n{reply}", octets.len());
                fits(ask, &reply);
                return reply;
            }
        }
    }

    /// Expects that nothing is said to these octets.
    #[track_caller]
    pub fn gets_silence(&self, octets: &[u8]) {
        self.send(octets);
        if let Some(reply) = self.receive(SILENCE) {
            panic!("expected silence to {octets:02x?}, got {reply:02x?}");
        }
    }

    /// Sends octets and reads the reply to them.
    #[track_caller]
    pub fn gets(&self, octets: &[u8]) -> Reply {
        self.send(octets);
        let reply = self.receive(PATIENCE).unwrap_or_else(|| panic!("no reply to {octets:02x?}"));
        let reply = read(&reply);
        assert_eq!(reply.wire[..2], octets[..2], "the id comes back");
        reply
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Tcp {
    /// Connects from an address.
    #[track_caller]
    pub fn from(address: IpAddr, server: SocketAddr) -> Self {
        use std::os::fd::AsFd as _;
        // the standard library cannot bind before it connects
        let family = nix::sys::socket::AddressFamily::Inet;
        let kind = nix::sys::socket::SockType::Stream;
        let flags = nix::sys::socket::SockFlag::SOCK_CLOEXEC;
        let socket = nix::sys::socket::socket(family, kind, flags, None).expect("a socket");
        let (IpAddr::V4(from), IpAddr::V4(to)) = (address, server.ip()) else { panic!("IPv4 alone") };
        let own = nix::sys::socket::SockaddrIn::from(std::net::SocketAddrV4::new(from, 0));
        let other = nix::sys::socket::SockaddrIn::from(std::net::SocketAddrV4::new(to, server.port()));
        nix::sys::socket::bind(std::os::fd::AsRawFd::as_raw_fd(&socket.as_fd()), &own).expect("a loopback address");
        nix::sys::socket::connect(std::os::fd::AsRawFd::as_raw_fd(&socket.as_fd()), &other)
            .unwrap_or_else(|error| panic!("no connection to {server}: {error}"));
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("a TCP socket");
        Self(stream)
    }

    /// The connection itself.
    pub fn into_stream(self) -> TcpStream {
        self.0
    }

    /// Sends a question with its length before it.
    pub fn send(&mut self, octets: &[u8]) {
        let mut framed = (octets.len() as u16).to_be_bytes().to_vec();
        framed.extend(octets);
        self.0.write_all(&framed).expect("the server reads");
    }

    /// The next message; `None` if the server closed the connection.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
        let mut length = [0; 2];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing within {PATIENCE:?}"),
            Err(_) => return None,
        }
        let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut octets).expect("a whole message");
        Some(octets)
    }

    /// The next reply.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        let Some(octets) = self.receive() else { panic!("the server closed the connection") };
        read(&octets)
    }

    /// Asks and reads the reply.
    #[track_caller]
    pub fn asks(&mut self, ask: &Ask) -> Reply {
        self.send(&ask.wire());
        let reply = self.reply();
        fits(ask, &reply);
        reply
    }
}

#[track_caller]
fn read(octets: &[u8]) -> Reply {
    match Reply::read(octets) {
        Ok(reply) => reply,
        Err(error) => panic!("a broken reply: {error}: {octets:02x?}"),
    }
}

/// What every reply owes its question.
#[track_caller]
fn fits(ask: &Ask, reply: &Reply) {
    let mut question = ask.name.clone();
    question.extend(ask.rtype.to_be_bytes());
    question.extend(ask.class.to_be_bytes());
    assert_eq!(reply.id, ask.id, "the id comes back");
    assert_eq!(reply.question, question, "the question comes back to the letter:\n{reply}");
    assert_eq!(reply.flags & 0x7900, ask.flags & 0x7900, "opcode and RD come back:\n{reply}");
    assert_eq!(reply.opt.is_some(), ask.edns.is_some(), "OPT if and only if the client sent one:\n{reply}");
}
