//! Questions under way while the daemon is stopped, killed, started and replaced.

mod graceful;
mod killed;
mod proof;
mod scene;
