//! The directive `bind`: the addresses that a server block listens on.
//!
//! A setting, not a plugin: the daemon opens the sockets. Knows no interfaces; whoever knows them resolves their names.

mod spec;

pub use spec::{BindSpec, Target, check};
