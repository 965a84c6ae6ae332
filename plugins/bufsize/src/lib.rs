//! The directive `bufsize`.
