//! The checks, a file each: what is looked at, and what is said of it.

pub(super) mod address;
pub(super) mod answers;
pub(super) mod api;
pub(super) mod clock;
pub(super) mod cloud;
pub(super) mod conntrack;
pub(super) mod corefile;
pub(super) mod daemon;
pub(super) mod descriptors;
pub(super) mod failsafe;
pub(super) mod health;
pub(super) mod large;
pub(super) mod loops;
pub(super) mod memory;
pub(super) mod ports;
pub(super) mod receive;
pub(super) mod resolv;
pub(super) mod rules;
pub(super) mod state;
pub(super) mod upstreams;

use std::net::SocketAddr;

/// There is no upstream to look at.
const NOBODY: &str = "the Corefile names nobody else by address";

/// How somebody asks there by hand.
fn dig(at: SocketAddr) -> String {
    format!("dig -p {} @{}", at.port(), at.ip())
}

/// Addresses, names and the like, one behind the other.
fn listed(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
