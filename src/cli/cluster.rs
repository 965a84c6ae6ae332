//! Flags that say where the cluster's API server is and what this node's kubelet was told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use contract::wire::Name;

/// Flags for what is named by an `@` in the Corefile.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kubernetes (what the Corefile names by an @)")]
pub struct ClusterFlags {
    /// Address and credentials of the API server; those that every pod is given unless set
    #[arg(long, value_name = "FILE", env = "NEARPATH_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one unless set
    #[arg(long, value_name = "NAME", requires = "kubeconfig", env = "NEARPATH_KUBE_CONTEXT")]
    pub kube_context: Option<String>,
    /// The API server's address, for when that of its Service does not work yet (https://10.0.0.5:6443)
    #[arg(long, value_name = "URL", value_parser = url, env = "NEARPATH_API_SERVER")]
    pub api_server: Option<http::Uri>,
    /// The cluster's domain; what the kubelet's configuration says unless set, else the zone of `autopath`
    #[arg(long, value_name = "NAME", value_parser = name, env = "NEARPATH_CLUSTER_DOMAIN")]
    pub cluster_domain: Option<Name>,
    /// The resolv.conf whose search domains the kubelet gives to pods; the one that its configuration names unless set, else /etc/resolv.conf
    #[arg(long, value_name = "FILE", env = "NEARPATH_HOST_RESOLVCONF")]
    pub host_resolvconf: Option<PathBuf>,
    /// The kubelet's configuration, read if it is there
    #[arg(long, value_name = "FILE", default_value = "/var/lib/kubelet/config.yaml", env = "NEARPATH_KUBELET_CONFIG")]
    pub kubelet_config: PathBuf,
    /// This node's zone (topology.kubernetes.io/zone); what the labels of its pods say unless set
    #[arg(long, value_name = "NAME", env = "NEARPATH_ZONE")]
    pub zone: Option<String>,
    /// The central DNS Service of our own namespace, whose address is taken from the environment: it stands for __PILLAR__CLUSTER__DNS__, and is asked while its endpoints are not known; kube-dns unless set
    #[arg(long, value_name = "SERVICE", env = "NEARPATH_UPSTREAMSVC")]
    pub upstreamsvc: Option<String>,
    /// The address of that Service, in place of what the environment says
    #[arg(long, value_name = "IP", env = "NEARPATH_UPSTREAM_ADDRESS")]
    pub upstream_address: Option<IpAddr>,
}

impl ClusterFlags {
    /// The address of the central Service, or why it is not known.
    pub fn central_address(&self) -> Result<IpAddr, String> {
        if let Some(address) = self.upstream_address {
            return Ok(address);
        }
        let service = self.upstreamsvc.as_deref().unwrap_or("kube-dns");
        let variable = variable(service);
        let missing = "set -upstream-address IP, or write `@NAMESPACE/SERVICE` there";
        match std::env::var(&variable) {
            Ok(text) => text.parse().map_err(|_| format!("${variable} is `{text}`, no address; {missing}")),
            Err(_) => Err(format!(
                "the environment has no ${variable}, where the address of -upstreamsvc {service} would be; {missing}"
            )),
        }
    }

    /// What they say of the cluster, for a node with this name.
    pub fn settings(&self, node_name: &str) -> kubernetes::Settings {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.contains("_SERVICE_"))
            .collect();
        let of_service = |service: &String| environment.get(&variable(service))?.parse().ok();
        kubernetes::Settings {
            node_name: node_name.to_owned(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.kube_context.clone(),
            api_server: self.api_server.clone(),
            cluster_domain: self.cluster_domain.clone(),
            resolv_conf: self.host_resolvconf.clone(),
            kubelet_config: self.kubelet_config.clone(),
            zone: self.zone.clone(),
            namespace: own_namespace(),
            service: self.upstreamsvc.clone(),
            service_address: self.upstream_address.or_else(|| self.upstreamsvc.as_ref().and_then(of_service)),
            environment: environment.clone(),
        }
    }
}

/// The variable that tells every pod the address of a Service of its namespace.
fn variable(service: &str) -> String {
    format!("{}_SERVICE_HOST", service.to_uppercase().replace('-', "_"))
}

/// The namespace of the pod that this is; the one where such a daemon mostly runs if it is none.
fn own_namespace() -> String {
    let told = std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    let told = told.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    told.unwrap_or_else(|| "kube-system".to_owned())
}

fn url(text: &str) -> Result<http::Uri, String> {
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let uri: http::Uri = text.parse().map_err(|error| format!("{error}; a URL such as https://10.0.0.5:6443"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https" | "http"), Some(_)) => Ok(uri),
        _ => Err("not a URL such as https://10.0.0.5:6443".to_owned()),
    }
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_is_a_url_or_an_address() {
        let shown = |text: &str| url(text).map(|uri| uri.to_string());
        assert_eq!(shown("https://10.0.0.5:6443"), Ok("https://10.0.0.5:6443/".to_owned()));
        assert_eq!(shown("10.0.0.5:6443"), Ok("https://10.0.0.5:6443/".to_owned()));
        assert_eq!(shown("http://[::1]:8080"), Ok("http://[::1]:8080/".to_owned()));
        for wrong in ["", "ftp://x", "https://", "a b"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
