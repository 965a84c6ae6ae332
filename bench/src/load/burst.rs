//! A burst: 500 datagrams on one socket at once, and how many of them are answered.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::message::{Reply, question};
use crate::seat::Seat;

/// Datagrams of a burst.
pub(crate) const DATAGRAMS: u16 = 500;
/// After this without an answer no more come.
const QUIET: Duration = Duration::from_millis(700);
/// The receive buffer of the client, octets: what is lost is lost at the server.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Sends a burst; how many datagrams were not answered. A server that is `held` has its core taken away while the burst
/// comes, as by any other process of a node: then all of it must find room in the server's receive buffer.
pub(crate) fn lost(seat: &Seat, held: bool) -> Result<f64> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(RECEIVE_BUFFER)?;
    let socket = UdpSocket::from(socket);
    socket.connect((Ipv4Addr::LOCALHOST, seat.setup.port))?;
    socket.set_read_timeout(Some(QUIET))?;
    let questions: Vec<_> = (0..DATAGRAMS).map(|id| question(id, &format!("host{}.example", id + 1))).collect();
    let hold = held.then(|| Hold::new(seat)).transpose()?;
    for question in &questions {
        socket.send(question)?;
    }
    drop(hold);
    let mut answered = BTreeSet::new();
    let mut buffer = [0; 4_096];
    while answered.len() < usize::from(DATAGRAMS) {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(reply) = Reply::parse(&buffer[..length]) {
                    answered.insert(reply.expect_noerror()?.id);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(!answered.is_empty(), "no answers");
    Ok(f64::from(DATAGRAMS) - answered.len() as f64)
}

/// A stopped server; it goes on when this is dropped.
struct Hold<'a>(&'a Seat);

impl<'a> Hold<'a> {
    fn new(seat: &'a Seat) -> Result<Self> {
        seat.child.signal(Signal::SIGSTOP)?;
        Ok(Self(seat))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // A server that has ended is noticed by its missing answers.
        let _ = self.0.child.signal(Signal::SIGCONT);
    }
}
