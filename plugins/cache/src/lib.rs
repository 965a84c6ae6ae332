//! The directive `cache`.
