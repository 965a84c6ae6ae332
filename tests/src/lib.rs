//! The harness of the integration tests: starts the real daemon, scripts its upstreams, asks it as clients do.
//!
//! ```text
//!   test --Daemon::given(corefile)--> nearpath (own process, own loopback address)
//!     |                                  |  ^
//!     +--ask(..).of(..)--> Client -------+  +-----> Upstream (threads, a table, a behaviour, a log of questions)
//!     +<-- Reply: is, has, ttl, ede            +--> Peer (a real unbound or knotd)
//! ```
//!
//! Reads and writes messages by code of its own, not the daemon's, so that an error in the daemon's cannot hide itself.

pub mod certificate;
pub mod client;
pub mod daemon;
pub mod http;
pub mod message;
pub mod mode;
pub mod peer;
pub mod place;
pub mod random;
pub mod record;
pub mod upstream;
pub mod zone;

pub use client::{Tcp, Udp};
pub use daemon::Daemon;
pub use message::{Ask, Reply, ask};
pub use upstream::{Behaviour, Upstream};
