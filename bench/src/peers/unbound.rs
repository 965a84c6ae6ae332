//! Unbound, with its iterator alone: no validator.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "unbound",
    program: "unbound",
    version: &["-V"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: true,
        keeps_tcp: true,
        serves_tls: true,
        corefile: false,
        autopath: false,
    },
    but: "",
};

/// Octets of a name in each of the two caches, generously.
const OCTETS_PER_NAME: usize = 1_024;

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    setup.is_plain()?;
    let Setup { port, tls_port, upstream, threads, .. } = setup;
    let room = (setup.names * OCTETS_PER_NAME).max(16 << 20);
    let tls = setup.certificate.as_ref().map_or_else(String::new, |certificate| {
        format!(
            "    interface: 127.0.0.1@{tls_port}\n    tls-port: {tls_port}\n    \
             tls-service-pem: \"{}\"\n    tls-service-key: \"{}\"\n",
            certificate.chain.display(),
            certificate.key.display(),
        )
    });
    let text = format!(
        "server:\n    \
             interface: 127.0.0.1@{port}\n\
         {tls}    \
             access-control: 127.0.0.0/8 allow\n    \
             num-threads: {threads}\n    \
             do-daemonize: no\n    \
             chroot: \"\"\n    \
             username: \"\"\n    \
             pidfile: \"\"\n    \
             directory: \"{directory}\"\n    \
             use-syslog: no\n    \
             do-not-query-localhost: no\n    \
             module-config: \"iterator\"\n    \
             msg-cache-size: {room}\n    \
             rrset-cache-size: {room}\n    \
             num-queries-per-thread: 4096\n    \
             outgoing-range: 8192\n    \
             outgoing-num-tcp: 128\n    \
             incoming-num-tcp: 128\n\
         forward-zone:\n    \
             name: \".\"\n    \
             forward-addr: 127.0.0.1@{upstream}\n    \
             forward-tcp-upstream: yes\n\
         remote-control:\n    \
             control-enable: no\n",
        directory = setup.directory.display(),
    );
    let file = setup.write("unbound.conf", &text)?;
    Ok(Launch::new(program, ["-d".into(), "-c".into(), file.into_os_string()]))
}
