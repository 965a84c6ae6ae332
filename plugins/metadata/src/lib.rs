//! The directive `metadata`: labels about queries are there for the directives of the block that read them.
//!
//! A setting, not a plugin: nothing is collected ahead, who wants a label asks for it (`contract::LabelBook`).

mod spec;

pub use spec::{MetadataSpec, check};
