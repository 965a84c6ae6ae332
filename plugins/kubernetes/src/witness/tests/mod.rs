//! The witness: each rule by itself, random worlds, and the real kernel in network namespaces.

mod messages;
mod namespaces;
mod rules;
mod sandboxes;
mod sight;
mod world;
