//! The directive `prometheus`: where the daemon's counters are read.
//!
//! A setting, not a plugin: the daemon's HTTP side answers `GET /metrics`.

mod spec;

pub use spec::{PrometheusSpec, check};
