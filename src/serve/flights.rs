//! Identical misses become one question: the first asker leads, the others wait for what it finds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::limits::{MISSES_MAX, MISSES_PER_CLIENT_MAX};
use contract::{Bound, Failure, Served};
use tokio::sync::watch;

/// What a flight has found so far: nothing, or its end.
type Found = Option<Served>;

/// The questions under way by their store key.
#[derive(Debug, Default)]
pub struct Flights(Mutex<HashMap<Box<[u8]>, watch::Receiver<Found>>>);

/// A place in a flight.
pub enum Seat {
    /// Nobody asks this yet: ask, then land.
    Lead(Lead),
    /// Somebody asks this already.
    Wait(Flight),
}

/// The right and duty to ask. Dropping it without landing tells the waiters that the question was lost.
pub struct Lead {
    flights: Arc<Flights>,
    key: Box<[u8]>,
    result: watch::Sender<Found>,
}

/// A question under way.
#[derive(Clone)]
pub struct Flight(watch::Receiver<Found>);

impl Flights {
    /// Takes a seat for a key.
    pub fn board(self: &Arc<Self>, key: &[u8]) -> Seat {
        match self.map().entry(key.into()) {
            Entry::Occupied(flight) => Seat::Wait(Flight(flight.get().clone())),
            Entry::Vacant(free) => {
                let (result, waiting) = watch::channel(None);
                free.insert(waiting);
                Seat::Lead(Lead { flights: Arc::clone(self), key: key.into(), result })
            }
        }
    }

    /// Questions under way.
    pub fn len(&self) -> usize {
        self.map().len()
    }

    /// True if no question is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, watch::Receiver<Found>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// The flight itself, to wait in it like everybody else.
    pub fn flight(&self) -> Flight {
        Flight(self.result.subscribe())
    }

    /// Tells all waiters. What is stored must be stored before.
    pub fn land(self, served: Served) {
        self.result.send_replace(Some(served));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.map().remove(&self.key);
    }
}

impl Flight {
    /// Waits for the end. A leader that panicked is told as [`Failure::Panicked`].
    pub async fn landed(&mut self) -> Served {
        match self.0.wait_for(Option::is_some).await {
            Ok(found) => found.clone().unwrap_or(Err(Failure::Panicked)),
            Err(_) => Err(Failure::Panicked),
        }
    }
}

/// Bounds the misses of all clients and of each, so that one pod cannot starve the others.
#[derive(Debug, Default)]
pub struct Turnstile {
    all: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize>>,
}

/// A miss under way; leaving gives the place back.
pub struct Turn {
    turnstile: Arc<Turnstile>,
    client: IpAddr,
}

impl Turnstile {
    /// Lets one more miss of a client in, or says which bound is reached.
    pub fn enter(self: &Arc<Self>, client: IpAddr) -> Result<Turn, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if self.all.load(Ordering::Relaxed) >= MISSES_MAX {
            return Err(Failure::Bound { bound: Bound::Misses });
        }
        let own = clients.entry(client).or_default();
        if *own >= MISSES_PER_CLIENT_MAX {
            return Err(Failure::Bound { bound: Bound::MissesPerClient });
        }
        *own += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        Ok(Turn { turnstile: Arc::clone(self), client })
    }

    /// Misses under way.
    pub fn inside(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut clients = self.turnstile.clients.lock().unwrap_or_else(PoisonError::into_inner);
        self.turnstile.all.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut own) = clients.entry(self.client) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_leads_the_others_hear_of_it() {
        let flights = Arc::new(Flights::default());
        let Seat::Lead(lead) = flights.board(b"k") else { panic!("the first leads") };
        let Seat::Wait(mut waiting) = flights.board(b"k") else { panic!("the second waits") };
        assert!(matches!(flights.board(b"other"), Seat::Lead(_)));
        lead.land(Err(Failure::Prohibited));
        assert_eq!(waiting.landed().await.unwrap_err(), Failure::Prohibited);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_lost_leader_is_told() {
        let flights = Arc::new(Flights::default());
        let Seat::Lead(lead) = flights.board(b"k") else { panic!("the first leads") };
        let mut flight = lead.flight();
        drop(lead);
        assert_eq!(flight.landed().await.unwrap_err(), Failure::Panicked);
        assert!(matches!(flights.board(b"k"), Seat::Lead(_)), "the key is free again");
    }

    #[test]
    fn one_client_cannot_take_every_place() {
        let turnstile = Arc::new(Turnstile::default());
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let turns: Vec<_> = (0..MISSES_PER_CLIENT_MAX).map(|_| turnstile.enter(greedy).unwrap()).collect();
        let refused = turnstile.enter(greedy).err().unwrap();
        assert_eq!(refused, Failure::Bound { bound: Bound::MissesPerClient });
        assert!(turnstile.enter("192.0.2.2".parse().unwrap()).is_ok());
        drop(turns);
        assert_eq!(turnstile.inside(), 0);
        assert!(turnstile.enter(greedy).is_ok());
    }
}
