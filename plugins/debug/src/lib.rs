//! The directive `debug`.
