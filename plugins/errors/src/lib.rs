//! The directive `errors`.
