//! The directive `cancel`: after which time a query of a server block is given up.
//!
//! A setting, not a plugin: the daemon bounds the whole way of a question by it.

mod spec;

pub use spec::{CancelSpec, check};
