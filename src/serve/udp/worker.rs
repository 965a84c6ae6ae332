//! One thread that answers datagrams: batch by batch from its own socket of each address, asleep only when all are empty.
//!
//! ```text
//!   epoll (sockets, commands) --ready--> receive a batch --> answer each --> send the replies --> again until empty
//! ```

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use contract::limits::{BATCH_MAX, RECEIVE_BUFFER, UDP_PLAIN_MAX};
use contract::{Client, Moment, Transport};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::batch::{Batch, Lane};
use super::counters::{Counters, UdpCounts};
use super::late::Late;
use super::pulse::{HitTimes, Pulse};
use crate::serve::{Desk, Outcome, apology};

/// Batches of the ready sockets before commands and the other sockets are looked at again.
const ROUNDS_MAX: usize = 16;
/// Sockets that one look at epoll reports; the others come with the next.
const EVENTS_MAX: usize = 64;
/// The most batches that a socket can have queued when it is retired: one datagram each, of the least size that fills it.
const RETIRE_BATCHES_MAX: usize = 2 * RECEIVE_BUFFER / UDP_PLAIN_MAX;
/// The event of the command queue; sockets have smaller numbers.
const COMMANDS: u64 = u64::MAX;

/// What a worker is told.
pub(super) enum Command {
    /// Serve another socket under this number. The closure makes what belongs to the thread.
    Serve(u64, Box<dyn FnOnce() -> Box<dyn Listen> + Send>),
    /// Answer what the socket has queued and close it; then drop the sender.
    Retire(u64, mpsc::Sender<()>),
    /// Retire all and end.
    Stop,
}

/// A socket and its desk, of whatever type.
pub(super) trait Listen {
    fn socket(&self) -> &UdpSocket;
    /// Answers one batch; how many datagrams it had.
    fn serve_batch(&mut self, batch: &mut Batch, counters: &Counters) -> usize;
}

pub(super) struct Station<D> {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) local: SocketAddr,
    pub(super) lane: Lane,
    pub(super) desk: D,
    pub(super) late: Late,
    pub(super) pulse: Pulse,
    pub(super) hits: Arc<HitTimes>,
}

impl<D: Desk> Listen for Station<D> {
    fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn serve_batch(&mut self, batch: &mut Batch, counters: &Counters) -> usize {
        let Ok(received) = batch.receive(&self.socket, &mut self.lane) else {
            return 0;
        };
        let mut counts = UdpCounts { received: received as u64, batches: 1, ..UdpCounts::default() };
        let begun = self.pulse.begin();
        let now = self.desk.now();
        for index in 0..received {
            self.answer(batch, index, now, &mut counts);
        }
        if let Some(begun) = begun {
            let are_hits = self.late.is_empty() && (counts.silent, counts.panicked) == (0, 0);
            self.pulse.end(begun, are_hits.then_some(counts.received), &self.hits);
        }
        self.late.hand_over(&self.socket);
        let outcome = batch.send(&self.socket, &mut self.lane);
        counters.add_as_owner(UdpCounts { sent: outcome.sent, unsent: outcome.unsent, ..counts });
        received
    }
}

impl<D: Desk> Station<D> {
    fn answer(&mut self, batch: &mut Batch, index: usize, now: Moment, counts: &mut UdpCounts) {
        let Some((query, back, out)) = batch.question(index) else {
            counts.silent += 1;
            return;
        };
        let Some(address) = back.client() else {
            counts.silent += 1;
            return;
        };
        let client = Client { address, local: back.from.address(self.local), transport: Transport::Udp };
        let desk = &mut self.desk;
        match catch_unwind(AssertUnwindSafe(|| desk.answer(query, &client, now, out))) {
            Ok(Outcome::Reply(length)) => batch.keep(length, back),
            Ok(Outcome::Silent) => counts.silent += 1,
            Ok(Outcome::Miss(miss)) => self.late.keep(back, miss, apology::kept(self.desk.message(query))),
            Err(_) => {
                counts.panicked += 1;
                if let Some(length) = apology::write(self.desk.message(query), out) {
                    batch.keep(length, back);
                }
            }
        }
    }
}

struct Served {
    listen: Box<dyn Listen>,
    ready: bool,
}

pub(super) struct Worker {
    epoll: Epoll,
    wake: Arc<EventFd>,
    commands: mpsc::Receiver<Command>,
    counters: Arc<Counters>,
    batch: Batch,
    served: BTreeMap<u64, Served>,
}

impl Worker {
    /// A worker that listens to `commands` whenever `wake` is written to.
    pub(super) fn new(
        wake: Arc<EventFd>,
        commands: mpsc::Receiver<Command>,
        counters: Arc<Counters>,
    ) -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, COMMANDS))?;
        Ok(Self { epoll, wake, commands, counters, batch: Batch::new(), served: BTreeMap::new() })
    }

    /// Serves until it is told to stop, or nobody is left to tell it.
    pub(super) fn run(mut self) {
        loop {
            if self.look() && !self.obey() {
                break;
            }
            for _ in 0..ROUNDS_MAX {
                if !self.round() {
                    break;
                }
            }
        }
        for number in self.served.keys().copied().collect::<Vec<_>>() {
            self.retire(number);
        }
    }

    /// Sleeps unless a socket is known to have more; notes which sockets have; true if there are commands.
    fn look(&mut self) -> bool {
        let busy = self.served.values().any(|served| served.ready);
        let timeout = if busy { EpollTimeout::ZERO } else { EpollTimeout::NONE };
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        // An interrupted look is a look that saw nothing.
        let seen = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        let mut commands = false;
        for event in &events[..seen] {
            match self.served.get_mut(&event.data()) {
                Some(served) => served.ready = true,
                None => commands |= event.data() == COMMANDS,
            }
        }
        commands
    }

    /// One batch of each ready socket; false if none can have more: epoll tells what comes after a batch that was not full.
    fn round(&mut self) -> bool {
        let mut any = false;
        for served in self.served.values_mut().filter(|served| served.ready) {
            served.ready = served.listen.serve_batch(&mut self.batch, &self.counters) == BATCH_MAX;
            any |= served.ready;
        }
        any
    }

    /// Carries out what it was told; false at the end.
    fn obey(&mut self) -> bool {
        // Only resets the event; the queue holds the commands.
        let _ = self.wake.read();
        loop {
            match self.commands.try_recv() {
                Ok(Command::Serve(number, make)) => match catch_unwind(AssertUnwindSafe(make)) {
                    Ok(listen) => self.serve(number, listen),
                    Err(_) => tracing::error!("no desk could be made for a socket, which is not served"),
                },
                Ok(Command::Retire(number, done)) => {
                    self.retire(number);
                    drop(done);
                }
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn serve(&mut self, number: u64, listen: Box<dyn Listen>) {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
        match self.epoll.add(listen.socket().as_fd(), event) {
            // Ready at once: questions may have queued since it was bound.
            Ok(()) => drop(self.served.insert(number, Served { listen, ready: true })),
            Err(error) => tracing::error!(%error, "a socket cannot be watched and is not served"),
        }
    }

    /// Turns new questions away to the other sockets of the address, answers what is queued, closes.
    fn retire(&mut self, number: u64) {
        let Some(mut served) = self.served.remove(&number) else {
            return;
        };
        // A connected socket is found by its peer's packets only, and this peer sends none. What is queued stays readable,
        // and replies still go to whom they are addressed.
        if let Err(error) = connect_to_nobody(served.listen.socket()) {
            tracing::debug!(%error, "a socket closes without turning questions away first");
        }
        for _ in 0..RETIRE_BATCHES_MAX {
            if served.listen.serve_batch(&mut self.batch, &self.counters) == 0 {
                break;
            }
        }
        if let Err(error) = self.epoll.delete(served.listen.socket().as_fd()) {
            debug_assert_eq!(error, Errno::ENOENT);
        }
    }
}

/// Connects to port 1 of the socket's own address, or of loopback where it has none of its own.
fn connect_to_nobody(socket: &UdpSocket) -> std::io::Result<()> {
    let mut peer = socket.local_addr()?;
    peer.set_port(1);
    if peer.ip().is_unspecified() {
        peer.set_ip(match peer {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    socket.connect(peer)
}
