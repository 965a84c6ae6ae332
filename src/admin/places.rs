//! How many connections one address for operators has at once, and each client of them: nobody keeps the others out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of one address, by client.
pub(crate) struct Places {
    all: usize,
    of_client: usize,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A connection's place; it goes with its value.
pub(crate) struct Place {
    places: Arc<Places>,
    client: IpAddr,
}

impl Places {
    /// At most `all` connections, `of_client` of them from one address.
    pub(crate) fn new(all: usize, of_client: usize) -> Self {
        Self { all, of_client, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a client, if it and all have one left.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= self.all {
            return None;
        }
        let own = taken.entry(client).or_default();
        if *own >= self.of_client {
            return None;
        }
        *own += 1;
        Some(Place { places: Arc::clone(self), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_keep_the_others_out() {
        let places = Arc::new(Places::new(64, 16));
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut held: Vec<_> = (0..16).map(|_| places.take(one).unwrap()).collect();
        assert!(places.take(one).is_none());
        let of_other = places.take(other).unwrap();
        held.pop();
        assert!(places.take(one).is_some());
        drop((held, of_other));
        assert!(places.taken().is_empty());
    }

    #[test]
    fn all_clients_together_have_no_more_than_all_places() {
        let places = Arc::new(Places::new(2, 2));
        let held: Vec<_> = (1..=2).map(|last| places.take([10, 0, 0, last].into()).unwrap()).collect();
        assert!(places.take([10, 0, 0, 3].into()).is_none());
        drop(held);
        assert!(places.take([10, 0, 0, 3].into()).is_some());
    }
}
