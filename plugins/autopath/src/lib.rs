//! The directive `autopath`.
