//! Which searches have asked their candidates in full: until then no candidate is taken for missing on a cut's word.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::mem;
use std::sync::{Mutex, PoisonError};

use contract::ListId;
use contract::limits::SEEN_HALF_MAX;
use contract::wire::{Name, RecordType};

/// Remembers for each list, name and type how many candidates were judged in full, from the first one on. Two that share a
/// hash of 64 seeded bits are one to it. Forgetting costs questions, never truth.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    halves: Mutex<Halves>,
    hasher: foldhash::quality::RandomState,
}

type Half = HashMap<u64, u8, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
struct Halves {
    young: Half,
    old: Half,
}

impl Seen {
    /// The search as a number.
    pub(crate) fn search(&self, list: ListId, name: &Name, rtype: RecordType) -> u64 {
        self.hasher.hash_one((list, name.as_wire(), rtype.0))
    }

    /// The name of a search as a number, whatever the type.
    pub(crate) fn name(&self, list: ListId, name: &Name) -> u64 {
        self.hasher.hash_one((list, name.as_wire()))
    }

    /// How many candidates of this search, from the first one on, were found missing when they were asked in full.
    pub(crate) fn judged(&self, search: u64) -> usize {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judged) = halves.young.get(&search) {
            return usize::from(*judged);
        }
        let Some(judged) = halves.old.remove(&search) else { return 0 };
        halves.remember(search, judged);
        usize::from(judged)
    }

    /// So many were, and the next one exists: it is asked in full until it is found missing again.
    pub(crate) fn note(&self, search: u64, judged: usize) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.remember(search, u8::try_from(judged).unwrap_or(u8::MAX));
    }
}

impl Halves {
    fn remember(&mut self, search: u64, judged: u8) {
        if self.young.len() >= SEEN_HALF_MAX && !self.young.contains_key(&search) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(search, judged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_rest_is_bounded() {
        let seen = Seen::default();
        assert_eq!(seen.judged(0), 0);
        seen.note(0, 1);
        seen.note(0, 3);
        assert_eq!(seen.judged(0), 3);
        for number in 1..4 * SEEN_HALF_MAX as u64 {
            seen.note(number, 2);
            if number % 1_000 == 0 {
                assert_eq!(seen.judged(0), 3, "in use");
            }
        }
        assert_eq!(seen.judged(1), 0, "long forgotten");
        let halves = seen.halves.lock().unwrap();
        assert!(halves.young.len() <= SEEN_HALF_MAX && halves.old.len() <= SEEN_HALF_MAX);
    }

    #[test]
    fn lists_names_and_types_are_apart() {
        let seen = Seen::default();
        let name = |text: &str| Name::parse(text).unwrap();
        let one = seen.search(ListId(1), &name("a.b"), RecordType::A);
        assert_ne!(one, seen.search(ListId(2), &name("a.b"), RecordType::A));
        assert_ne!(one, seen.search(ListId(1), &name("a.c"), RecordType::A));
        assert_ne!(one, seen.search(ListId(1), &name("a.b"), RecordType::AAAA));
        assert_eq!(one, seen.search(ListId(1), &name("a.b"), RecordType::A));
        assert_ne!(seen.name(ListId(1), &name("a.b")), seen.name(ListId(2), &name("a.b")));
    }
}
