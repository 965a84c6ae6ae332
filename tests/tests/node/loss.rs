//! Questions under way while the daemon is stopped, killed, started and replaced.

mod proof;
mod scene;
