//! The integration tests, one module per tier. `tests/run` says which tiers there are and what each needs.

mod check;
mod cluster;
mod demo;
mod differential;
mod flood;
mod metrics;
mod node;
mod packets;
mod page;
mod peers;
mod reload;
mod scenario;
mod tidy;
