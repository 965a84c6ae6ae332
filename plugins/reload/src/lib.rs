//! The directive `reload`: how often the Corefile is looked at, and how nodes keep from doing so together.
//!
//! A setting, not a plugin: the daemon looks, checks the new text, and swaps.

mod spec;

pub use spec::{ReloadSpec, check};
