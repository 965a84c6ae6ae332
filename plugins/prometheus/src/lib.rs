//! The directive `prometheus`.
