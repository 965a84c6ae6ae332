//! Objects change, a scripted zone follows or does not, and time is paused.

mod aliases;
mod made;
mod outages;
mod pursued;
mod reloads;
mod seen;
pub(super) mod world;
