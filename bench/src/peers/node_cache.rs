//! node-cache, the program of NodeLocal DNSCache: named by `--peer node-cache=PATH`, since no package has it.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents, corefile};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "node-cache",
    program: "",
    version: &["-version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: true,
        keeps_tcp: true,
        serves_tls: false,
        corefile: true,
        autopath: false,
    },
    but: "node-cache has neither AutoPath nor TLS.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    // It renders the first file into the second, and does nothing to addresses and rules when told so.
    let base = setup.write("Corefile.base", &corefile::text(setup, ""))?;
    let mut launch = Launch::new(
        program,
        [
            "-localip".into(),
            "127.0.0.1".into(),
            "-setupinterface=false".into(),
            "-setupiptables=false".into(),
            "-skipteardown=true".into(),
            "-metrics-listen-address".into(),
            "127.0.0.1:0".into(),
            "-basecorefile".into(),
            base.into_os_string(),
            "-conf".into(),
            setup.directory.join("Corefile").into_os_string(),
        ],
    );
    launch.environment.push(("GOMAXPROCS", setup.threads.to_string()));
    Ok(launch)
}
