//! A pod as the API server sends it, read as far as its look-ups need it.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;

use contract::SearchLists;
use serde::{Deserialize, Deserializer};

use crate::index::Claim;
use crate::kubelet::{self, DnsSpec, NodeDns, PodDns};
use crate::words::{Version, Watched};

/// The condition whose last change is the birth of the sandbox (Kubernetes: "Pod network readiness").
const SANDBOX_READY: &str = "PodReadyToStartContainers";

/// A pod's object; what is not named here is skipped while it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct PodObject {
    metadata: Meta,
    #[serde(default, deserialize_with = "null_is_none")]
    spec: DnsSpec,
    #[serde(default, deserialize_with = "null_is_none")]
    status: Status,
}

/// `null` says what an absent field says.
fn null_is_none<'d, T: Default + Deserialize<'d>, D: Deserializer<'d>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Debug, Deserialize)]
struct Meta {
    uid: Arc<str>,
    name: String,
    namespace: String,
    #[serde(rename = "resourceVersion")]
    version: Version,
    #[serde(default)]
    labels: Option<Labels>,
}

#[derive(Debug, Default, Deserialize)]
struct Labels {
    /// Since 1.33 pods have the labels of their node's place (Kubernetes: "Well-Known Labels").
    #[serde(rename = "topology.kubernetes.io/zone", default)]
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "null_is_none")]
    phase: String,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<PodIp>>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    /// Since 1.30; before that there is one.
    #[serde(rename = "hostIPs")]
    host_ips: Option<Vec<PodIp>>,
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<Container>>,
    init_container_statuses: Option<Vec<Container>>,
}

#[derive(Debug, Deserialize)]
struct PodIp {
    #[serde(default, deserialize_with = "null_is_none")]
    ip: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    last_transition_time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Container {
    #[serde(rename = "containerID", default, deserialize_with = "null_is_none")]
    id: String,
}

impl Watched for PodObject {
    fn key(&self) -> &str {
        &self.metadata.uid
    }

    fn version(&self) -> &str {
        &self.metadata.version.0
    }
}

impl PodObject {
    pub(crate) fn uid(&self) -> &Arc<str> {
        &self.metadata.uid
    }

    /// The zone of its node, if its labels tell.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.metadata.labels.as_ref()?.zone.as_deref().filter(|zone| !zone.is_empty())
    }

    /// The node's own addresses, as far as it tells them.
    pub(crate) fn host_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let Status { pod_ips, host_ip, host_ips, .. } = &self.status;
        let own = pod_ips.iter().flatten().filter(|_| self.spec.host_network == Some(true));
        let told = own.chain(host_ips.iter().flatten()).map(|ip| ip.ip.as_str()).chain(host_ip.as_deref());
        told.filter_map(|ip| ip.parse().ok()).map(|ip: IpAddr| ip.to_canonical())
    }

    /// What it says of who has an address; `None`: it uses the node's own.
    pub(crate) fn claim(&self, node: &NodeDns, lists: &SearchLists) -> Option<Claim> {
        if self.spec.host_network == Some(true) {
            return None;
        }
        let Meta { uid, name, namespace, version, .. } = &self.metadata;
        let list = kubelet::derive(&PodDns { namespace, spec: &self.spec }, node);
        let (search, ndots) = list.map_or_else(Default::default, |list| (list.search, list.ndots));
        Some(Claim {
            uid: Arc::clone(uid),
            version: version.clone(),
            name: format!("{namespace}/{name}").into(),
            addresses: self.status.addresses(),
            list: lists.intern(&search),
            ndots,
            sandbox: self.status.sandbox(),
            ready_at: self.status.ready_at(),
        })
    }
}

impl Status {
    /// Those of a live pod: one that has some and has not ended. Without its sandbox it has none, whatever its status still
    /// holds.
    fn addresses(&self) -> Vec<IpAddr> {
        let without = |condition: &Condition| condition.kind == SANDBOX_READY && condition.status == "False";
        if matches!(self.phase.as_str(), "Succeeded" | "Failed") || self.conditions.iter().flatten().any(without) {
            return Vec::new();
        }
        let parsed = |ip: &PodIp| ip.ip.parse().ok().map(|ip: IpAddr| ip.to_canonical());
        let mut addresses: Vec<IpAddr> = self.pod_ips.iter().flatten().filter_map(parsed).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// A number that stands for the sandbox and its containers.
    fn sandbox(&self) -> u64 {
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        let containers = self.init_container_statuses.iter().chain(&self.container_statuses).flatten();
        containers.for_each(|container| container.id.hash(&mut hasher));
        self.pod_ips.iter().flatten().for_each(|ip| ip.ip.hash(&mut hasher));
        self.sandbox_ready().hash(&mut hasher);
        hasher.finish()
    }

    fn sandbox_ready(&self) -> Option<&str> {
        let mut ready = self.conditions.iter().flatten().filter(|condition| condition.kind == SANDBOX_READY);
        ready.find(|condition| condition.status == "True")?.last_transition_time.as_deref()
    }

    fn ready_at(&self) -> Option<u64> {
        seconds(self.sandbox_ready()?)
    }
}

/// A time such as `2026-02-28T23:59:59Z` (RFC 3339, always UTC here) in seconds since 1970.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let date_is = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !date_is || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // years begin in March here, so that the leap day is their last
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + (day - 1) - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
