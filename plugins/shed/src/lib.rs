//! The directive `shed`: a question over UDP that finds no place on the miss path is dropped in silence, and counted.
//!
//! A setting, not a plugin: the front door asks [`Shed`] when a bound is reached. Hits are answered all the same.

mod spec;

use std::sync::Arc;

use contract::metrics::{Counter, Metrics};
use contract::{Bound, Client, Failure, Transport};

pub use spec::{ShedSpec, check, check_blocks};

/// What drops the questions of a server block at one listener, and counts them.
#[derive(Clone, Debug)]
pub struct Shed {
    dropped: Arc<Counter>,
}

impl Shed {
    /// `server` is the listener as CoreDNS's metrics call it, such as `dns://:53`.
    pub fn new(metrics: &Metrics, server: &str) -> Self {
        let help = "Counter of queries and responses dropped, per server, by reason.";
        Self {
            dropped: metrics.counter("coredns_shed_dropped_total", help, &[("server", server), ("reason", "query")]),
        }
    }

    /// True if this question is to be dropped, for which there was no place; then it is counted. Asked after memory, past its
    /// end too, had nothing to say. Questions over connections are told of the failure.
    pub fn drops(&self, client: &Client, failure: &Failure) -> bool {
        let is_full = matches!(
            failure,
            Failure::Bound { bound: Bound::Misses | Bound::MissesPerClient | Bound::Memory, upstream: None, .. }
        );
        let drops = is_full && client.transport == Transport::Udp;
        if drops {
            self.dropped.increment();
        }
        drops
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::client;

    use super::*;

    #[test]
    fn only_datagrams_are_dropped_and_only_where_a_place_was_missing() {
        let metrics = Metrics::default();
        let shed = Shed::new(&metrics, "dns://:53");
        let full = |bound| Failure::Bound { bound, most: Some(1), upstream: None };
        let over = |transport| Client { transport, ..client("192.0.2.7") };
        for (transport, failure, drops) in [
            (Transport::Udp, full(Bound::Misses), true),
            (Transport::Udp, full(Bound::MissesPerClient), true),
            (Transport::Udp, full(Bound::Memory), true),
            (Transport::Tcp, full(Bound::Misses), false),
            (Transport::Udp, full(Bound::MaxConcurrent), false),
            (Transport::Udp, Failure::Panicked, false),
        ] {
            assert_eq!(shed.drops(&over(transport), &failure), drops, "{transport:?} {failure}");
        }
        let values = metrics.values("coredns_shed_dropped_total");
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].1, 3.0, "{values:?}");
        assert!(metrics.text().contains("coredns_shed_dropped_total{server=\"dns://:53\",reason=\"query\"} 3"));
    }
}
