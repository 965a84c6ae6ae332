//! The directive `timeouts`: how long clients' connections live (TCP, TLS, HTTPS).
//!
//! A setting, not a plugin: the daemon's stream front ends act on it.

mod spec;

pub use spec::{TimeoutsSpec, check};
