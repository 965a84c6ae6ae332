//! The servers, one file each: how each is told to do the same as the others.
//!
//! The same is: one thread, every name forwarded to the authority over TCP where the server can, answers memorised, no DNSSEC
//! validation, and the receive buffer that the server takes by itself.

mod coredns;
mod corefile;
mod dnsdist;
mod dnsmasq;
mod echo;
mod knot_resolver;
mod nearpath;
mod node_cache;
mod pdns_recursor;
mod rules;
mod unbound;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::certificate::Certificate;
use crate::child::Launch;
use crate::options::Options;

pub(crate) use self::nearpath::knows_the_cut;

/// A kind of server.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Its program's name on PATH; empty if it is found another way.
    program: &'static str,
    /// What makes it tell its version.
    pub(crate) version: &'static [&'static str],
    /// Writes its configuration; how it is started.
    pub(crate) configure: fn(&Path, &Setup) -> Result<Launch>,
    pub(crate) talents: Talents,
    /// What it cannot do, or does otherwise than the others, in a sentence.
    pub(crate) but: &'static str,
}

/// What a kind of server can do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Talents {
    /// Forwards and memorises: all but the echo.
    pub(crate) forwards: bool,
    /// Forwards over TCP.
    pub(crate) forwards_over_tcp: bool,
    /// Answers any number of questions on one TCP connection.
    pub(crate) keeps_tcp: bool,
    /// Serves DNS over TLS.
    pub(crate) serves_tls: bool,
    /// Is configured by a Corefile.
    pub(crate) corefile: bool,
    /// Has AutoPath.
    pub(crate) autopath: bool,
}

/// Nearpath first, then resolvers and forwarders, then the limit.
pub(crate) const PEERS: &[Peer] = &[
    nearpath::PEER,
    unbound::PEER,
    dnsmasq::PEER,
    knot_resolver::PEER,
    dnsdist::PEER,
    pdns_recursor::PEER,
    coredns::PEER,
    node_cache::PEER,
    echo::PEER,
];

/// What is common to the configurations of all servers.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The server's own, for its files.
    pub(crate) directory: PathBuf,
    /// Its port on 127.0.0.1, UDP and TCP.
    pub(crate) port: u16,
    /// Its port for DNS over TLS, where there is a certificate.
    pub(crate) tls_port: u16,
    /// A port for metrics or health, where the configuration has such.
    pub(crate) extra_port: u16,
    /// Whom it forwards to, on 127.0.0.1.
    pub(crate) upstream: u16,
    pub(crate) threads: usize,
    /// Names that its cache must have room for.
    pub(crate) names: usize,
    pub(crate) certificate: Option<Certificate>,
    /// What else stands in a Corefile; servers without one have but the plain shape.
    pub(crate) shape: Shape,
}

/// Which directives a Corefile has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// `bind`, `cache`, `forward`.
    Plain,
    /// Those, and what NodeLocal DNSCache's own Corefile has besides.
    Stock,
    /// Those, and AutoPath.
    AutoPath {
        /// The pods that nearpath serves: lines of its table.
        pods: String,
        /// Whether nearpath leans on NXDOMAIN of shorter names (RFC 8020); `None` says nothing of it.
        cut: Option<bool>,
    },
    /// Those, and whoever looks on: a sink of messages, and a socket to ask the daemon about itself.
    LookedOn,
    /// Those, and thirty lines of `rewrite` and `template`.
    Ruled,
}

impl Setup {
    /// Room in a cache that is split into parts, so that none overflows although names are spread unevenly.
    pub(crate) fn room(&self) -> usize {
        self.names + self.names / 4
    }

    /// Writes a file into the server's directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// An error if a server without a Corefile is asked for one.
    pub(crate) fn is_plain(&self) -> Result<()> {
        ensure!(self.shape == Shape::Plain, "this server has no Corefile");
        Ok(())
    }
}

impl Peer {
    /// Its program on this machine; an error if it was named and cannot be.
    pub(crate) fn find(&self, options: &Options) -> Result<Option<PathBuf>> {
        if let Some((_, path)) = options.programs.iter().rev().find(|(name, _)| name == self.name) {
            return Ok(Some(path.clone()));
        }
        match self.name {
            "nearpath" => nearpath::find(options).map(Some),
            "echo" => Ok(Some(std::env::current_exe()?)),
            _ => Ok(on_path(self.program)),
        }
    }
}

/// Where PATH, or a directory of daemons that it may lack, has a program.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(daemons).map(|place| place.join(program));
    places.find(|place| !program.is_empty() && place.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A setup whose files go nowhere.
    pub(super) fn setup(shape: Shape) -> Setup {
        Setup {
            directory: PathBuf::from("/d"),
            port: 1_053,
            tls_port: 1_853,
            extra_port: 1_253,
            upstream: 1_054,
            threads: 1,
            names: 10_000,
            certificate: None,
            shape,
        }
    }

    #[test]
    fn every_peer_has_a_name_of_its_own() {
        let mut names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PEERS.len());
    }

    #[test]
    fn a_program_is_found_where_it_is() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-at-all"), None);
        assert_eq!(on_path(""), None);
    }

    #[test]
    fn nobody_but_corefiles_has_other_shapes() {
        for peer in PEERS.iter().filter(|peer| peer.talents.forwards && !peer.talents.corefile) {
            let configured = (peer.configure)(Path::new("x"), &setup(Shape::Stock));
            assert!(configured.is_err(), "{}", peer.name);
        }
    }
}
