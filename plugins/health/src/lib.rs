//! The directive `health`: where the daemon says that it is alive, and how long it takes its leave.
//!
//! A setting, not a plugin: the daemon's HTTP side answers `GET /health`.

mod spec;

pub use spec::{HealthSpec, check};
