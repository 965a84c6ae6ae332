//! Questions under way while the daemon is stopped, killed, started and replaced.

mod adopted;
mod compare;
mod graceful;
mod killed;
mod meddled;
mod pair;
mod proof;
mod refused;
mod scene;
mod tally;
