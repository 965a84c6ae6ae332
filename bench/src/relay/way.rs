//! The way itself: datagrams and streams, carried late, their questions counted.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The zone whose questions are counted apart: those that prove that a name is not in the cluster.
const CLUSTER: &[u8] = b"\x07cluster\x05local\0";
/// How long an answer over UDP is waited for.
const UDP_PATIENCE: Duration = Duration::from_secs(4);

/// Questions that came.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) all: AtomicU64,
    pub(super) cluster: AtomicU64,
}

impl Counts {
    fn add(&self, question: &[u8]) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let is_cluster = question.windows(CLUSTER.len()).any(|part| part.eq_ignore_ascii_case(CLUSTER));
        self.cluster.fetch_add(is_cluster.into(), Ordering::Relaxed);
    }
}

/// A way to a server.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The server's port on 127.0.0.1.
    pub(super) to: u16,
    /// How long each direction takes.
    pub(super) each: Duration,
    pub(super) counts: Arc<Counts>,
}

impl Way {
    /// Carries datagrams until the socket fails.
    pub(super) fn carry_datagrams(&self, socket: &Arc<UdpSocket>) {
        let mut buffer = [0; 4_096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            self.counts.add(&buffer[..length]);
            let (question, way, socket) = (buffer[..length].to_vec(), self.clone(), Arc::clone(socket));
            thread::spawn(move || -> std::io::Result<()> {
                thread::sleep(way.each);
                let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                upstream.connect((Ipv4Addr::LOCALHOST, way.to))?;
                upstream.set_read_timeout(Some(UDP_PATIENCE))?;
                upstream.send(&question)?;
                let mut answer = [0; 65_535];
                let length = upstream.recv(&mut answer)?;
                thread::sleep(way.each);
                socket.send_to(&answer[..length], client).map(drop)
            });
        }
    }

    /// Carries a connection; returns at once.
    pub(super) fn carry_stream(&self, client: TcpStream) {
        let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.to)) else { return };
        for stream in [&client, &upstream] {
            // Without it small messages would wait for acknowledgements.
            let _ = stream.set_nodelay(true);
        }
        let (Ok(client_too), Ok(upstream_too)) = (client.try_clone(), upstream.try_clone()) else { return };
        let mut messages = Messages::default();
        let counts = Arc::clone(&self.counts);
        // The handshake of the other side is over already: what it would have taken is added to the first question.
        let opened = Instant::now() + self.each * 2;
        carry(client, upstream, self.each, opened, move |octets| {
            messages.feed(octets, |message| counts.add(message));
        });
        carry(upstream_too, client_too, self.each, Instant::now(), |_| {});
    }
}

/// Carries octets one way, each late by `each`, none before `opened`. Returns at once.
fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    each: Duration,
    opened: Instant,
    mut look: impl FnMut(&[u8]) + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            // A server that leaves Nagle's algorithm on waits for it before its next answer; the kernel forgets the wish.
            let _ = socket2::SockRef::from(&from).set_tcp_quickack(true);
            look(&buffer[..length]);
            if sender.send((Instant::now().max(opened) + each, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, octets) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&octets).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Messages of a TCP stream, each behind two octets of length (RFC 1035 4.2.2), in pieces of any size.
#[derive(Debug, Default)]
struct Messages {
    pending: Vec<u8>,
}

impl Messages {
    fn feed(&mut self, octets: &[u8], mut each: impl FnMut(&[u8])) {
        self.pending.extend(octets);
        let mut taken = 0;
        while let Some([high, low]) = self.pending.get(taken..taken + 2) {
            let end = taken + 2 + usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = self.pending.get(taken + 2..end) else { break };
            each(message);
            taken = end;
        }
        self.pending.drain(..taken);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::message::question;

    #[test]
    fn messages_are_found_in_pieces_of_any_size() {
        let mut stream = Vec::new();
        for name in ["a.example", "www.com.shop.svc.cluster.local"] {
            let message = question(1, name);
            stream.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
            stream.extend(message);
        }
        for size in [1, 2, 7, stream.len()] {
            let (mut messages, counts) = (Messages::default(), Counts::default());
            for piece in stream.chunks(size) {
                messages.feed(piece, |message| counts.add(message));
            }
            let counted = (counts.all.into_inner(), counts.cluster.into_inner());
            assert_eq!(counted, (2, 1), "pieces of {size}");
        }
    }

    #[test]
    fn a_stream_is_carried_both_ways_late() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = server.local_addr().unwrap().port();
        let way = Way { to, each: Duration::from_millis(5), counts: Arc::default() };
        let mut client = TcpStream::connect(front.local_addr().unwrap()).unwrap();
        let begun = Instant::now();
        way.carry_stream(front.accept().unwrap().0);
        let mut upstream = server.accept().unwrap().0;
        let message = question(1, "a.example");
        let mut framed = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        framed.extend(&message);
        client.write_all(&framed).unwrap();
        let mut passed = vec![0; framed.len()];
        upstream.read_exact(&mut passed).unwrap();
        upstream.write_all(&passed).unwrap();
        client.read_exact(&mut passed).unwrap();
        assert_eq!(passed, framed);
        assert!(begun.elapsed() >= Duration::from_millis(20), "the handshake and the question, each there and back");
        assert_eq!(way.counts.all.load(Ordering::Relaxed), 1);
    }
}
