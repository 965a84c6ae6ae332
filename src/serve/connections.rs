//! How many clients may be connected at once, over all listeners of the process: TCP, TLS and HTTPS together.
//!
//! At the bound the connection that has been idle longest makes room; if none is idle the new one is refused. One client
//! address has a share only, within which its own connections make room for each other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT_MAX};
use tokio::sync::Notify;

/// The mark of a connection that has questions under way or replies to write; all other marks say since when it is idle.
const BUSY: u64 = u64::MAX;

/// The connections of the process.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    per_client_max: usize,
    seats: Mutex<Seats>,
    /// Grows with every turn to idleness: an order in time without a clock.
    order: AtomicU64,
    tallies: Tallies,
}

#[derive(Debug, Default)]
struct Seats {
    next_number: u64,
    by_number: HashMap<u64, Arc<State>>,
    by_client: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct State {
    client: IpAddr,
    idle_since: AtomicU64,
    cut: Notify,
}

#[derive(Debug, Default)]
struct Tallies {
    accepted: AtomicU64,
    refused: AtomicU64,
    displaced: AtomicU64,
    slow: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

/// What happened to connections. All but `open` only grow.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: u64,
    /// Accepted ever.
    pub accepted: u64,
    /// Closed at once because no idle connection could make room.
    pub refused: u64,
    /// Idle ones that made room.
    pub displaced: u64,
    /// Cut because the client did not read its replies.
    pub slow: u64,
    /// The system could not accept one, or a TLS or HTTP/2 handshake failed or took too long.
    pub failed: u64,
    /// Questions that got SERVFAIL because answering them panicked.
    pub panicked: u64,
}

/// What is counted one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mishap {
    Slow,
    Failed,
    Panicked,
}

impl Default for Connections {
    fn default() -> Self {
        Self::new(CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT_MAX)
    }
}

impl Connections {
    /// At most `max` connections, `per_client_max` of them from one address.
    pub fn new(max: usize, per_client_max: usize) -> Self {
        let (seats, order, tallies) = (Mutex::default(), AtomicU64::new(0), Tallies::default());
        Self { max, per_client_max, seats, order, tallies }
    }

    /// The counts.
    pub fn counts(&self) -> ConnectionCounts {
        let Tallies { accepted, refused, displaced, slow, failed, panicked } = &self.tallies;
        let value = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        ConnectionCounts {
            open: self.seats().by_number.len() as u64,
            accepted: value(accepted),
            refused: value(refused),
            displaced: value(displaced),
            slow: value(slow),
            failed: value(failed),
            panicked: value(panicked),
        }
    }

    /// A seat for a new connection, idle; `None` if it is refused.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Seat> {
        let client = client.to_canonical();
        let mut seats = self.seats();
        let own = seats.by_client.get(&client).copied().unwrap_or(0);
        let room = if own >= self.per_client_max {
            self.displace(&mut seats, Some(client))
        } else {
            seats.by_number.len() < self.max || self.displace(&mut seats, None)
        };
        if !room {
            self.tallies.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.tallies.accepted.fetch_add(1, Ordering::Relaxed);
        let number = seats.next_number;
        seats.next_number += 1;
        let state = Arc::new(State { client, idle_since: AtomicU64::new(self.turn()), cut: Notify::new() });
        seats.by_number.insert(number, Arc::clone(&state));
        *seats.by_client.entry(client).or_default() += 1;
        Some(Seat { connections: Arc::clone(self), number, state })
    }

    pub(super) fn note(&self, mishap: Mishap) {
        let tally = match mishap {
            Mishap::Slow => &self.tallies.slow,
            Mishap::Failed => &self.tallies.failed,
            Mishap::Panicked => &self.tallies.panicked,
        };
        tally.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the seat of the connection that is idle longest, of this client or of all; false if none is idle.
    fn displace(&self, seats: &mut Seats, client: Option<IpAddr>) -> bool {
        let candidates = seats.by_number.iter().filter(|(_, state)| client.is_none_or(|client| state.client == client));
        let idle = candidates.map(|(&number, state)| (state.idle_since.load(Ordering::Relaxed), number));
        let Some((_, number)) = idle.filter(|&(since, _)| since != BUSY).min() else {
            return false;
        };
        if let Some(state) = seats.leave(number) {
            state.cut.notify_one();
            self.tallies.displaced.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    fn turn(&self) -> u64 {
        self.order.fetch_add(1, Ordering::Relaxed)
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Each change is complete before anything can panic.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    fn leave(&mut self, number: u64) -> Option<Arc<State>> {
        let state = self.by_number.remove(&number)?;
        if let Some(own) = self.by_client.get_mut(&state.client) {
            *own -= 1;
            if *own == 0 {
                self.by_client.remove(&state.client);
            }
        }
        Some(state)
    }
}

/// One connection's place. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Arc<Connections>,
    number: u64,
    state: Arc<State>,
}

impl Seat {
    /// It has something under way.
    pub(super) fn busy(&self) {
        self.state.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// It has nothing under way, from now on.
    pub(super) fn idle(&self) {
        if self.state.idle_since.load(Ordering::Relaxed) == BUSY {
            self.state.idle_since.store(self.connections.turn(), Ordering::Relaxed);
        }
    }

    /// Makes it the seat of another client, whom a proxy has told of: within that one's share, where its own connections make
    /// room. False if none does, or if the connection had to make room itself.
    #[must_use]
    pub(super) fn give_to(&mut self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let mut seats = self.connections.seats();
        if client == self.state.client {
            return true;
        }
        let own = seats.by_client.get(&client).copied().unwrap_or(0);
        let room = own < self.connections.per_client_max || self.connections.displace(&mut seats, Some(client));
        let was_there = seats.leave(self.number).is_some();
        if !room {
            self.connections.tallies.refused.fetch_add(1, Ordering::Relaxed);
        }
        if !room || !was_there {
            return false;
        }
        let idle_since = AtomicU64::new(self.state.idle_since.load(Ordering::Relaxed));
        let state = Arc::new(State { client, idle_since, cut: Notify::new() });
        seats.by_number.insert(self.number, Arc::clone(&state));
        *seats.by_client.entry(client).or_default() += 1;
        drop(seats);
        self.state = state;
        true
    }

    /// Ends when the connection has to make room.
    pub(super) async fn cut(&self) {
        self.state.cut.notified().await;
    }

    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.seats().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn the_longest_idle_makes_room_and_busy_ones_never() {
        let connections = Arc::new(Connections::new(3, 3));
        let seats: Vec<_> = (1..=3).map(|last| connections.admit(ip(last)).unwrap()).collect();
        seats[0].busy();
        seats[1].busy();
        seats[1].idle();
        let fourth = connections.admit(ip(4)).unwrap();
        let cut: Vec<_> = seats.iter().map(|seat| seat.cut().now_or_never().is_some()).collect();
        assert_eq!(cut, [false, false, true], "the third has been idle since it came");
        seats[1].busy();
        fourth.busy();
        assert!(connections.admit(ip(5)).is_none());
        drop(seats);
        let counts = connections.counts();
        assert_eq!((counts.open, counts.accepted, counts.refused, counts.displaced), (1, 4, 1, 1));
    }

    #[test]
    fn a_client_has_a_share() {
        let connections = Arc::new(Connections::new(8, 2));
        let other = connections.admit(ip(2)).unwrap();
        let first = connections.admit(ip(1)).unwrap();
        let second = connections.admit("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        let _third = connections.admit(ip(1)).unwrap();
        assert!(first.cut().now_or_never().is_some() && other.cut().now_or_never().is_none());
        second.busy();
        drop(first);
        assert_eq!(connections.counts().open, 3);
    }

    #[test]
    fn a_seat_goes_over_to_the_client_that_a_proxy_tells_of() {
        let connections = Arc::new(Connections::new(8, 2));
        let [mut first, mut second, mut third] = [1; 3].map(|proxy| {
            let mut seat = connections.admit(ip(proxy)).unwrap();
            assert!(seat.give_to(ip(7)));
            seat
        });
        // the third had to make the first go
        assert!(first.cut().now_or_never().is_some() && !first.give_to(ip(8)));
        assert_eq!(connections.counts().open, 2);
        assert!(second.give_to(ip(8)) && second.give_to(ip(8)));
        second.busy();
        third.busy();
        let mut fourth = connections.admit(ip(1)).unwrap();
        assert!(fourth.give_to(ip(7)), "there is room for one");
        fourth.busy();
        let mut fifth = connections.admit(ip(1)).unwrap();
        assert!(!fifth.give_to(ip(7)), "both are busy");
        assert!(third.give_to(ip(9)));
        drop((first, second, third, fourth, fifth));
        assert!(connections.seats().by_client.is_empty() && connections.seats().by_number.is_empty());
        assert_eq!(connections.counts().refused, 1);
    }
}
