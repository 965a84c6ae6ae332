//! A relay in front of a real server: it passes questions on over UDP and TCP, remembers what was asked and when, and is a
//! black hole while it is told so.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::place;
use crate::upstream::{Question, Seen, next_frame};

/// How often threads look whether the relay is still open.
const TICK: Duration = Duration::from_millis(20);
/// How long a connection to the server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Where ids are: one question of each may be outstanding.
const IDS: usize = 1 << 16;

/// Who asked, and with which id.
type Asker = (SocketAddr, [u8; 2]);

#[derive(Debug)]
struct State {
    server: SocketAddr,
    open: AtomicBool,
    swallows: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    /// By the id towards the server.
    outstanding: Mutex<Vec<Option<Asker>>>,
    next: AtomicU16,
}

/// The relay. Its sockets close with it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A relay at an address of its own in front of a server, which need not be there yet.
    #[track_caller]
    pub fn before(server: SocketAddr) -> Self {
        let address = place::socket();
        let state = Arc::new(State {
            server,
            open: AtomicBool::new(true),
            swallows: AtomicBool::new(false),
            seen: Mutex::default(),
            outstanding: Mutex::new(vec![None; IDS]),
            next: AtomicU16::new(0),
        });
        let clients = Arc::new(UdpSocket::bind(address).expect("the address is free"));
        let onward = Arc::new(UdpSocket::bind((place::address(), 0)).expect("a loopback address"));
        for socket in [&clients, &onward] {
            socket.set_read_timeout(Some(TICK)).expect("a wait above zero");
        }
        let listener = TcpListener::bind(address).expect("the address is free");
        let mut threads = Vec::new();
        let (one, from, to) = (Arc::clone(&state), Arc::clone(&clients), Arc::clone(&onward));
        threads.push(std::thread::spawn(move || one.passes_questions(&from, &to)));
        let one = Arc::clone(&state);
        threads.push(std::thread::spawn(move || one.passes_answers(&onward, &clients)));
        let one = Arc::clone(&state);
        threads.push(std::thread::spawn(move || one.accepts(&listener)));
        Self { address, state, threads }
    }

    /// Where it listens, UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing comes through, in neither direction, and nobody is told; or everything again.
    pub fn swallows(&self, all: bool) {
        self.state.swallows.store(all, Ordering::SeqCst);
    }

    /// What it was asked, also what it swallowed.
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.state.seen).clone()
    }

    /// Forgets what it was asked.
    pub fn forgets(&self) {
        held(&self.state.seen).clear();
    }

    /// How many questions came in the busiest second, of any second's beginning.
    pub fn busiest_second(&self) -> usize {
        let seen = held(&self.state.seen);
        let mut times: Vec<Instant> = seen.iter().map(|seen| seen.at).collect();
        times.sort_unstable();
        let within = |(from, at): (usize, &Instant)| {
            times[from..].partition_point(|other| other.duration_since(*at) < Duration::from_secs(1))
        };
        times.iter().enumerate().map(within).max().unwrap_or(0)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.open.store(false, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a relay's thread does not panic");
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a relay's thread does not panic")
}

impl State {
    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Notes a question; false if it goes no further.
    fn notes(&self, octets: &[u8], tcp: bool) -> bool {
        if let Some(question) = Question::read(octets) {
            held(&self.seen).push(question.seen(tcp));
        }
        !self.swallows.load(Ordering::SeqCst)
    }

    fn passes_questions(&self, clients: &UdpSocket, onward: &UdpSocket) {
        let mut buffer = vec![0; 65_535];
        while self.is_open() {
            let Ok((length, client)) = clients.recv_from(&mut buffer) else { continue };
            let octets = &mut buffer[..length];
            if length < 12 || !self.notes(octets, false) {
                continue;
            }
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            held(&self.outstanding)[usize::from(id)] = Some((client, [octets[0], octets[1]]));
            octets[..2].copy_from_slice(&id.to_be_bytes());
            onward.send_to(octets, self.server).ok(); // whoever is not there says nothing
        }
    }

    fn passes_answers(&self, onward: &UdpSocket, clients: &UdpSocket) {
        let mut buffer = vec![0; 65_535];
        while self.is_open() {
            let Ok((length, _)) = onward.recv_from(&mut buffer) else { continue };
            let octets = &mut buffer[..length];
            if length < 12 || self.swallows.load(Ordering::SeqCst) {
                continue;
            }
            let id = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
            let Some((client, own)) = held(&self.outstanding)[id].take() else { continue };
            octets[..2].copy_from_slice(&own);
            clients.send_to(octets, client).ok();
        }
    }

    fn accepts(self: &Arc<Self>, listener: &TcpListener) {
        listener.set_nonblocking(true).expect("a listener");
        let mut threads = Vec::new();
        while self.is_open() {
            let Ok((client, _)) = listener.accept() else {
                std::thread::sleep(TICK / 4);
                continue;
            };
            let state = Arc::clone(self);
            threads.push(std::thread::spawn(move || state.serves(&client).unwrap_or(())));
        }
        threads.into_iter().for_each(|thread| thread.join().expect("a relay's thread does not panic"));
    }

    /// One connection, to its end.
    fn serves(&self, client: &TcpStream) -> Option<()> {
        client.set_nonblocking(false).ok()?;
        let server = TcpStream::connect_timeout(&self.server, CONNECT_WITHIN).ok();
        let Some(server) = server else {
            client.shutdown(Shutdown::Both).ok();
            return None;
        };
        for stream in [client, &server] {
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(TICK)).ok()?;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.copies(client, &server, true));
            self.copies(&server, client, false);
        });
        Some(())
    }

    /// Message by message, until one side closes.
    fn copies(&self, mut from: &TcpStream, mut to: &TcpStream, questions: bool) {
        let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
        'all: while self.is_open() {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => pending.extend(&buffer[..length]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
            while let Some(message) = next_frame(&mut pending) {
                let goes_on =
                    if questions { self.notes(&message, true) } else { !self.swallows.load(Ordering::SeqCst) };
                let framed = [&(message.len() as u16).to_be_bytes(), message.as_slice()].concat();
                if goes_on && to.write_all(&framed).is_err() {
                    break 'all;
                }
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ask;
    use crate::upstream::Upstream;
    use crate::{Tcp, Udp};

    #[test]
    fn what_passes_is_counted_and_what_is_swallowed_too() {
        let upstream = Upstream::with(&["www.example. 60 A 192.0.2.1"]);
        let relay = Relay::before(upstream.address().parse().expect("IP:PORT"));
        let client = Udp::from(place::address(), relay.address());
        client.asks(&ask("www.example.", "A")).answers_are(&["www.example. A 192.0.2.1"]);
        let from = place::address();
        Tcp::from(from, relay.address()).asks(&ask("www.example.", "A")).answers_are(&["www.example. A 192.0.2.1"]);
        assert_eq!(relay.seen().iter().map(|seen| seen.tcp).collect::<Vec<_>>(), [false, true]);
        relay.swallows(true);
        client.gets_silence(&ask("www.example.", "A").wire());
        assert_eq!((relay.seen().len(), relay.busiest_second(), upstream.seen().len()), (3, 3, 2));
        relay.swallows(false);
        client.asks(&ask("www.example.", "A")).is("NOERROR");
    }
}
