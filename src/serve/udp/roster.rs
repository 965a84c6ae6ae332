//! The workers as somebody sees them who watches whether they make progress: what each has done, and whether something waits.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::counters::Counters;

/// One socket of one worker. It does not keep the socket open.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) worker: usize,
    pub(super) local: SocketAddr,
    pub(super) socket: Weak<UdpSocket>,
}

/// What is to be seen of one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Batches that it has done with; grows as long as it makes progress.
    pub done: u64,
    /// True if a datagram waits in one of its sockets.
    pub waiting: bool,
}

/// The workers and their sockets. Looking costs them nothing.
#[derive(Clone, Debug)]
pub struct Roster {
    progress: Arc<[Arc<Counters>]>,
    placed: Arc<Mutex<Vec<Placed>>>,
}

impl Roster {
    pub(super) fn new(progress: Arc<[Arc<Counters>]>, placed: Arc<Mutex<Vec<Placed>>>) -> Self {
        Self { progress, placed }
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.progress.len()
    }

    /// Each worker as it is now, in the order of their numbers.
    pub fn look(&self) -> Vec<Sight> {
        // waiting first: what is taken in between counts as progress, never as a wait without any
        let waiting = self.waiting();
        let sight = |(counters, waiting): (&Arc<Counters>, bool)| Sight { done: counters.counts().batches, waiting };
        self.progress.iter().zip(waiting).map(sight).collect()
    }

    /// The addresses that are served, each once.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let open = placed.iter().filter(|placed| placed.socket.strong_count() > 0);
        let mut addresses: Vec<SocketAddr> = open.map(|placed| placed.local).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    fn waiting(&self) -> Vec<bool> {
        let mut waiting = vec![false; self.progress.len()];
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        for Placed { worker, socket, .. } in &*placed {
            if let (Some(socket), Some(waiting)) = (socket.upgrade(), waiting.get_mut(*worker)) {
                *waiting |= is_readable(&socket);
            }
        }
        waiting
    }
}

/// True if something can be taken from the socket without waiting, be it a datagram of no octets.
fn is_readable(socket: &UdpSocket) -> bool {
    let mut asked = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
