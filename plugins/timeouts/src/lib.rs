//! The directive `timeouts`.
