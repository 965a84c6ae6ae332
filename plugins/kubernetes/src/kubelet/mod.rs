//! What the kubelet of this node writes into a pod's resolv.conf, derived once more from the same sources.
//!
//! ```text
//!  config.yaml --KubeletConfig--> cluster domain, path --HostConf--> NodeDns --+
//!                                                                              +--derive--> PodList
//!  pod's spec --DnsSpec--> PodDns ---------------------------------------------+
//! ```
//!
//! The rules are those of Kubernetes 1.36 (`pkg/kubelet/network/dns`); the bounds are the same since 1.28. Where a list cannot
//! be known for sure, or stub resolvers would not read it alike, there is none: the pod's names are then resolved as asked.

#[cfg(test)]
mod cases;
mod config;
mod host;
mod list;
mod options;

use contract::wire::Name;
use serde::Deserialize;

pub(crate) use config::KubeletConfig;
pub(crate) use host::{Host, HostConf};
#[cfg(test)]
use list::PodList;
pub(crate) use list::derive;

/// What all pods of the node have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeDns {
    /// The cluster's domain; `None`: the kubelet was given none, and puts the host's searches alone into resolv.conf.
    pub(crate) cluster_domain: Option<Name>,
    /// The file that the kubelet takes the host's searches from.
    pub(crate) host: Host,
}

/// A pod as far as its resolv.conf goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodDns<'p> {
    /// `metadata.namespace`.
    pub(crate) namespace: &'p str,
    /// Of its `spec`.
    pub(crate) spec: &'p DnsSpec,
}

/// The fields of a pod's `spec` that decide about its resolv.conf (Kubernetes API, PodSpec v1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DnsSpec {
    /// `None`: the API's default, `ClusterFirst`.
    pub(crate) dns_policy: Option<Policy>,
    /// The pod shares the node's network. Absent: false.
    pub(crate) host_network: Option<bool>,
    /// What the pod adds itself.
    pub(crate) dns_config: Option<DnsConfig>,
}

/// `dnsPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Policy {
    ClusterFirst,
    ClusterFirstWithHostNet,
    Default,
    None,
    /// One that came after this was written: nothing is known of such a pod.
    #[serde(other)]
    Unknown,
}

/// `dnsConfig`; its nameservers do not matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct DnsConfig {
    /// Search domains in order.
    pub(crate) searches: Option<Vec<String>>,
    /// resolv.conf(5) options.
    pub(crate) options: Option<Vec<DnsOption>>,
}

/// An option of resolv.conf(5), such as `ndots` with value `2`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct DnsOption {
    /// Absent: empty; the API server lets no such pod in.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_and_the_rest_of_it_skipped() {
        let json = r#"{
            "containers": [{"name": "web", "image": "web:1"}], "nodeName": "node-1", "hostNetwork": true,
            "dnsPolicy": "None",
            "dnsConfig": {
                "nameservers": ["169.254.20.10"],
                "searches": ["shop.svc.cluster.local", "."],
                "options": [{"name": "ndots", "value": "3"}, {"name": "edns0"}, {"name": "rotate", "value": null}]
            }
        }"#;
        let spec: DnsSpec = serde_json::from_str(json).unwrap();
        let option = |name: &str, value: Option<&str>| DnsOption { name: name.into(), value: value.map(Into::into) };
        let config = DnsConfig {
            searches: Some(vec!["shop.svc.cluster.local".into(), ".".into()]),
            options: Some(vec![option("ndots", Some("3")), option("edns0", None), option("rotate", None)]),
        };
        let expected = DnsSpec { dns_policy: Some(Policy::None), host_network: Some(true), dns_config: Some(config) };
        assert_eq!(spec, expected);
    }

    #[test]
    fn absent_null_and_unknown_fields() {
        let read = |json| serde_json::from_str::<DnsSpec>(json).unwrap();
        assert_eq!(read("{}"), DnsSpec::default());
        assert_eq!(read(r#"{"dnsPolicy": null, "hostNetwork": null, "dnsConfig": null}"#), DnsSpec::default());
        assert_eq!(read(r#"{"dnsConfig": {}}"#).dns_config, Some(DnsConfig::default()));
        assert_eq!(
            read(r#"{"dnsConfig": {"searches": null, "options": null}}"#).dns_config,
            Some(DnsConfig::default())
        );
        assert_eq!(read(r#"{"dnsPolicy": "ClusterLast"}"#).dns_policy, Some(Policy::Unknown));
        for (text, policy) in [
            ("ClusterFirst", Policy::ClusterFirst),
            ("ClusterFirstWithHostNet", Policy::ClusterFirstWithHostNet),
            ("Default", Policy::Default),
        ] {
            assert_eq!(serde_json::from_value::<Policy>(text.into()).unwrap(), policy);
        }
    }
}
