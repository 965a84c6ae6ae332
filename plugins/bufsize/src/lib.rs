//! The directive `bufsize`: the largest UDP payload that a server block speaks of and sends (RFC 6891 6.2.3).
//!
//! A setting, not a plugin: the front door cuts replies by it.

mod spec;

pub use spec::{BufsizeSpec, check};
