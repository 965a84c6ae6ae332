//! Knot Resolver: one process is one thread.

use std::path::Path;

use anyhow::Result;

use super::{Peer, Setup, Talents};
use crate::child::Launch;

pub(super) const PEER: Peer = Peer {
    name: "knot-resolver",
    program: "kresd",
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
    but: "Knot Resolver's cache is a file that is mapped into memory: its pages count as resident.",
};

/// Octets of a name in the cache file, generously.
const OCTETS_PER_NAME: usize = 768;

fn configure(program: &Path, setup: &Setup) -> Result<Launch> {
    setup.is_plain()?;
    let Setup { port, tls_port, upstream, .. } = setup;
    let directory = setup.directory.display();
    let room = (setup.names * OCTETS_PER_NAME).max(16 << 20);
    let tls = setup.certificate.as_ref().map_or_else(String::new, |certificate| {
        format!(
            "net.tls('{}', '{}')\nnet.listen('127.0.0.1', {tls_port}, {{ kind = 'tls' }})\n",
            certificate.chain.display(),
            certificate.key.display(),
        )
    });
    let text = format!(
        "net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})\n\
         {tls}\
         net.ipv6 = false\n\
         for _, name in ipairs({{'ta_update', 'ta_signal_query', 'ta_sentinel', 'priming', 'detect_time_skew', \
                                 'detect_time_jump'}}) do\n  \
             if modules.list()[name] ~= nil then modules.unload(name) end\n\
         end\n\
         trust_anchors.remove('.')\n\
         cache.open({room}, 'lmdb://{directory}/cache')\n\
         policy.add(policy.all(policy.FLAGS({{'TCP'}})))\n\
         policy.add(policy.all(policy.FORWARD({{'127.0.0.1@{upstream}'}})))\n"
    );
    let file = setup.write("kresd.conf", &text)?;
    let directory = setup.directory.clone().into_os_string();
    Ok(Launch::new(program, ["-n".into(), "-c".into(), file.into_os_string(), directory]))
}
