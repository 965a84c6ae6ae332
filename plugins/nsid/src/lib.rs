//! The directive `nsid`: what a client is told as the server's identity that asks for it (RFC 5001).
//!
//! A setting, not a plugin: the front door writes it into the replies of the block, memorised ones too.

mod spec;

pub use spec::{NsidSpec, check};
