//! The daemon's rooms. `main.rs` is the binary; tests, benches and fuzz targets reach the same code through this library.

pub mod serve;
