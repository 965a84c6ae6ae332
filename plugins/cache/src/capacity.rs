//! How many answers of a class a block may have, and how many octets all of them: queues in the order of storing,
//! touched only when something is stored or leaves.
//!
//! ```text
//!   stored --> [ newest ... oldest ] --over a bound--> asked for since? back to the newest end, else out
//! ```
//!
//! A queue holds keys. What was removed or changed its class meanwhile has another key's memory, or none, in the map, and
//! is skipped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use contract::metrics::{Counter, Gauge, Metrics};
use foldhash::quality::SeedableRandomState;

use crate::Entry;
use crate::key::{BlockId, block_of};

/// The map of the store, pinned: what is read in it stays in memory meanwhile.
pub(crate) type Answers = papaya::HashMap<Arc<[u8]>, Entry, SeedableRandomState>;

/// A class of memorised answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// With records of the type asked for.
    Success,
    /// NXDOMAIN, or NOERROR without such records (RFC 2308).
    Denial,
    /// A failure of upstream (RFC 9520); counted with the denials.
    Failure,
}

impl Class {
    /// The name of the room that it lives in, as metrics have it.
    fn room(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denial | Self::Failure => "denial",
        }
    }

    fn shares_room_with(self, other: Self) -> bool {
        self.room() == other.room()
    }
}

/// How metrics name a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockLabels {
    /// The server, `dns://:53`.
    pub server: String,
    /// The zones that are memorised, with commas.
    pub zones: String,
    /// The view, empty without one.
    pub view: String,
}

/// The rooms of all blocks, and what is in them together. Whoever changes the map holds it.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    blocks: HashMap<BlockId, BlockRooms>,
    /// Octets of all entries.
    octets: u64,
}

/// The rooms of one block.
#[derive(Debug)]
pub(crate) struct BlockRooms {
    success: Room,
    denial: Room,
    /// Refreshes ahead of expiry, and of stale answers.
    pub(crate) prefetches: Arc<Counter>,
    /// Replies to another question than the one that was asked.
    pub(crate) drops: Arc<Counter>,
}

/// The room that one class of one block has.
#[derive(Debug)]
struct Room {
    live: usize,
    octets: u64,
    queue: VecDeque<Arc<[u8]>>,
    entries: Arc<Gauge>,
    evictions: Arc<Counter>,
}

/// How many entries that were asked for eviction passes by before it takes one all the same.
const SPARED_MAX: usize = 32;

impl Rooms {
    /// The rooms of a block; made with these labels if they are new.
    pub(crate) fn of(
        &mut self,
        block: BlockId,
        metrics: &Metrics,
        labels: impl FnOnce() -> BlockLabels,
    ) -> &mut BlockRooms {
        self.blocks.entry(block).or_insert_with(|| BlockRooms::new(metrics, &labels()))
    }

    /// Octets of all entries.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// How many entries of a class a block has.
    pub(crate) fn live(&self, block: BlockId, class: Class) -> usize {
        self.blocks.get(&block).map_or(0, |rooms| rooms.room(class).live)
    }

    #[cfg(test)]
    pub(crate) fn queued(&self, block: BlockId, class: Class) -> usize {
        self.blocks.get(&block).map_or(0, |rooms| rooms.room(class).queue.len())
    }

    /// Stores an entry in the map, in place of an older one of the same key, and takes others out until `capacity` of
    /// its room and the `bound` of octets hold. The block's rooms exist.
    pub(crate) fn put(&mut self, answers: &Answers, key: &[u8], entry: Entry, capacity: usize, bound: u64) {
        let (block, class) = (block_of(key), entry.class());
        let pin = answers.pin();
        let old = pin.get_key_value(key);
        // the key's memory says which queue it stands in
        let kept = old.filter(|(_, old)| old.class().shares_room_with(class)).map(|(key, _)| Arc::clone(key));
        let queued = kept.is_some();
        let key = kept.unwrap_or_else(|| Arc::from(key));
        if let Some((old_key, old)) = old {
            self.left(old_key, old);
        }
        let octets = entry.octets(&key);
        self.octets += octets;
        let room = self.room_of(block, class);
        room.entered(octets);
        if !queued {
            room.queue.push_back(Arc::clone(&key));
        }
        pin.insert(key, entry);
        self.room_of(block, class).tidy(answers, class);
        let mut spared = 0;
        while self.room_of(block, class).live > capacity && self.evict(answers, block, class, &mut spared) {}
        while self.octets > bound && self.evict_from_largest(answers, &mut spared) {}
    }

    /// Takes entries out, at most so many, until the `bound` of octets holds; true if it does.
    pub(crate) fn shrink(&mut self, answers: &Answers, bound: u64, entries_max: usize) -> bool {
        let mut spared = 0;
        for _ in 0..entries_max {
            if self.octets <= bound || !self.evict_from_largest(answers, &mut spared) {
                return true;
            }
        }
        self.octets <= bound
    }

    fn evict_from_largest(&mut self, answers: &Answers, spared: &mut usize) -> bool {
        self.largest().is_some_and(|(block, class)| self.evict(answers, block, class, spared))
    }

    /// Takes an entry out of the map, if it is still the one that `gone` means.
    pub(crate) fn remove_if(&mut self, answers: &Answers, key: &[u8], gone: impl Fn(&Entry) -> bool) {
        let pin = answers.pin();
        if let Some((key, entry)) = pin.get_key_value(key).filter(|(_, entry)| gone(entry)) {
            self.left(key, entry);
            pin.remove(key);
        }
    }

    /// Drops keys that stand for nothing any more in all rooms: what a sweep left behind.
    pub(crate) fn tidy(&mut self, answers: &Answers) {
        for rooms in self.blocks.values_mut() {
            rooms.success.tidy(answers, Class::Success);
            rooms.denial.tidy(answers, Class::Denial);
        }
    }

    /// Forgets a block, whose entries have left.
    pub(crate) fn forget(&mut self, block: BlockId) {
        self.blocks.remove(&block);
    }

    /// Counts an entry out.
    fn left(&mut self, key: &[u8], entry: &Entry) {
        let octets = entry.octets(key);
        self.octets -= octets;
        if let Some(rooms) = self.blocks.get_mut(&block_of(key)) {
            rooms.room_mut(entry.class()).left(octets);
        }
    }

    /// Takes the oldest entry of a room out that was not asked for; false if the room has none.
    fn evict(&mut self, answers: &Answers, block: BlockId, class: Class, spared: &mut usize) -> bool {
        let pin = answers.pin();
        while let Some(key) = self.room_of(block, class).queue.pop_front() {
            let Some(entry) = own(&pin, &key, class) else { continue };
            if *spared < SPARED_MAX && entry.spare() {
                *spared += 1;
                self.room_of(block, class).queue.push_back(key);
                continue;
            }
            self.left(&key, entry);
            pin.remove(&key);
            self.room_of(block, class).evictions.increment();
            return true;
        }
        false
    }

    /// The room that takes the most octets: it gives when all together take too many.
    fn largest(&self) -> Option<(BlockId, Class)> {
        let rooms = self.blocks.iter().flat_map(|(&block, rooms)| {
            [(block, Class::Success, rooms.success.octets), (block, Class::Denial, rooms.denial.octets)]
        });
        rooms.max_by_key(|(_, _, octets)| *octets).map(|(block, class, _)| (block, class))
    }

    fn room_of(&mut self, block: BlockId, class: Class) -> &mut Room {
        self.blocks.get_mut(&block).expect("whoever stores made the block's rooms").room_mut(class)
    }
}

/// The entry that a key of a queue stands for.
fn own<'p, G: papaya::Guard>(
    pin: &'p papaya::HashMapRef<'_, Arc<[u8]>, Entry, SeedableRandomState, G>,
    key: &Arc<[u8]>,
    class: Class,
) -> Option<&'p Entry> {
    let (same, entry) = pin.get_key_value(key)?;
    (Arc::ptr_eq(same, key) && entry.class().shares_room_with(class)).then_some(entry)
}

impl Room {
    fn new(metrics: &Metrics, class: Class, labels: &BlockLabels) -> Self {
        let labels = [
            ("server", labels.server.as_str()),
            ("type", class.room()),
            ("zones", labels.zones.as_str()),
            ("view", labels.view.as_str()),
        ];
        Self {
            live: 0,
            octets: 0,
            queue: VecDeque::new(),
            entries: metrics.gauge("coredns_cache_entries", "The number of elements in the cache.", &labels),
            evictions: metrics.counter("coredns_cache_evictions_total", "The count of cache evictions.", &labels),
        }
    }

    fn entered(&mut self, octets: u64) {
        self.live += 1;
        self.octets += octets;
        self.entries.add(1);
    }

    fn left(&mut self, octets: u64) {
        self.live -= 1;
        self.octets -= octets;
        self.entries.add(-1);
    }

    /// Drops keys that stand for nothing any more, once they are many.
    fn tidy(&mut self, answers: &Answers, class: Class) {
        if self.queue.len() > self.live + self.live / 4 + 64 {
            let pin = answers.pin();
            self.queue.retain(|key| own(&pin, key, class).is_some());
            self.queue.shrink_to(self.live + self.live / 4);
        }
    }
}

impl BlockRooms {
    fn new(metrics: &Metrics, labels: &BlockLabels) -> Self {
        let plain = [("server", labels.server.as_str()), ("zones", &labels.zones), ("view", &labels.view)];
        Self {
            success: Room::new(metrics, Class::Success, labels),
            denial: Room::new(metrics, Class::Denial, labels),
            prefetches: metrics.counter(
                "coredns_cache_prefetch_total",
                "The number of times the cache has prefetched a cached item.",
                &plain,
            ),
            drops: metrics.counter(
                "coredns_cache_drops_total",
                "The number responses that are not cached, because the reply is malformed.",
                &plain,
            ),
        }
    }

    fn room(&self, class: Class) -> &Room {
        match class {
            Class::Success => &self.success,
            Class::Denial | Class::Failure => &self.denial,
        }
    }

    fn room_mut(&mut self, class: Class) -> &mut Room {
        match class {
            Class::Success => &mut self.success,
            Class::Denial | Class::Failure => &mut self.denial,
        }
    }
}
