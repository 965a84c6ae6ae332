//! The directive `trace`.
