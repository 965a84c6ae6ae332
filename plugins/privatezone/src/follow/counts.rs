//! What became of changes, counted.

use std::sync::Arc;

use contract::Context;
use contract::metrics::Counter;
use contract::wire::Name;

/// Counters of one section's watch.
#[derive(Debug)]
pub(super) struct Counts {
    /// Names of which objects say something else than before.
    pub(super) changes: Arc<Counter>,
    /// Of those that somebody here had asked for: the zone showed it,
    pub(super) seen: Arc<Counter>,
    /// or did not in time.
    pub(super) unseen: Arc<Counter>,
}

impl Counts {
    pub(super) fn new(zone: &Name, context: &Context) -> Self {
        let zone = zone.to_string();
        let counter = |name, help| context.metrics.counter(name, help, &[("zone", &zone)]);
        Self {
            changes: counter(
                "nearpath_privatezone_changes_total",
                "Names of the zone of which the cluster's objects began to say something else.",
            ),
            seen: counter(
                "nearpath_privatezone_seen_total",
                "Changed names, asked for from here, that the zone was seen to show as objects say.",
            ),
            unseen: counter(
                "nearpath_privatezone_unseen_total",
                "Changed names, asked for from here, that the zone did not show as objects say within 60 s.",
            ),
        }
    }
}
