//! Asks over UDP: from fixed ports, whose flows the kernel may remember, and from a fresh port for each question, as stub
//! resolvers do.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Mutex;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

use super::ledger::{Ledger, TIMEOUT, Way};

/// Fixed ports per target.
const FIXED: usize = 4;
/// The first of them; below the range that the kernel gives to clients.
const FIXED_PORT: u16 = 31_000;
/// The receive buffer of a fixed port, octets: what comes together while we are not given a core.
const BUFFER: usize = 8 << 20;
/// Events that are taken together.
const EVENTS: usize = 256;
/// Marks the events of fixed ports.
const IS_FIXED: u64 = 1 << 40;

/// The sockets of a place.
#[derive(Debug)]
pub(super) struct Sockets {
    epoll: Epoll,
    fixed: Vec<(UdpSocket, SocketAddr)>,
    fresh: Mutex<BTreeMap<u32, UdpSocket>>,
}

impl Sockets {
    /// Opens the fixed ones, in the network of the calling thread.
    pub(super) fn open(targets: &[SocketAddr]) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
        let mut fixed = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            for offset in 0..FIXED {
                let port = FIXED_PORT + (number * FIXED + offset) as u16;
                let socket = UdpSocket::bind((any(*target), port)).expect("nobody else has these ports");
                socket.set_nonblocking(true).expect("a socket");
                setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).expect("root may have large buffers");
                let event = EpollEvent::new(EpollFlags::EPOLLIN, IS_FIXED | fixed.len() as u64);
                epoll.add(&socket, event).expect("a socket can be waited for");
                fixed.push((socket, *target));
            }
        }
        Self { epoll, fixed, fresh: Mutex::default() }
    }

    /// Asks from a fixed port.
    pub(super) fn asks_from_fixed(&self, ledger: &Ledger, target: SocketAddr, number: u32) {
        let index = ledger.opens(Way::FixedPort);
        let wire = ledger.asker.wire(index);
        let of_target: Vec<&UdpSocket> =
            self.fixed.iter().filter(|(_, to)| *to == target).map(|(socket, _)| socket).collect();
        if let Err(error) = of_target[number as usize / 4 % of_target.len()].send_to(&wire, target) {
            ledger.fails(index, format!("sending: {error}"));
        }
    }

    /// Asks from a port that nobody has.
    pub(super) fn asks_from_fresh(&self, ledger: &Ledger, target: SocketAddr) {
        let index = ledger.opens(Way::FreshPort);
        let wire = ledger.asker.wire(index);
        let ask = || -> io::Result<()> {
            let socket = UdpSocket::bind((any(target), 0))?;
            socket.set_nonblocking(true)?;
            socket.connect(target)?;
            self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index.into()))?;
            // it is there before an answer can be
            let mut fresh = self.fresh.lock().expect("nobody panics with it");
            let socket = fresh.entry(index).or_insert(socket);
            socket.send(&wire).map(drop)
        };
        if let Err(error) = ask() {
            ledger.fails(index, format!("sending: {error}"));
            self.fresh.lock().expect("nobody panics with it").remove(&index);
        }
    }
}

fn any(target: SocketAddr) -> IpAddr {
    if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Takes what comes until the ledger is closed.
pub(super) fn receive(ledger: &Ledger, sockets: &Sockets) {
    let mut events = [EpollEvent::empty(); EVENTS];
    while !ledger.is_closed() {
        let count = match sockets.epoll.wait(&mut events, EpollTimeout::from(10u8)) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => panic!("an epoll fails: {error}"),
        };
        for event in &events[..count] {
            match event.data() {
                data if data & IS_FIXED != 0 => fixed(ledger, &sockets.fixed[(data & !IS_FIXED) as usize]),
                data => fresh(ledger, sockets, u32::try_from(data).expect("the number of a question")),
            }
        }
        let mut open = sockets.fresh.lock().expect("nobody panics with it");
        while let Some(oldest) = open.first_entry()
            && ledger.sent(*oldest.key()) + TIMEOUT < ledger.now()
        {
            oldest.remove();
        }
    }
}

fn fixed(ledger: &Ledger, (socket, target): &(UdpSocket, SocketAddr)) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(id) = buffer[..length].first_chunk::<2>() else { continue };
        let Some(index) = ledger.last_with(u16::from_be_bytes(*id)) else { continue };
        if from == *target {
            ledger.hears(index, &buffer[..length]);
        } else {
            ledger.is_wrong(index, format!("{target} was asked, {from} answers"));
        }
    }
}

fn fresh(ledger: &Ledger, sockets: &Sockets, index: u32) {
    let Some(socket) = sockets.fresh.lock().expect("nobody panics with it").remove(&index) else { return };
    let mut buffer = [0; 2048];
    match socket.recv(&mut buffer) {
        Ok(length) => ledger.hears(index, &buffer[..length]),
        Err(error) => ledger.fails(index, format!("UDP: {}", error.kind())),
    }
}
