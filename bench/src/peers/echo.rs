//! The echo of this program, as a process of its own.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "echo",
    program: "",
    version: &["--version"],
    configure,
    talents: Talents {
        forwards: false,
        forwards_over_tcp: false,
        keeps_tcp: false,
        serves_tls: false,
        corefile: false,
        autopath: false,
    },
    but: "The echo is no DNS server: it sends each datagram back, in batches, as long as a reply.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    Ok(Launch::new(program, ["echo".to_owned(), "--port".to_owned(), setup.port.to_string()]))
}
