//! What operators see of the index that a directive reads, whoever fills it.

use std::sync::Arc;

use contract::metrics::Gauge;
use contract::{Clock, Context, Moment, PodIndex};

/// Gauges of one directive.
#[derive(Debug)]
pub(crate) struct Shown {
    age: Arc<Gauge>,
    addresses: Arc<Gauge>,
    clock: Arc<dyn Clock>,
    begun: Moment,
}

impl Shown {
    pub(crate) fn new(context: &Context) -> Self {
        let gauge = |name, help| context.metrics.gauge(name, help, &[("server", context.server.as_str())]);
        Self {
            age: gauge(
                "nearpath_autopath_index_age_seconds",
                "Since whoever knows the pods (the API server, a file) spoke last; before the first word, since the start.",
            ),
            addresses: gauge("nearpath_autopath_addresses", "Addresses whose search list is known."),
            begun: context.clock.now(),
            clock: Arc::clone(&context.clock),
        }
    }

    pub(crate) fn show(&self, index: &PodIndex) {
        let now = self.clock.now();
        let age = index.age(now).unwrap_or_else(|| now.since(self.begun));
        self.age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        self.addresses.set(i64::try_from(index.addresses()).unwrap_or(i64::MAX));
    }
}
