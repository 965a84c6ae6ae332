//! The sessions of a listener in shares, each with a lock of its own, so that the threads seldom wait for each other.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Moment;
use contract::limits::{PROXY_SESSION_SHARES_MAX, PROXY_SESSIONS_PER_SHARE_MIN};

use crate::sessions::Sessions;

/// Clients by the sender's address, each sender in one share.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Nobody can choose addresses that all come into one share.
    hasher: RandomState,
    shares: Box<[Share]>,
}

/// On lines of the processor's cache that are its own.
#[derive(Debug)]
#[repr(align(128))]
struct Share(Mutex<Sessions>);

impl Shares {
    /// At most `most` together, at least one, each for so long after its last use.
    pub(crate) fn new(lasts: Duration, most: usize) -> Self {
        let count = (most / PROXY_SESSIONS_PER_SHARE_MIN).clamp(1, PROXY_SESSION_SHARES_MAX);
        let room = |index| most / count + usize::from(index < most % count);
        let shares = (0..count).map(|index| Share(Mutex::new(Sessions::new(lasts, room(index))))).collect();
        Self { hasher: RandomState::new(), shares }
    }

    /// Remembers who is behind a sender. Where its share has no room, who was not used there for longest goes.
    pub(crate) fn note(&self, sender: SocketAddr, client: SocketAddr, now: Moment) {
        self.share(sender).note(sender, client, now);
    }

    /// Who is behind a sender, as far as that is remembered; its time begins anew.
    pub(crate) fn client(&self, sender: SocketAddr, now: Moment) -> Option<SocketAddr> {
        self.share(sender).client(sender, now)
    }

    fn share(&self, sender: SocketAddr) -> MutexGuard<'_, Sessions> {
        self.shares[self.place(sender)].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, sender: SocketAddr) -> usize {
        // the remainder is below the number of shares
        (self.hasher.hash_one(sender) % self.shares.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn shares_have_all_room_together_and_none_is_tiny() {
        for (most, count) in [(1, 1), (2, 1), (319, 1), (320, 2), (1_003, 6), (10_240, 64), (1_000_000, 64)] {
            let shares = Shares::new(Duration::from_secs(1), most);
            let rooms: Vec<usize> = shares.shares.iter().map(|share| share.0.lock().unwrap().room()).collect();
            assert_eq!((rooms.len(), rooms.iter().sum::<usize>()), (count, most));
            assert!(count == 1 || rooms.iter().all(|room| *room >= PROXY_SESSIONS_PER_SHARE_MIN), "{rooms:?}");
        }
    }

    #[test]
    fn senders_do_not_wait_for_those_of_other_shares() {
        let shares = Shares::new(Duration::from_secs(1), 10_240);
        let (one, place) = (at(1), shares.place(at(1)));
        let _held = shares.share(one);
        // of 64 senders one is in this share
        let others: Vec<SocketAddr> = (2..1_002).map(at).filter(|other| shares.place(*other) != place).collect();
        assert!(others.len() > 800, "{} of 1000", others.len());
        for other in &others {
            let share = shares.shares[shares.place(*other)].0.try_lock();
            share.expect("nobody else has this lock").note(*other, one, Moment(0));
        }
        assert!(others.iter().all(|other| shares.client(*other, Moment(1)) == Some(one)));
    }
}
