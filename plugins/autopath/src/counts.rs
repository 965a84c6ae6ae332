//! What cuts are counted by, and how many there are.

use std::sync::Arc;

use contract::Context;
use contract::metrics::{Counter, Gauge};

use crate::table::Table;

/// Counters are the process's, gauges the server block's.
pub(crate) struct Counts {
    pub(crate) saved: Arc<Counter>,
    pub(crate) renewed: Arc<Counter>,
    pub(crate) contradictions: Arc<Counter>,
    pub(crate) refused: Arc<Counter>,
    known: Arc<Gauge>,
    suspicions: Arc<Gauge>,
}

impl Counts {
    /// All of them, gauges at zero.
    pub(crate) fn new(context: &Context) -> Self {
        let metrics = &context.metrics;
        let counter = |name, help| metrics.counter(name, help, &[]);
        let gauge = |name, help| metrics.gauge(name, help, &[("server", context.server.as_str())]);
        let this = Self {
            saved: counter(
                "nearpath_autopath_cut_saved_total",
                "Candidates that were not asked because an NXDOMAIN cut proves them missing.",
            ),
            renewed: counter(
                "nearpath_autopath_cut_renewals_total",
                "Cuts asked beside the searches: learned, or renewed ahead of their end.",
            ),
            contradictions: counter(
                "nearpath_autopath_cut_contradictions_total",
                "Search domains whose cut was turned off because a name exists below one that does not.",
            ),
            refused: counter(
                "nearpath_autopath_cuts_refused_total",
                "Cuts that were not learned because of the bound.",
            ),
            known: gauge("nearpath_autopath_cuts", "Cuts that are known."),
            suspicions: gauge(
                "nearpath_autopath_cut_suspicions",
                "Search domains whose NXDOMAIN cut is not believed until it is known whether it was contradicted.",
            ),
        };
        this.publish(&Table::default()); // a directive before a reload may have left more
        this
    }

    /// Tells how many there are by now.
    pub(crate) fn publish(&self, table: &Table) {
        let number = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        self.known.set(number(table.known.len()));
        self.suspicions.set(number(table.suspicions.len()));
    }
}
