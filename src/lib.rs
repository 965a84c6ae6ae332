//! The daemon's rooms. `main.rs` is the binary; tests, benches and fuzz targets reach the same code through this library.

pub mod admin;
pub mod assembly;
pub mod cli;
pub mod daemon;
mod interfaces;
mod listening;
mod logging;
pub mod plan;
pub mod serve;
mod signals;
pub mod wiring;
