//! What the command line sets, in the daemon's own terms.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use contract::wire::Name;
use foldhash::quality::SeedableRandomState;

use crate::cli::ServeFlags;
use crate::cli::cluster::ClusterFlags;
use crate::cli::node::NodeFlags;
use crate::cli::serve::Status;
use crate::node::NodePlan;
use crate::node::memory::{Bounds, Limit};
use crate::source::template::Values;
use crate::source::{self, Base, Source};

/// Threads that take datagrams, unless a flag says otherwise: more cost memory and win nothing at a node's load.
const THREADS_MAX: usize = 8;

/// What the command line sets.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the Corefile comes from.
    pub source: Source,
    /// The port of keys that name none.
    pub dns_port: u16,
    /// Threads that take datagrams.
    pub threads: usize,
    /// Bound of the answer store, octets.
    pub cache_bytes: u64,
    /// What NSID and the like say.
    pub node_name: String,
    /// Where the process id is written.
    pub pidfile: Option<PathBuf>,
    /// How the store hashes: by chance, but for whoever counts instructions.
    pub hasher: SeedableRandomState,
    /// Where is kept what should be known after a restart.
    pub state_dir: Option<PathBuf>,
    /// Where the cluster is.
    pub cluster: kubernetes::Settings,
    /// What is set up on the node, if anything is.
    pub node: Option<NodePlan>,
    /// What may be taken at most: as much as fits under the limit of memory.
    pub bounds: Bounds,
    /// The limit of memory, if there is one.
    pub memory: Option<Limit>,
    /// Where metrics are told beside the directive `prometheus`.
    pub metrics_address: Option<SocketAddr>,
    /// Where the status page is shown, if it is.
    pub status_address: Option<SocketAddr>,
    /// True if the hooks of the tests are obeyed.
    pub debug_hooks: bool,
    /// True if clients are told of themselves in class CHAOS.
    pub dig_explain: bool,
}

impl Default for Options {
    fn default() -> Self {
        let node_name = own_name();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            source: Source::File("Corefile".into()),
            dns_port: 53,
            threads: cores.min(THREADS_MAX),
            cache_bytes: 32 << 20,
            cluster: kubernetes::Settings { node_name: node_name.clone(), ..kubernetes::Settings::default() },
            node_name,
            pidfile: None,
            hasher: SeedableRandomState::random(),
            state_dir: None,
            node: None,
            bounds: Bounds::default(),
            memory: None,
            metrics_address: None,
            status_address: None,
            debug_hooks: false,
            dig_explain: true,
        }
    }
}

impl Options {
    /// The cluster's domain, as far as it is said.
    pub fn cluster_domain(&self) -> Name {
        let usual = || "cluster.local".parse().expect("a valid name");
        self.cluster.cluster_domain.clone().unwrap_or_else(usual)
    }

    /// What the flags say; defaults for what they leave open.
    pub fn from_flags(flags: &ServeFlags) -> Self {
        let default = Self::default();
        let node_name = flags.node_name.clone().unwrap_or(default.node_name);
        let node = flags.node.plan(flags.port, &service_addresses(&flags.cluster));
        Self {
            metrics_address: node.as_ref().map(|_| flags.node.metrics_listen_address),
            status_address: match flags.status_listen_address {
                Some(status) => status.address(),
                None => node.as_ref().map(|_| Status::ON_A_NODE),
            },
            debug_hooks: flags.node.failsafe.debug_hooks,
            dig_explain: flags.dig_explain,
            bounds: default.bounds,
            memory: default.memory,
            cluster: flags.cluster.settings(&node_name),
            source: source(flags),
            dns_port: flags.port,
            threads: if flags.threads == 0 { default.threads } else { flags.threads },
            cache_bytes: flags.cache_mib << 20,
            node_name,
            pidfile: flags.pidfile.clone(),
            hasher: default.hasher,
            state_dir: flags.statedir.clone(),
            node,
        }
    }
}

/// A base Corefile where there is one, else the file that `-conf` names.
fn source(flags: &ServeFlags) -> Source {
    let node = &flags.node;
    let is_node = node.localip.is_some();
    let usual = || Some(PathBuf::from(source::BASE)).filter(|path| is_node && path.exists());
    let Some(base) = node.basecorefile.clone().or_else(usual) else {
        let default = || if is_node { node.corefile.clone() } else { "Corefile".into() };
        return Source::File(flags.conf.clone().unwrap_or_else(default));
    };
    let written_to = flags.conf.clone().or_else(|| is_node.then(|| node.corefile.clone()));
    Source::Base(Base {
        path: base,
        config_map: config_map(node),
        values: values(flags.port, node, &flags.cluster),
        written_to,
    })
}

/// The folder of the ConfigMap: the one that is named, else the usual one if it is there.
pub fn config_map(node: &NodeFlags) -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(source::CONFIG_MAP)).filter(|folder| folder.is_dir());
    node.kubednscm.clone().or_else(usual)
}

/// What stands for the placeholders of a base Corefile.
pub fn values(port: u16, node: &NodeFlags, cluster: &ClusterFlags) -> Values {
    let default = Values::default();
    Values {
        local: node.localip.clone().map(|addresses| addresses.0).unwrap_or_default(),
        port,
        cluster_dns: cluster.central_address(),
        cluster_domain: cluster
            .cluster_domain
            .as_ref()
            .map_or(default.cluster_domain, |name| name.to_string().trim_end_matches('.').to_owned()),
        prometheus: node.prometheus_listen_address.clone(),
    }
}

/// The addresses of Services that the environment and the flags tell of.
fn service_addresses(cluster: &ClusterFlags) -> BTreeSet<IpAddr> {
    let of_service = |name: &OsString| name.to_str().is_some_and(|name| name.ends_with("_SERVICE_HOST"));
    let variables = std::env::vars_os().filter(|(name, _)| of_service(name));
    let told = variables.filter_map(|(_, value)| value.to_str()?.parse().ok());
    told.chain(cluster.central_address().ok()).collect()
}

/// What the DaemonSet says by `NODE_NAME`, else the host's name.
fn own_name() -> String {
    let told = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
    told.unwrap_or_else(host_name)
}

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "unknown".to_owned())
}
