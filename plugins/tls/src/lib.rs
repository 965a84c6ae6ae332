//! The directive `tls`.
