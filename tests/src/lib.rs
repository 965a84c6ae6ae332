//! The harness of the integration tests: starts the real daemon, scripts its upstreams, asks it as clients do.
//!
//! ```text
//!   test --Daemon::given(corefile)--> nearpath (own process, own loopback address)
//!     |                                  |  ^
//!     +--ask(..).of(..)--> Client -------+  +-----> Upstream (threads, a table, a behaviour, a log of questions)
//!     |                                  |     +--> Peer (a real unbound or knotd)
//!     +<-- Reply: is, has, ttl, ede      |     +--> CoreDns (a real one, with its `kubernetes` plugin) --+
//!     |                                  |                                                              v
//!     +--ApiServer: put, fails, .. (scripted, for what a real one does not do on demand)
//!     +--Api: create_pod, watch, ..      +-------------------------> ControlPlane (a real kube-apiserver, etcd)
//!
//!     Knot (a real knotd, authoritative) <--RFC 2136-- ExternalDns (a real one) <--watch-- ControlPlane
//!       ^--- Relay (counts, or is a black hole) <--- nearpath
//!
//!   Node (networks as root: pods, the host, central servers) --starts--> nearpath, as a DaemonSet does
//!     '--Load: questions on schedule from all of them, each asked once --> Report: lost, wrong, who answered
//! ```
//!
//! Reads and writes messages by code of its own, not the daemon's, so that an error in the daemon's cannot hide itself.

pub mod api;
pub mod apiserver;
pub mod certificate;
pub mod client;
pub mod controlplane;
pub mod coredns;
pub mod daemon;
pub mod externaldns;
pub mod held_up;
pub mod http;
pub mod https;
pub mod knot;
pub mod load;
pub mod manifest;
pub mod message;
pub mod metrics;
pub mod mode;
pub mod node;
pub mod objects;
pub mod peer;
pub mod place;
pub mod program;
pub mod prometheus;
pub mod random;
pub mod record;
pub mod relay;
pub mod sandbox;
pub mod upstream;
pub mod watch;
pub mod zone;

pub use api::Api;
pub use apiserver::ApiServer;
pub use client::{Tcp, Udp};
pub use controlplane::ControlPlane;
pub use coredns::CoreDns;
pub use daemon::Daemon;
pub use externaldns::ExternalDns;
pub use knot::Knot;
pub use load::Load;
pub use message::{Ask, Reply, ask};
pub use node::Node;
pub use prometheus::Prometheus;
pub use relay::Relay;
pub use sandbox::Sandbox;
pub use upstream::{Behaviour, Upstream};
