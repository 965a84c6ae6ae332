//! The directive `tls`: the certificate that a `tls://` or `https://` block shows, and what it asks of its clients.
//!
//! ```text
//!   Statement --check--> TlsSpec --load--> rustls::ServerConfig
//!                                  (reads PEM files)
//! ```
//!
//! A setting, not a plugin: the daemon's stream front ends hold the connections.

mod any_client;
mod keylog;
mod load;
mod spec;

pub use spec::{ClientAuth, TlsSpec, check};
