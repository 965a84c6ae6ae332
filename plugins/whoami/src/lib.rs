//! The directive `whoami`.
