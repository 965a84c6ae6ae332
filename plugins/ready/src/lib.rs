//! The directive `ready`: where the daemon says whether the plugins of the server blocks that have it can answer.
//!
//! A setting, not a plugin: the daemon's HTTP side answers `GET /ready`.

mod spec;

pub use spec::{Monitor, ReadySpec, check};
