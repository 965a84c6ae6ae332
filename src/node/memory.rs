//! How much memory there may be, and what is done before it is used up.
//!
//! ```text
//!   cgroup's limit --at start--> Bounds: store, misses, connections, receive buffers
//!   what is used   --each second--> Relief: over 90 %: the store shrinks, new misses are refused; hits go on
//! ```

mod bounds;
mod cgroup;
mod relief;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::MISSES_UNDER_PRESSURE_MAX;
use contract::metrics::{Counter, Gauge};

pub use self::bounds::Bounds;
pub use self::cgroup::Limit;
use self::relief::{Relief, Step};
use crate::daemon::Options;
use crate::serve::zones::Shared;

/// Between two looks at what is used.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The limit that this process lives under, if there is one.
pub fn limit() -> Option<Limit> {
    Limit::find(Path::new("/"))
}

/// The options with bounds that fit under a limit.
pub fn fitted(options: &Options, limit: Option<Limit>) -> Options {
    let mut options = options.clone();
    if let Some(limit) = limit {
        let wanted = options.cache_bytes;
        options.bounds = Bounds::within(limit.octets, options.threads);
        options.cache_bytes = wanted.min(options.bounds.store);
        let (mib, kib) = (1 << 20, 1 << 10);
        tracing::info!(
            "memory is limited to {} MiB: the store may take {} KiB of the {} KiB that -cache-mib says, misses {}, connections {}",
            limit.octets / mib,
            options.cache_bytes / kib,
            wanted / kib,
            options.bounds.misses,
            options.bounds.connections,
        );
        options.memory = Some(limit);
    }
    options
}

/// What is told of memory.
pub struct Told {
    used: Arc<Gauge>,
    limit: Arc<Gauge>,
    bound: Arc<Gauge>,
    reliefs: Arc<Counter>,
}

impl Told {
    /// As it is without a limit.
    pub fn new(shared: &Shared) -> Self {
        let gauge = |name, help| shared.metrics.gauge(name, help, &[]);
        let bound = gauge("nearpath_cache_bound_bytes", "Octets that memorised answers may take at this moment.");
        bound.set(saturated(shared.store.bound()));
        Self {
            used: gauge(
                "nearpath_memory_used_bytes",
                "Octets of memory that count against the limit; 0: there is none.",
            ),
            limit: gauge("nearpath_memory_limit_bytes", "The limit of memory, octets; 0: there is none."),
            bound,
            reliefs: shared.metrics.counter(
                "nearpath_memory_reliefs_total",
                "Looks that found over 90 % of the limit used, and took memory from the store.",
                &[],
            ),
        }
    }
}

/// Looks each second at what is used of the limit, and acts.
pub async fn watch(mut limit: Limit, told: Told, shared: Arc<Shared>) {
    let Told { used: used_now, limit: limit_now, bound, reliefs } = told;
    let mut relief = Relief::new(shared.store.bound());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        limit = limit.renewed();
        limit_now.set(saturated(limit.octets));
        let Some(used) = limit.used() else { continue };
        used_now.set(saturated(used));
        let step = relief.look((used, limit.octets), shared.store.bound());
        if let Step::Relieve { began: true, .. } = step {
            tracing::warn!("{used} octets of {} used: the store shrinks, new misses are refused", limit.octets);
        }
        match step {
            Step::Easy { store } => {
                shared.turnstile.admit(None);
                set(&shared, store);
            }
            Step::Relieve { store, trickle, .. } => {
                reliefs.increment();
                // refusing for ever would be an outage of its own
                shared.turnstile.admit(Some(if trickle { MISSES_UNDER_PRESSURE_MAX } else { 0 }));
                set(&shared, store);
            }
        }
        bound.set(saturated(shared.store.bound()));
    }
}

fn set(shared: &Shared, store: u64) {
    if shared.store.bound() != store {
        shared.store.set_bound(store);
    }
}

fn saturated(octets: u64) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX)
}
