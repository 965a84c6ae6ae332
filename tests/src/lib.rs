//! Integration tests of the daemon.
