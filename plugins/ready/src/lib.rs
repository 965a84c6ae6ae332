//! The directive `ready`.
