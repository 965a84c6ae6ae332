//! PowerDNS Recursor, with its packet cache and its record cache.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "pdns-recursor",
    program: "pdns_recursor",
    version: &["--version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: false,
        keeps_tcp: true,
        serves_tls: false,
        corefile: false,
        autopath: false,
    },
    but: "PowerDNS Recursor forwards over UDP and serves no TLS.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    setup.is_plain()?;
    let Setup { port, upstream, threads, .. } = setup;
    let directory = setup.directory.display();
    let room = setup.room();
    let text = format!(
        "local-address=127.0.0.1\nlocal-port={port}\nallow-from=127.0.0.0/8\ndont-query=\n\
         forward-zones-recurse=.=127.0.0.1:{upstream}\n\
         threads={threads}\npdns-distributes-queries=no\ndnssec=off\n\
         max-cache-entries={room}\nmax-packetcache-entries={room}\n\
         daemon=no\nwrite-pid=no\ndisable-syslog=yes\nloglevel=3\nquiet=yes\n\
         socket-dir={directory}\nsecurity-poll-suffix=\n"
    );
    setup.write("recursor.conf", &text)?;
    Ok(Launch::new(program, [format!("--config-dir={directory}")]))
}
