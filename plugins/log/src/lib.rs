//! The directive `log`.
