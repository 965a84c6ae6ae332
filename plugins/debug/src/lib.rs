//! The directive `debug`: more lines in the log.
//!
//! A setting, not a plugin: one block that has it turns it on for the whole daemon.

mod spec;

pub use spec::{DebugSpec, check};
