//! How many answers of a class a block may have: a queue in the order of storing, touched only when something is stored.
//!
//! ```text
//!   stored --> [ newest ... oldest ] --over capacity--> asked for since? back to the newest end, else out
//! ```
//!
//! The queue holds weak references, so that it keeps nothing alive: what was replaced or evicted meanwhile is skipped.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use contract::metrics::{Counter, Gauge, Metrics};

use crate::Entry;
use crate::key::BlockId;

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

/// The room that one class of one block has.
#[derive(Debug)]
pub(crate) struct Room {
    /// Entries in the store. Signed: an entry may leave before its coming is counted.
    live: AtomicI64,
    queue: Mutex<VecDeque<Weak<Entry>>>,
    entries: Arc<Gauge>,
    evictions: Arc<Counter>,
    /// Refreshes ahead of expiry, and of stale answers.
    pub(crate) prefetches: Arc<Counter>,
}

/// The rooms of one block.
#[derive(Debug)]
pub(crate) struct BlockRooms {
    success: Arc<Room>,
    denial: Arc<Room>,
    /// Replies to another question than the one that was asked.
    pub(crate) drops: Arc<Counter>,
}

/// The rooms of all blocks.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<HashMap<BlockId, Arc<BlockRooms>>>);

/// How many entries that were asked for eviction passes by before it takes one all the same.
const SPARED_MAX: usize = 32;

impl Room {
    fn new(metrics: &Metrics, class: &str, labels: &BlockLabels, prefetches: &Arc<Counter>) -> Self {
        let labels = [
            ("server", labels.server.as_str()),
            ("type", class),
            ("zones", labels.zones.as_str()),
            ("view", labels.view.as_str()),
        ];
        Self {
            live: AtomicI64::new(0),
            queue: Mutex::default(),
            entries: metrics.gauge("coredns_cache_entries", "The number of elements in the cache.", &labels),
            evictions: metrics.counter("coredns_cache_evictions_total", "The count of cache evictions.", &labels),
            prefetches: Arc::clone(prefetches),
        }
    }

    /// Takes in an entry that is about to be stored.
    pub(crate) fn enter(&self, entry: &Arc<Entry>) {
        self.live.fetch_add(1, Relaxed);
        self.entries.add(1);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(Arc::downgrade(entry));
        let live = usize::try_from(self.live.load(Relaxed)).unwrap_or(0);
        if queue.len() > live + live / 4 + 64 {
            queue.retain(|one| one.upgrade().is_some_and(|entry| !entry.is_gone()));
        }
    }

    /// Lets go of an entry that left the store; `evicted`: for want of room.
    pub(crate) fn leave(&self, evicted: bool) {
        self.live.fetch_sub(1, Relaxed);
        self.entries.add(-1);
        if evicted {
            self.evictions.increment();
        }
    }

    /// The entries that must go, so that no more than `capacity` are left.
    pub(crate) fn excess(&self, capacity: usize) -> Vec<Arc<Entry>> {
        let live = usize::try_from(self.live.load(Relaxed)).unwrap_or(0);
        let mut excess = Vec::new();
        if live <= capacity {
            return excess;
        }
        let mut spared = 0;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while excess.len() < live - capacity {
            let Some(oldest) = queue.pop_front() else { break };
            let Some(entry) = oldest.upgrade().filter(|entry| !entry.is_gone()) else { continue };
            if spared < SPARED_MAX && entry.spare() {
                spared += 1;
                queue.push_back(oldest);
                continue;
            }
            excess.push(entry);
        }
        self.evictions.add(excess.len() as u64);
        excess
    }

    /// How many entries are in the store.
    pub(crate) fn live(&self) -> usize {
        usize::try_from(self.live.load(Relaxed)).unwrap_or(0)
    }

    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.queue.lock().unwrap().len()
    }
}

impl BlockRooms {
    fn new(metrics: &Metrics, labels: &BlockLabels) -> Self {
        let plain = [("server", labels.server.as_str()), ("zones", &labels.zones), ("view", &labels.view)];
        let prefetches = metrics.counter(
            "coredns_cache_prefetch_total",
            "The number of times the cache has prefetched a cached item.",
            &plain,
        );
        Self {
            success: Arc::new(Room::new(metrics, "success", labels, &prefetches)),
            denial: Arc::new(Room::new(metrics, "denial", labels, &prefetches)),
            drops: metrics.counter(
                "coredns_cache_drops_total",
                "The number responses that are not cached, because the reply is malformed.",
                &plain,
            ),
        }
    }

    /// The room of a class.
    pub(crate) fn of(&self, class: Class) -> &Arc<Room> {
        match class {
            Class::Success => &self.success,
            Class::Denial | Class::Failure => &self.denial,
        }
    }
}

impl Rooms {
    /// The rooms of a block; made with these labels if they are new.
    pub(crate) fn of(
        &self,
        block: BlockId,
        metrics: &Metrics,
        labels: impl FnOnce() -> BlockLabels,
    ) -> Arc<BlockRooms> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let block = rooms.entry(block).or_insert_with(|| Arc::new(BlockRooms::new(metrics, &labels())));
        Arc::clone(block)
    }

    /// The rooms of a block, if it ever had any.
    pub(crate) fn existing(&self, block: BlockId) -> Option<Arc<BlockRooms>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&block).cloned()
    }

    /// Forgets a block.
    pub(crate) fn remove(&self, block: BlockId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&block);
    }
}
