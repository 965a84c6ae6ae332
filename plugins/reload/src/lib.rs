//! The directive `reload`.
