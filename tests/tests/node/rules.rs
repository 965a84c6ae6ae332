//! Rules and the kernel's failsafe: what comes of a question with a daemon and without one.

mod failsafe;
mod fallback;
mod tracking;
mod upkeep;
mod world;
mod wrapped;
