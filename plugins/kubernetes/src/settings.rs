//! What the command line says about the cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use contract::wire::Name;

/// Where the API server is, who this node is, and what its kubelet was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The pods of this node are watched.
    pub node_name: String,
    /// Credentials and address; `None`: those that every pod is given.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; `None`: its current one.
    pub context: Option<String>,
    /// The API server, in place of what credentials name: for when the address of the Service does not work yet.
    pub api_server: Option<http::Uri>,
    /// The cluster's domain; `None`: what the kubelet's configuration says, else the zone of the Corefile.
    pub cluster_domain: Option<Name>,
    /// The resolv.conf that the kubelet gives to pods; `None`: the one that its configuration names, else
    /// `/etc/resolv.conf`.
    pub resolv_conf: Option<PathBuf>,
    /// The kubelet's configuration, read if it is there.
    pub kubelet_config: PathBuf,
    /// The node's zone; `None`: what the labels of its pods say.
    pub zone: Option<String>,
    /// The namespace that this process runs in.
    pub namespace: String,
    /// The Service of that namespace that `service_address` is of; `None`: `kube-dns`.
    pub service: Option<String>,
    /// Where that one can be asked before its endpoints are known; `None`: what the environment or the API server says.
    pub service_address: Option<IpAddr>,
    /// The variables that tell every pod of the Services in its namespace (`KUBE_DNS_SERVICE_HOST`).
    pub environment: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node_name: String::new(),
            kubeconfig: None,
            context: None,
            api_server: None,
            cluster_domain: None,
            resolv_conf: None,
            kubelet_config: "/var/lib/kubelet/config.yaml".into(),
            zone: None,
            namespace: "kube-system".to_owned(),
            service: None,
            service_address: None,
            environment: BTreeMap::new(),
        }
    }
}
