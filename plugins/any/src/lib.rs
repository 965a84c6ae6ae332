//! The directive `any`.
