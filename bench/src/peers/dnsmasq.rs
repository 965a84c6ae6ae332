//! dnsmasq: one thread by design.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "dnsmasq",
    program: "dnsmasq",
    version: &["--version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: false,
        keeps_tcp: false,
        serves_tls: false,
        corefile: false,
        autopath: false,
    },
    but: "dnsmasq forwards over UDP, ends a TCP connection after 100 questions and has no TLS.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    setup.is_plain()?;
    let Setup { port, upstream, names, .. } = setup;
    // As another user or group it would lose the kernel's word that it ends with the run.
    let user = if std::fs::metadata("/proc/self")?.uid() == 0 { "user=root\ngroup=root\n" } else { "" };
    let text = format!(
        "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-poll\n{user}pid-file=\n\
         server=127.0.0.1#{upstream}\ncache-size={names}\ndns-forward-max=4096\n"
    );
    let file = setup.write("dnsmasq.conf", &text)?;
    Ok(Launch::new(program, ["-k".into(), "-C".into(), file.into_os_string()]))
}
