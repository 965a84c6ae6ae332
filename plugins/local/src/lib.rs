//! The directive `local`.
