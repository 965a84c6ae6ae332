//! CoreDNS: built from the Go module that `bench/peers/go.mod` pins, or named by `--peer coredns=PATH`.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Shape, Talents, corefile};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "coredns",
    program: "coredns",
    version: &["-version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: true,
        keeps_tcp: true,
        serves_tls: true,
        corefile: true,
        autopath: true,
    },
    but: "CoreDNS has one search list for all clients (`autopath RESOLV-CONF`), the cheapest form of its AutoPath.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    let list = setup.directory.join("search");
    let autopath = format!("    autopath cluster.local {}\n", list.display());
    let file = setup.write("Corefile", &corefile::text(setup, &autopath))?;
    if let Shape::AutoPath { .. } = setup.shape {
        setup.write("search", "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n")?;
    }
    let mut launch = Launch::new(program, ["-conf".into(), file.into_os_string()]);
    launch.environment.push(("GOMAXPROCS", setup.threads.to_string()));
    Ok(launch)
}
