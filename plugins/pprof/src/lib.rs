//! The directive `pprof`: CPU profiles of the daemon for Go's `pprof` tool.
//!
//! A setting, not a plugin: the daemon's HTTP side answers below `/debug/pprof/`, and asks for a [`Profile`].

mod encode;
mod message;
mod profile;
mod spec;

pub use profile::{CannotProfile, Profile};
pub use spec::{PprofSpec, check};
