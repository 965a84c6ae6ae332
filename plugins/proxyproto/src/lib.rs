//! The directive `proxyproto`: clients behind a proxy that tells of them (the PROXY protocol, versions 1 and 2).
//!
//! A setting, not a plugin: the listeners read the header before anything else, and whoever it names is the client from then
//! on. Here is what they decide by, without sockets: whom to believe, the header itself, who was behind a sender before.
//!
//! ```text
//!   datagram --Datagrams--> message, client       stream --read_header--> header --Spec::policy--> client
//! ```

mod datagrams;
mod header;
mod sessions;
mod shares;
mod spec;

pub use datagrams::Datagrams;
pub use header::{Header, Seen, Told, Wrong, read_header};
pub use spec::{Policy, ProxyprotoSpec, Tracking, check};
