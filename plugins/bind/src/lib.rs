//! The directive `bind`.
