//! Identical misses become one question: the first asker leads, the others wait for what it finds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use contract::limits::{MISSES_MAX, MISSES_PER_CLIENT_MAX};
use contract::{Bound, Boxed, Failure, Served};
use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Those who wait for somebody else's question.
type Waiters = Vec<oneshot::Sender<Served>>;

/// The questions under way by their store key.
#[derive(Debug, Default)]
pub struct Flights(Mutex<HashMap<Arc<[u8]>, Waiters, RandomState>>);

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
    /// `None` once it has landed.
    key: Option<Arc<[u8]>>,
}

/// A question that somebody else asks.
pub struct Flight(oneshot::Receiver<Served>);

impl Flights {
    /// Takes a seat for a key.
    pub fn board(self: &Arc<Self>, key: &[u8]) -> Seat {
        let mut map = self.map();
        if let Some(waiters) = map.get_mut(key) {
            let (tell, told) = oneshot::channel();
            waiters.push(tell);
            return Seat::Wait(Flight(told));
        }
        let key: Arc<[u8]> = key.into();
        map.insert(Arc::clone(&key), Waiters::new());
        Seat::Lead(Lead { flights: Arc::clone(self), key: Some(key) })
    }

    /// Questions under way.
    pub fn len(&self) -> usize {
        self.map().len()
    }

    /// True if no question is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Arc<[u8]>, Waiters, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// Tells all waiters. What is stored must be stored before.
    pub fn land(mut self, served: &Served) {
        for waiter in self.leave() {
            let _ = waiter.send(served.clone()); // who waited may have gone
        }
    }

    /// Frees the key; whoever waited is told when these are used or dropped.
    fn leave(&mut self) -> Waiters {
        self.key.take().and_then(|key| self.flights.map().remove(&key)).unwrap_or_default()
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Flight {
    /// Waits for the end. A leader that was lost is told as [`Failure::Panicked`].
    pub async fn landed(self) -> Served {
        self.0.await.unwrap_or(Err(Failure::Panicked))
    }
}

/// A question asked within the task of its first asker. If that asker has gone before the end, it goes on in a task of its
/// own: others may wait for it, and the store will have its answer.
pub(super) struct Voyage {
    /// `None` at the end.
    asking: Option<Boxed<'static, Served>>,
    runtime: Handle,
}

impl Voyage {
    /// A question that is asked once it is polled.
    pub(super) fn new(asking: impl Future<Output = Served> + Send + 'static, runtime: &Handle) -> Self {
        Self { asking: Some(Box::pin(asking)), runtime: runtime.clone() }
    }

    /// Goes on in a task of its own from the start.
    pub(super) async fn depart(mut self) -> Served {
        let asking = self.asking.take().expect("it has not begun");
        self.runtime.spawn(asking).await.unwrap_or(Err(Failure::Panicked))
    }
}

impl Future for Voyage {
    type Output = Served;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Served> {
        let asking = self.asking.as_mut().expect("it is not polled after its end");
        let served = asking.as_mut().poll(context);
        if served.is_ready() {
            self.asking = None;
        }
        served
    }
}

impl Drop for Voyage {
    fn drop(&mut self) {
        // What panicked cannot go on.
        if let Some(asking) = self.asking.take().filter(|_| !std::thread::panicking()) {
            self.runtime.spawn(asking);
        }
    }
}

/// Bounds the misses of all clients and of each, so that one pod cannot starve the others.
#[derive(Debug)]
pub struct Turnstile {
    all: AtomicUsize,
    all_max: usize,
    per_client_max: usize,
    /// How many are let in while memory is short; at other times more than ever come.
    admitted: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize>>,
}

/// A miss under way; leaving gives the place back.
pub struct Turn {
    turnstile: Arc<Turnstile>,
    client: IpAddr,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self::new(MISSES_MAX)
    }
}

impl Turnstile {
    /// One that lets so many misses in at once, at most [`MISSES_MAX`]; of one client at most half of them.
    pub fn new(misses_max: usize) -> Self {
        let all_max = misses_max.min(MISSES_MAX);
        let per_client_max = MISSES_PER_CLIENT_MAX.min(all_max / 2);
        let (all, admitted, clients) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX), Mutex::default());
        Self { all, all_max, per_client_max, admitted, clients }
    }

    /// Memory is short: no more than so many are let in from now on. `None`: it no longer is.
    pub fn admit(&self, misses: Option<usize>) {
        self.admitted.store(misses.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// True while memory is short.
    pub fn is_narrow(&self) -> bool {
        self.admitted.load(Ordering::Relaxed) != usize::MAX
    }

    /// Lets one more miss of a client in, or says which bound is reached.
    pub fn enter(self: &Arc<Self>, client: IpAddr) -> Result<Turn, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = self.all.load(Ordering::Relaxed);
        if inside >= self.admitted.load(Ordering::Relaxed) {
            return Err(Bound::Memory.reached());
        }
        if inside >= self.all_max {
            return Err(Bound::Misses.reached());
        }
        let own = clients.entry(client).or_default();
        if *own >= self.per_client_max {
            return Err(Bound::MissesPerClient.reached());
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
        let Seat::Wait(waiting) = flights.board(b"k") else { panic!("the second waits") };
        assert!(matches!(flights.board(b"other"), Seat::Lead(_)));
        lead.land(&Err(Failure::Prohibited));
        assert_eq!(waiting.landed().await.unwrap_err(), Failure::Prohibited);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_lost_leader_is_told() {
        let flights = Arc::new(Flights::default());
        let Seat::Lead(lead) = flights.board(b"k") else { panic!("the first leads") };
        let Seat::Wait(flight) = flights.board(b"k") else { panic!("the second waits") };
        drop(lead);
        assert_eq!(flight.landed().await.unwrap_err(), Failure::Panicked);
        assert!(matches!(flights.board(b"k"), Seat::Lead(_)), "the key is free again");
    }

    #[tokio::test]
    async fn a_question_outlives_its_first_asker() {
        let flights = Arc::new(Flights::default());
        let Seat::Lead(lead) = flights.board(b"k") else { panic!("the first leads") };
        let Seat::Wait(flight) = flights.board(b"k") else { panic!("the second waits") };
        let (answer, answered) = oneshot::channel();
        let asking = async move {
            let served = answered.await.unwrap_or(Err(Failure::Panicked));
            lead.land(&served);
            served
        };
        let mut voyage = Voyage::new(asking, &Handle::current());
        assert!(futures_util::poll!(&mut voyage).is_pending(), "it waits for its upstream");
        drop(voyage);
        answer.send(Err(Failure::Prohibited)).unwrap();
        assert_eq!(flight.landed().await.unwrap_err(), Failure::Prohibited);
    }

    #[test]
    fn while_memory_is_short_only_a_few_are_let_in() {
        let turnstile = Arc::new(Turnstile::new(10));
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let inside = turnstile.enter(client).unwrap();
        turnstile.admit(Some(2));
        let second = turnstile.enter(client).unwrap();
        let refused = turnstile.enter(client).err().unwrap();
        assert_eq!(refused, Bound::Memory.reached());
        drop((inside, second));
        turnstile.admit(Some(0));
        assert!(turnstile.is_narrow() && turnstile.enter(client).is_err());
        turnstile.admit(None);
        let turns: Vec<_> = (0..5).map(|_| turnstile.enter(client).unwrap()).collect();
        assert_eq!(turnstile.enter(client).err().unwrap(), Bound::MissesPerClient.reached());
        drop(turns);
    }

    #[test]
    fn one_client_cannot_take_every_place() {
        let turnstile = Arc::new(Turnstile::default());
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let turns: Vec<_> = (0..MISSES_PER_CLIENT_MAX).map(|_| turnstile.enter(greedy).unwrap()).collect();
        let refused = turnstile.enter(greedy).err().unwrap();
        assert_eq!(refused, Bound::MissesPerClient.reached());
        assert!(turnstile.enter("192.0.2.2".parse().unwrap()).is_ok());
        drop(turns);
        assert_eq!(turnstile.inside(), 0);
        assert!(turnstile.enter(greedy).is_ok());
    }
}
