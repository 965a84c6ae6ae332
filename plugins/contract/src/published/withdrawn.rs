//! What was published and is no more, the latest of it, for as long as it matters.

use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use crate::clock::Moment;
use crate::limits::{WITHDRAWN_FOR, WITHDRAWN_MAX};
use crate::published::is_of;
use crate::wire::{Name, RecordType};

/// Types of names that were withdrawn.
#[derive(Debug, Default)]
pub(super) struct Withdrawn {
    hasher: RandomState,
    /// In order of time.
    entries: VecDeque<Entry>,
    /// The number of the first of them.
    first: u64,
    /// Hashes of names with the numbers of their entries. An entry that is not found here counts no more.
    by_name: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    /// `None`: any may have been.
    rtype: Option<RecordType>,
    since: Moment,
}

impl Withdrawn {
    /// Records of this type were just withdrawn.
    pub(super) fn note(&mut self, name: Name, rtype: Option<RecordType>, now: Moment) {
        self.forget(&name, rtype);
        while self.entries.front().is_some_and(|oldest| is_over(oldest, now)) || self.entries.len() >= WITHDRAWN_MAX {
            self.forget_oldest();
        }
        let number = self.first + self.entries.len() as u64;
        self.by_name.insert((self.hash(&name), number));
        self.entries.push_back(Entry { name, rtype, since: now });
    }

    /// They are published again.
    pub(super) fn forget(&mut self, name: &Name, rtype: Option<RecordType>) {
        if self.by_name.is_empty() {
            return;
        }
        let (hash, found) = (self.hash(name), self.of(name).find(|(_, entry)| entry.rtype == rtype));
        if let Some(number) = found.map(|(number, _)| number) {
            self.by_name.remove(&(hash, number));
        }
    }

    /// Whether records that answer a question of this type were withdrawn a short while ago.
    pub(super) fn was(&self, name: &Name, rtype: RecordType, now: Moment) -> bool {
        self.of(name).any(|(_, entry)| is_of(entry.rtype, rtype) && !is_over(entry, now))
    }

    /// Names of which something was withdrawn, in wire form, some of them of late and some again published.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| entry.name.as_wire())
    }

    /// The entries of a name, with their numbers.
    fn of(&self, name: &Name) -> impl Iterator<Item = (u64, &Entry)> {
        let hash = self.hash(name);
        let numbers = self.by_name.range((hash, 0)..=(hash, u64::MAX)).map(|(_, number)| *number);
        let entries = numbers.map(|number| (number, &self.entries[(number - self.first) as usize]));
        entries.filter(move |(_, entry)| entry.name == *name)
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.by_name.remove(&(self.hash(&oldest.name), self.first));
            self.first += 1;
        }
    }

    fn hash(&self, name: &Name) -> u64 {
        self.hasher.hash_one(name.as_wire())
    }
}

fn is_over(entry: &Entry, now: Moment) -> bool {
    now.since(entry.since) >= WITHDRAWN_FOR
}
