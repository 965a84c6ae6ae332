//! What is counted of the objects that publish names, and what is said of them once.

use std::sync::{Arc, Mutex, PoisonError};

use contract::metrics::{Counter, Gauge, Metrics};
use contract::{Object, Published};

use super::draft::Skipped;

/// Of one kind of object.
pub(super) struct Counts {
    pub(super) changed: Arc<Counter>,
    pub(super) deleted: Arc<Counter>,
    pub(super) lists: Arc<Counter>,
    odd: Arc<Counter>,
    left_out: Arc<Counter>,
    no_room: Arc<Counter>,
    resource: &'static str,
    is_odd_said: bool,
    is_left_out_said: bool,
    is_no_room_said: bool,
}

impl Counts {
    pub(super) fn new(metrics: &Metrics, resource: &'static str) -> Self {
        let event = |kind| {
            let help = "Words of the API server about objects that publish names into private zones.";
            let labels = [("kind", resource), ("type", kind)];
            metrics.counter("nearpath_kubernetes_published_events_total", help, &labels)
        };
        let skipped = |reason| {
            let help = "What was passed over of objects that publish names, each time that they were read, by why.";
            let labels = [("kind", resource), ("reason", reason)];
            metrics.counter("nearpath_kubernetes_published_skipped_total", help, &labels)
        };
        Self {
            changed: event("changed"),
            deleted: event("deleted"),
            lists: event("list"),
            odd: skipped("odd"),
            left_out: skipped("object_bound"),
            no_room: skipped("no_room"),
            resource,
            is_odd_said: false,
            is_left_out_said: false,
            is_no_room_said: false,
        }
    }

    /// What of an object was passed over.
    pub(super) fn skipped(&mut self, skipped: Skipped, object: &Object) {
        let Skipped { odd, left_out } = skipped;
        self.odd.add(odd as u64);
        self.left_out.add(left_out as u64);
        if odd > 0 && !std::mem::replace(&mut self.is_odd_said, true) {
            let resource = self.resource;
            tracing::warn!(
                "kubernetes: {object} has {odd} names or endpoints that are none, and is read without them; further {resource} are only counted"
            );
        }
        if left_out > 0 && !std::mem::replace(&mut self.is_left_out_said, true) {
            let resource = self.resource;
            tracing::warn!(
                "kubernetes: {object} says more than is kept of one object, {left_out} of it are left out; further {resource} are only counted"
            );
        }
    }

    /// Whether there was room for what somebody says.
    pub(super) fn whole(&mut self, is_whole: bool, who: impl FnOnce() -> String) {
        if is_whole {
            return;
        }
        self.no_room.increment();
        if !std::mem::replace(&mut self.is_no_room_said, true) {
            tracing::warn!(
                "kubernetes: {}: more is published than is kept, the rest is as if it were not watched",
                who()
            );
        }
    }
}

/// How many names are known, of everybody who wants to know some together.
pub(super) struct Shown {
    gauge: Arc<Gauge>,
    /// Ours among them.
    own: Mutex<i64>,
}

impl Shown {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let help = "Names that objects publish into private zones, each as often as it is published.";
        Self { gauge: metrics.gauge("nearpath_kubernetes_published_names", help, &[]), own: Mutex::new(0) }
    }

    pub(super) fn show(&self, published: &Published) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let now = i64::try_from(published.count()).unwrap_or(i64::MAX);
        self.gauge.add(now - std::mem::replace(&mut *own, now));
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.gauge.add(-*self.own.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
