//! The directive `multisocket`: how many sockets for datagrams an address has.
//!
//! A setting, not a plugin: the daemon binds them.

mod spec;

pub use spec::{MultisocketSpec, check};
