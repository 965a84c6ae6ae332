//! Tier `node`: the daemon on a node of its own, a network namespace with pods' namespaces around it, as root.
//!
//! Every test makes its own node and leaves nothing behind, also when it fails: a namespace goes with its last process.

mod address;
mod doctor;
mod install;
mod life;
mod loss;
mod rules;
mod stock;
mod stubs;
