//! Whom the kernel sends questions to while there is no daemon: servers that can be reached without any other translation.
//!
//! ```text
//!   -failsafe-to ------------------------------------------.
//!   the Corefile --@NAMESPACE/SERVICE--> watched endpoints --+
//!                '-- ADDRESS --> who is behind it, as the   --+--> servers, the last that were known if none are
//!                                kernel tracked our own           known now
//!                                questions; else itself
//! ```
//!
//! Never the address of a Service: our translation is the last one, and that of the Service's proxy would not come after it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use contract::wire::Name;
use contract::{Server, ServicePort};

use super::conntrack::Behind;
use crate::plan::Plan;

/// Servers that questions are sent to; further ones are left out.
pub const CENTRAL_MAX: usize = 16;

/// What is known of the central servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the command line says.
    pub told: Vec<SocketAddr>,
    /// Whom the Corefile forwards questions for the cluster to.
    pub servers: Vec<Server>,
    /// The ready endpoints of the Services among them.
    pub endpoints: Vec<SocketAddr>,
    /// Addresses that are known to be those of Services.
    pub of_services: BTreeSet<IpAddr>,
    /// What the kernel says of the addresses among them.
    pub behind: Behind,
    /// The last servers that there were.
    pub before: Vec<SocketAddr>,
    /// The addresses that pods ask: a question would come round.
    pub own: Vec<IpAddr>,
}

impl Known {
    /// The servers to send to, each once, in a stable order.
    pub fn servers(&self) -> Vec<SocketAddr> {
        let found = [&self.told, &self.endpoints, &self.behind.translated, &self.behind.plain, &self.before];
        let usable = |servers: &Vec<SocketAddr>| servers.iter().copied().filter(|at| self.is_usable(*at)).collect();
        let mut servers: Vec<SocketAddr> =
            found.into_iter().map(usable).find(|servers: &Vec<_>| !servers.is_empty()).unwrap_or_default();
        servers.sort();
        servers.dedup();
        servers.truncate(CENTRAL_MAX);
        servers
    }

    /// The addresses of the Corefile: those that may stand for somebody else are asked about in the kernel.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |server: &Server| match server {
            Server::Address(address) => Some(*address),
            Server::Service(_) => None,
        };
        self.servers.iter().filter_map(address).collect()
    }

    /// The Services of the Corefile.
    pub fn services(&self) -> impl Iterator<Item = &ServicePort> {
        self.servers.iter().filter_map(|server| match server {
            Server::Service(port) => Some(port),
            Server::Address(_) => None,
        })
    }

    /// What the command line says and cannot be sent to.
    pub fn refused(&self) -> Vec<SocketAddr> {
        self.told.iter().copied().filter(|at| !self.is_usable(*at)).collect()
    }

    /// True for an address that the kernel can send a pod's question to: no Service's, none of ours, and none that means
    /// something else to each host.
    fn is_usable(&self, at: SocketAddr) -> bool {
        let ip = at.ip();
        !(ip.is_loopback() || ip.is_unspecified() || self.own.contains(&ip) || self.of_services.contains(&ip))
    }
}

/// Whom a plan forwards questions for the cluster's domain to: the block of the longest zone around it.
pub fn servers_of(plan: &Plan, cluster_domain: &Name) -> Vec<Server> {
    let zone = |zones: &[Name]| zones.iter().filter(|zone| zone.encloses(cluster_domain)).map(Name::label_count).max();
    let block =
        plan.blocks.iter().filter_map(|block| Some((zone(&block.zones)?, block))).max_by_key(|(labels, _)| *labels);
    let specs = block.into_iter().flat_map(|(_, block)| &block.chain);
    let mut servers: Vec<Server> = specs.flat_map(|spec| spec.servers()).collect();
    servers.sort();
    servers.dedup();
    servers
}

#[cfg(test)]
mod tests {
    use contract::corefile::Disk;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_block_around_the_clusters_domain_says_who_is_central() {
        let text = "cluster.local:53 {\n forward . 10.96.0.11 @kube-system/kube-dns\n}\n.:53 {\n forward . 192.0.2.1 tls://192.0.2.2\n}\n";
        let checked = crate::plan::check("Corefile", text, &Disk, 53);
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.report));
        let names = |domain: &str| {
            servers_of(&plan, &domain.parse().unwrap()).iter().map(|server| format!("{server:?}")).collect::<Vec<_>>()
        };
        let central = names("cluster.local");
        assert_eq!(central.len(), 2);
        assert!(central[0].contains("10.96.0.11:53") && central[1].contains("kube-dns"), "{central:?}");
        assert_eq!(
            names("other.domain"),
            ["Address(192.0.2.1:53)"],
            "what is asked over TLS cannot be asked by the kernel"
        );
    }

    #[test]
    fn the_address_of_a_service_is_never_among_them() {
        let mut known = Known {
            servers: vec![Server::Address(at("10.96.0.11:53"))],
            of_services: ["10.96.0.11".parse().unwrap()].into(),
            ..Known::default()
        };
        assert!(known.servers().is_empty());
        known.before = vec![at("10.2.0.9:53")];
        assert_eq!(known.servers(), [at("10.2.0.9:53")], "what an earlier instance knew stands");
        known.behind.translated = vec![at("10.2.0.3:53"), at("10.2.0.2:53"), at("10.2.0.3:53")];
        assert_eq!(known.servers(), [at("10.2.0.2:53"), at("10.2.0.3:53")]);
        known.endpoints = vec![at("10.2.0.4:53")];
        assert_eq!(known.servers(), [at("10.2.0.4:53")]);
        known.told = vec![at("10.2.0.5:5353"), at("10.96.0.11:53")];
        assert_eq!(known.servers(), [at("10.2.0.5:5353")]);
        assert_eq!(known.refused(), [at("10.96.0.11:53")]);
    }

    #[test]
    fn an_address_stands_for_itself_once_the_kernel_has_seen_that_nobody_translates_it() {
        let mut known = Known { servers: vec![Server::Address(at("192.0.2.1:53"))], ..Known::default() };
        assert!(known.servers().is_empty(), "it may be a Service's");
        known.behind.plain = vec![at("192.0.2.1:53")];
        assert_eq!(known.servers(), [at("192.0.2.1:53")]);
        known.of_services = ["192.0.2.1".parse().unwrap()].into();
        assert!(known.servers().is_empty());
        known.own = vec!["169.254.20.10".parse().unwrap()];
        known.behind.plain = vec![at("127.0.0.53:53"), at("169.254.20.10:53"), at("[::1]:53")];
        assert!(known.servers().is_empty(), "what is sent there would come back, or to somebody else");
    }
}
