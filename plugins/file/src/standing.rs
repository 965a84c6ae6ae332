//! What this process serves of a zone, over reloads of the Corefile: memory outlives the plugin that it was asked of.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use contract::Context;
use contract::wire::Name;

use crate::zone::Zone;

/// A zone that is served, absent until it could be read.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    zone: ArcSwapOption<Zone>,
    /// Memory has forgotten whatever it knew before this zone.
    is_settled: AtomicBool,
}

impl Slot {
    /// The zone, without waiting.
    pub(crate) fn zone(&self) -> Option<Arc<Zone>> {
        self.zone.load_full()
    }

    /// True if this is what is served now.
    pub(crate) fn is_current(&self, zone: &Arc<Zone>) -> bool {
        self.zone.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, zone))
    }

    /// Another zone is served from now on.
    pub(crate) fn replace(&self, zone: Zone) {
        self.is_settled.store(false, Ordering::Release);
        self.zone.store(Some(Arc::new(zone)));
    }

    /// Memory has forgotten what was said before.
    pub(crate) fn settle(&self) {
        self.is_settled.store(true, Ordering::Release);
    }

    /// True if all that memory knows from there is what this one says, too.
    fn agrees_with(&self, other: &Self) -> bool {
        // the zone first: one that comes meanwhile has not been settled
        self.zone() == other.zone() && other.is_settled.load(Ordering::Acquire)
    }
}

/// All that serve one zone of one file at one kind of endpoint, each for as long as somebody holds it.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<Vec<Weak<Slot>>>);

impl Standing {
    /// From the shelf.
    pub(crate) fn of(origin: &Name, path: &Path, context: &Context) -> Arc<Self> {
        let key: (String, Name, PathBuf) = (context.server.clone(), origin.clone(), path.to_owned());
        context.shelf.get_or_make(key, Self::default)
    }

    /// Those that run now: for a new one the ones before it.
    pub(crate) fn running(&self) -> Vec<Arc<Slot>> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().filter_map(Weak::upgrade).collect()
    }

    /// One more runs. True if memory may know something else than it says: unless all those before said the same. Nobody
    /// before it means that memory may come from an earlier process.
    pub(crate) fn enter(&self, slot: &Arc<Slot>, before: &[Arc<Slot>]) -> bool {
        {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|one| one.strong_count() > 0);
            slots.push(Arc::downgrade(slot));
        }
        let is_known = !before.is_empty() && before.iter().all(|earlier| slot.agrees_with(earlier));
        if is_known {
            slot.settle();
        }
        !is_known
    }
}
