//! Side-by-side measurements against other servers.
