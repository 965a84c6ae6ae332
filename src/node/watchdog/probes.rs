//! Questions to the daemon's own sockets, one source port for each worker: which port reaches which worker, only the answer
//! tells, because the kernel spreads a shared address by a hash of both ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use contract::wire::{Message, Section};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::serve::chaos;

/// New source ports that one look tries for each worker that none reaches.
const TRIES_PER_WORKER: usize = 4;
/// New source ports that one look tries at most.
const TRIES_MAX: usize = 32;
/// A port whose questions stay unanswered for so many looks is given up: the group of sockets may have changed.
const SILENT_MAX: u32 = 10;
/// Octets of a reply to such a question, at most.
const REPLY_MAX: usize = 512;

/// The source ports that are known to reach a worker.
#[derive(Debug)]
pub(super) struct Probes {
    instance: u64,
    kept: Vec<Option<Probe>>,
    nonce: u32,
}

/// A source port, connected to an address of ours.
#[derive(Debug)]
struct Probe {
    socket: UdpSocket,
    /// The id of its last question, which differs from that of the one before.
    id: u16,
    silent: u32,
}

/// What one look sent and got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) asked: u64,
    pub(super) answered: u64,
}

impl Probes {
    /// None yet, for so many workers of this process.
    pub(super) fn new(instance: u64, workers: usize) -> Self {
        Self { instance, kept: (0..workers).map(|_| None).collect(), nonce: 0 }
    }

    /// Workers that a question reaches.
    pub(super) fn covered(&self) -> usize {
        self.kept.iter().flatten().count()
    }

    /// Asks every worker that can be reached, and looks for ways to the others; waits for replies as long as `within` says.
    pub(super) fn ask(&mut self, addresses: &[SocketAddr], within: Duration) -> Counted {
        let mut asked: Vec<(Option<usize>, Probe)> = Vec::new();
        let missing = self.kept.iter().filter(|probe| probe.is_none()).count();
        for (worker, kept) in self.kept.iter_mut().enumerate() {
            asked.extend(kept.take().map(|probe| (Some(worker), probe)));
        }
        let tries = (missing * TRIES_PER_WORKER).min(TRIES_MAX);
        // not only the first addresses: the next look goes on behind those that this one tried
        let start = self.nonce as usize;
        let around = (0..tries).filter_map(|index| addresses.get((start + index) % addresses.len().max(1)));
        asked.extend(around.filter_map(|&address| Probe::open(address)).map(|probe| (None, probe)));
        for (_, probe) in &mut asked {
            self.nonce = self.nonce.wrapping_add(1);
            probe.send(self.nonce);
        }
        let mut counted = Counted { asked: asked.len() as u64, answered: 0 };
        let deadline = Instant::now() + within;
        while !asked.is_empty() && wait(&asked, deadline) {
            for index in (0..asked.len()).rev() {
                if let Some(told) = asked[index].1.receive() {
                    counted.answered += 1;
                    let (_, probe) = asked.swap_remove(index);
                    self.keep(told, probe);
                }
            }
        }
        for (worker, probe) in asked {
            self.unanswered(worker, probe);
        }
        counted
    }

    /// A reply came: the port is kept for the worker that it reaches now, if that has none.
    fn keep(&mut self, (instance, worker): (u64, Option<usize>), probe: Probe) {
        let own = (instance == self.instance).then_some(worker).flatten();
        if let Some(place @ None) = own.and_then(|worker| self.kept.get_mut(worker)) {
            *place = Some(Probe { silent: 0, ..probe });
        }
    }

    /// No reply came: a port that did reach a worker is kept for a while, because its questions are what waits for a worker
    /// that hangs.
    fn unanswered(&mut self, worker: Option<usize>, probe: Probe) {
        let silent = probe.silent + 1;
        if let Some(place @ None) = worker.filter(|_| silent < SILENT_MAX).and_then(|worker| self.kept.get_mut(worker))
        {
            *place = Some(Probe { silent, ..probe });
        }
    }
}

impl Probe {
    /// A new source port. `None` where the system has none: the next look tries again.
    fn open(address: SocketAddr) -> Option<Self> {
        let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.set_nonblocking(true).ok()?;
        socket.connect(reachable(address)).ok()?;
        Some(Self { socket, id: 0, silent: 0 })
    }

    /// One that cannot be sent stays unanswered.
    fn send(&mut self, nonce: u32) {
        self.id = (nonce & 0xffff) as u16;
        let _ = self.socket.send(&chaos::watchdog_question(self.id, nonce));
    }

    /// The process and the worker that answered the last question.
    fn receive(&self) -> Option<(u64, Option<usize>)> {
        let mut buffer = [0; REPLY_MAX];
        loop {
            // errors too mean that nothing more is there: a refusal by the kernel was one
            let length = self.socket.recv(&mut buffer).ok()?;
            if let Some(told) = read(&buffer[..length], self.id) {
                return Some(told);
            }
        }
    }
}

/// Who answered, if this is the reply to the question with this id.
fn read(wire: &[u8], id: u16) -> Option<(u64, Option<usize>)> {
    let message = Message::parse(wire).ok().filter(|message| message.is_response() && message.id() == id)?;
    let record = message.section(Section::Answer).next()?;
    let (_, text) = message.rdata(&record).split_first()?;
    chaos::read_signature(std::str::from_utf8(text).ok()?)
}

/// Waits until one of them has something to read; false when the time is over.
fn wait(asked: &[(Option<usize>, Probe)], deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut polled: Vec<_> =
        asked.iter().map(|(_, probe)| PollFd::new(probe.socket.as_fd(), PollFlags::POLLIN)).collect();
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    !left.is_zero() && poll(&mut polled, timeout).is_ok_and(|ready| ready > 0)
}

/// Where a question is sent that shall come to a socket at this address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Probe {
        Probe::open("127.0.0.1:9".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_port_is_kept_for_the_worker_that_it_reaches() {
        let mut probes = Probes::new(1, 2);
        probes.keep((1, Some(1)), probe());
        assert_eq!(probes.covered(), 1);
        probes.keep((1, Some(1)), probe()); // it has one already
        probes.keep((2, Some(0)), probe()); // another process of the group
        probes.keep((1, None), probe());
        probes.keep((1, Some(7)), probe());
        assert_eq!(probes.covered(), 1);
        probes.keep((1, Some(0)), probe());
        assert_eq!(probes.covered(), 2);
    }

    #[test]
    fn a_port_without_answers_is_kept_longer_than_a_hang_lasts_and_not_for_ever() {
        let mut probes = Probes::new(1, 1);
        probes.keep((1, Some(0)), probe());
        let mut looks = 0;
        while let Some(probe) = probes.kept[0].take() {
            probes.unanswered(Some(0), probe);
            looks += 1;
        }
        assert_eq!(looks, SILENT_MAX);
        probes.unanswered(None, probe());
        assert_eq!(probes.covered(), 0, "one that has reached nobody yet is let go");
    }

    #[test]
    fn where_nobody_listens_nothing_is_answered() {
        let held = UdpSocket::bind("127.0.0.1:0").unwrap(); // bound and never read
        let mut probes = Probes::new(1, 1);
        let counted = probes.ask(&[held.local_addr().unwrap()], Duration::from_millis(20));
        assert_eq!(counted, Counted { asked: TRIES_PER_WORKER as u64, answered: 0 });
        assert_eq!(probes.ask(&[], Duration::ZERO), Counted::default());
    }
}
