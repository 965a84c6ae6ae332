//! The directive `chaos`: what the server says of itself in class CHAOS (RFC 4892): its version, its authors, its host.
//!
//! A setting, not a plugin: questions of that class do not enter the chain, the front door answers them.

mod spec;

pub use spec::{ChaosSpec, check};
