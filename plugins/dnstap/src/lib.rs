//! The directive `dnstap`.
