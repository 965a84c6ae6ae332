//! The directive `hosts`.
