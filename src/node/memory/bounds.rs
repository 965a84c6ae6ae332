//! Bounds that fit under a limit of memory: what each thing takes at most, and its share of what there is.

use contract::limits::{CONNECTIONS_MAX, MISSES_MAX, RECEIVE_BUFFER};

/// What the daemon takes with an empty store and nothing under way: its code as far as it runs, threads, buffers, octets.
/// Measured in a cgroup: 8 MiB; the rest is for pages of the program that come with use.
const FIXED: u64 = 14 << 20;
/// A miss under way takes this at most, octets: its question, its future, its reply. Measured: 7.2 KiB.
const MISS: u64 = 8 << 10;
/// A connection with a question under way, octets.
const CONNECTION: u64 = 16 << 10;
/// The least bounds: with less memory than they need the limit is too low whatever is done.
const STORE_MIN: u64 = 512 << 10;
const MISSES_MIN: u64 = 256;
const CONNECTIONS_MIN: u64 = 64;
const RECEIVE_BUFFER_MIN: u64 = 208 << 10;

/// What may be taken at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The answer store, octets.
    pub store: u64,
    /// Misses under way.
    pub misses: usize,
    /// Connections of clients.
    pub connections: usize,
    /// The receive buffer of each datagram socket, octets.
    pub receive_buffer: usize,
}

impl Default for Bounds {
    /// Without a limit.
    fn default() -> Self {
        Self { store: u64::MAX, misses: MISSES_MAX, connections: CONNECTIONS_MAX, receive_buffer: RECEIVE_BUFFER }
    }
}

impl Bounds {
    /// For a limit in octets, and so many sockets of each address. Of what is left beside `FIXED` the store gets three
    /// eighths, as much as it holds again is left for the heap's gaps, misses and receive buffers get an eighth each and
    /// connections a sixteenth.
    ///
    /// The kernel counts what is queued in sockets against the limit (cgroup v2), even beyond it, at twice the size that is
    /// asked for; two addresses may overflow at once.
    pub fn within(limit: u64, threads: usize) -> Self {
        let left = limit.saturating_sub(FIXED);
        let sockets = 2 * 2 * u64::try_from(threads).unwrap_or(1).max(1);
        let bounded = |share: u64, min: u64, max: usize| {
            let max = u64::try_from(max).unwrap_or(u64::MAX);
            usize::try_from(share.clamp(min, max)).expect("it is at most a usize")
        };
        Self {
            store: (left / 8 * 3).max(STORE_MIN),
            misses: bounded(left / 8 / MISS, MISSES_MIN, MISSES_MAX),
            connections: bounded(left / 16 / CONNECTION, CONNECTIONS_MIN, CONNECTIONS_MAX),
            receive_buffer: bounded(left / 8 / sockets, RECEIVE_BUFFER_MIN, RECEIVE_BUFFER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_much_memory_nothing_changes_but_the_stores_bound() {
        let bounds = Bounds::within(4 << 30, 8);
        assert_eq!(Bounds { store: u64::MAX, ..bounds }, Bounds::default());
        assert!(bounds.store > 1 << 30);
    }

    #[test]
    fn everything_together_fits_under_thirty_megabytes() {
        let bounds = Bounds::within(30_000_000, 2);
        let octets = |count: usize, each: u64| u64::try_from(count).unwrap() * each;
        let queued = octets(bounds.receive_buffer, 2 * 2 * 2);
        let sum = FIXED + bounds.store + octets(bounds.misses, MISS) + octets(bounds.connections, CONNECTION) + queued;
        assert!(sum < 30_000_000, "{sum}: {bounds:?}");
        assert!(bounds.store > 5_000_000 && bounds.misses >= 200, "{bounds:?}");
    }

    #[test]
    fn less_than_the_least_is_not_divided() {
        for limit in [0, 1, FIXED, FIXED + 1] {
            let bounds = Bounds::within(limit, 8);
            assert_eq!((bounds.store, bounds.misses), (STORE_MIN, 256), "{limit}");
        }
    }
}
