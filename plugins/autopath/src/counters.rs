//! Counts how walks end. Labels are positions of a bounded list, so their number is bounded too.

use std::fmt;
use std::sync::{Arc, OnceLock};

use contract::limits::SEARCH_DOMAINS_MAX;
use contract::metrics::{Counter, Metrics};

use crate::candidates::Position;
use crate::walk::End;

/// Counters of one directive. A position's series appears when it first decides.
pub(crate) struct Counters {
    metrics: Arc<Metrics>,
    domains: [OnceLock<Arc<Counter>>; SEARCH_DOMAINS_MAX],
    absolute: Arc<Counter>,
    none: Arc<Counter>,
    failed: Arc<Counter>,
    success: Arc<Counter>,
}

impl Counters {
    pub(crate) fn new(metrics: &Arc<Metrics>, server: &str) -> Self {
        let success = metrics.counter(
            "coredns_autopath_success_total",
            "Counter of requests that did autopath.",
            &[("server", server)],
        );
        Self {
            domains: std::array::from_fn(|_| OnceLock::new()),
            absolute: results(metrics, "absolute"),
            none: results(metrics, "none"),
            failed: results(metrics, "failed"),
            success,
            metrics: Arc::clone(metrics),
        }
    }

    pub(crate) fn count(&self, end: End) {
        match end {
            End::Decided(Position::Domain(number)) => {
                let number = number.min(SEARCH_DOMAINS_MAX - 1);
                let label = || results(&self.metrics, &(number + 1).to_string());
                self.domains[number].get_or_init(label).increment();
            }
            End::Decided(Position::Absolute) => self.absolute.increment(),
            End::None => self.none.increment(),
            End::Failed => self.failed.increment(),
        }
        if matches!(end, End::Decided(_)) {
            self.success.increment();
        }
    }
}

fn results(metrics: &Metrics, position: &str) -> Arc<Counter> {
    metrics.counter(
        "nearpath_autopath_results_total",
        "Searches by the domain of the list that decided them.",
        &[("position", position)],
    )
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}
