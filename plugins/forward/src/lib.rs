//! The directive `forward`.
