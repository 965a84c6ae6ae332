//! Since when the zone shows what objects say: noted as its resolver answers, for whoever asks later.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use contract::Moment;
use contract::limits::SIGHTINGS_HALF_MAX;
use contract::wire::{Name, RecordType};

use super::data::{Records, View};
use super::said::{Expected, Said};

/// What was seen, in two halves: a full one becomes the older one, and what nobody asks for leaves with it.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    halves: Mutex<Halves>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Name, Vec<Sighting>>,
    old: HashMap<Name, Vec<Sighting>>,
}

/// One type of a name was shown as objects say.
#[derive(Clone, Debug)]
struct Sighting {
    rtype: RecordType,
    since: Moment,
    /// A number for the records that were shown: other ones have another.
    records: u64,
}

impl Sightings {
    /// Takes note of what the zone shows. True if it shows what objects say and did not before, as far as is known.
    pub(super) fn note(&self, name: &Name, rtype: RecordType, view: &View, said: &Said, now: Moment) -> bool {
        let is_shown = matches!(said.expected(rtype), Expected::OneOf(sets) if sets.contains(&view.records));
        let number = self.number(&view.records);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_name = halves.take(name);
        let before = of_name.iter().position(|one| one.rtype == rtype).map(|at| of_name.swap_remove(at));
        let stays = before.filter(|one| is_shown && one.records == number);
        let is_new = is_shown && stays.is_none();
        if is_shown {
            of_name.push(stays.unwrap_or(Sighting { rtype, since: now, records: number }));
        }
        halves.put(name, of_name);
        is_new
    }

    /// Since when the zone shows what objects say now; `None` if it has not been seen.
    pub(super) fn since(&self, name: &Name, said: &Said) -> Option<Moment> {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = halves.young.get(name).or_else(|| halves.old.get(name))?;
        let holds = |one: &&Sighting| match said.expected(one.rtype) {
            Expected::OneOf(sets) => sets.iter().any(|set| self.number(set) == one.records),
            Expected::Nothing(_) | Expected::Anything(_) | Expected::Unknown => false,
        };
        of_name.iter().filter(holds).map(|one| one.since).min()
    }

    fn number(&self, records: &Records) -> u64 {
        self.hasher.hash_one(records)
    }
}

impl Halves {
    fn take(&mut self, name: &Name) -> Vec<Sighting> {
        self.young.remove(name).or_else(|| self.old.remove(name)).unwrap_or_default()
    }

    fn put(&mut self, name: &Name, of_name: Vec<Sighting>) {
        if of_name.is_empty() {
            return;
        }
        if self.young.len() >= SIGHTINGS_HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name.clone(), of_name);
    }
}
