//! dnsdist: a load balancer whose packet cache answers.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "dnsdist",
    program: "dnsdist",
    version: &["--version"],
    configure,
    talents: Talents {
        forwards: true,
        forwards_over_tcp: true,
        keeps_tcp: true,
        serves_tls: true,
        corefile: false,
        autopath: false,
    },
    but: "dnsdist memorises whole packets and knows no records.",
};

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    setup.is_plain()?;
    let Setup { port, tls_port, upstream, .. } = setup;
    let room = setup.room();
    let tls = setup.certificate.as_ref().map_or_else(String::new, |certificate| {
        format!(
            "addTLSLocal('127.0.0.1:{tls_port}', '{}', '{}', {{ provider = 'openssl' }})\n",
            certificate.chain.display(),
            certificate.key.display(),
        )
    });
    let text = format!(
        "setLocal('127.0.0.1:{port}')\n\
         {tls}\
         setACL('127.0.0.0/8')\n\
         setSecurityPollSuffix('')\n\
         setMaxTCPClientThreads(1)\n\
         newServer({{ address = '127.0.0.1:{upstream}', tcpOnly = true }})\n\
         getPool(''):setCache(newPacketCache({room}, {{ maxTTL = 86400 }}))\n"
    );
    let file = setup.write("dnsdist.conf", &text)?;
    Ok(Launch::new(program, ["--supervised".into(), "--disable-syslog".into(), "-C".into(), file.into_os_string()]))
}
