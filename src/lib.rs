//! The daemon's rooms. `main.rs` is the binary; tests, benches and fuzz targets reach the same code through this library.

pub mod admin;
pub mod assembly;
pub mod cli;
pub mod daemon;
mod files;
pub mod interfaces;
pub mod listening;
pub mod logging;
mod loops;
pub mod node;
pub mod options;
pub mod plan;
pub mod see;
pub mod serve;
pub mod signals;
pub mod source;
pub mod wiring;
