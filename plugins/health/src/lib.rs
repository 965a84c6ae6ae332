//! The directive `health`.
