//! The directive `minimal`.
