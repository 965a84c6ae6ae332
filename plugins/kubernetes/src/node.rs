//! What this node's kubelet puts into every pod's resolv.conf: found out when a plugin is built.

use std::path::Path;
use std::time::SystemTime;

use contract::BuildError;
use contract::wire::Name;

use crate::kubelet::{Host, HostConf, KubeletConfig, NodeDns};
use crate::settings::Settings;

/// The kubelet's own default for `resolvConf`.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The cluster's domain and the host's searches. `zones` are those that the asking directive serves.
pub(crate) fn dns(settings: &Settings, zones: &[Name]) -> Result<(Name, NodeDns), BuildError> {
    let kubelet = KubeletConfig::read(&settings.kubelet_config).unwrap_or_else(|problem| {
        tracing::warn!("kubernetes: the kubelet's configuration is not used: {problem}");
        None
    });
    let told = kubelet.as_ref().and_then(|kubelet| kubelet.cluster_domain.as_deref());
    let told = told.and_then(|text| Name::parse(text).ok());
    let domain = domain(settings.cluster_domain.as_ref(), told.as_ref(), zones)?;
    let host = host(settings, kubelet.as_ref());
    Ok((domain.clone(), NodeDns { cluster_domain: Some(domain), host }))
}

/// The files that it comes from, to be looked at again.
#[derive(Clone, Debug)]
pub(crate) struct HostFiles {
    settings: Settings,
    zones: Vec<Name>,
    seen: Stamps,
}

/// When each file was written, and how long it is.
type Stamps = Vec<Option<(SystemTime, u64)>>;

impl HostFiles {
    /// As they are now.
    pub(crate) fn new(settings: &Settings, zones: &[Name]) -> Self {
        Self { settings: settings.clone(), zones: zones.to_vec(), seen: stamps(settings) }
    }

    /// What they say, if they were written since they were last looked at.
    pub(crate) fn changed(&mut self) -> Option<NodeDns> {
        let now = stamps(&self.settings);
        if std::mem::replace(&mut self.seen, now.clone()) == now {
            return None;
        }
        dns(&self.settings, &self.zones).ok().map(|(_, node)| node)
    }
}

fn stamps(settings: &Settings) -> Stamps {
    let host = settings.resolv_conf.as_deref().unwrap_or_else(|| Path::new(RESOLV_CONF));
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    let told = KubeletConfig::read(&settings.kubelet_config).ok().flatten().and_then(|kubelet| kubelet.resolv_conf);
    [Some(host), Some(settings.kubelet_config.as_path()), told.as_deref()].into_iter().flatten().map(stamp).collect()
}

/// The cluster's domain: a flag's, the kubelet's, or that of the one zone that can be meant.
fn domain(flag: Option<&Name>, kubelet: Option<&Name>, zones: &[Name]) -> Result<Name, BuildError> {
    if let (Some(flag), Some(kubelet)) = (flag, kubelet)
        && flag != kubelet
    {
        tracing::warn!(
            "kubernetes: -cluster-domain says {flag}, the kubelet's configuration {kubelet}; the flag counts"
        );
    }
    let mut usable = zones.iter().filter(|zone| !zone.is_root() && !is_reverse(zone));
    let (zone, second) = (usable.next(), usable.next());
    let told = flag.or(kubelet);
    if let (Some(told), Some(zone)) = (told, zone)
        && !zones.iter().any(|zone| zone.encloses(told))
    {
        tracing::warn!("kubernetes: `autopath` serves {zone}, and the cluster's domain is {told}: nothing is expanded");
    }
    match (told, zone, second) {
        (Some(told), _, _) => Ok(told.clone()),
        (None, Some(zone), None) => Ok(zone.clone()),
        _ => Err(BuildError::Unavailable {
            what: "autopath @kubernetes".to_owned(),
            reason:
                "the cluster's domain is not known: write it as the zone (`autopath cluster.local @kubernetes`), or \
                     set -cluster-domain"
                    .to_owned(),
        }),
    }
}

fn is_reverse(zone: &Name) -> bool {
    let text = zone.to_string();
    text.ends_with("in-addr.arpa.") || text.ends_with("ip6.arpa.")
}

/// The host's searches: from the file that a flag names, or the kubelet's configuration, or where it mostly is.
fn host(settings: &Settings, kubelet: Option<&KubeletConfig>) -> Host {
    let told = kubelet.map(|kubelet| kubelet.resolv_conf.as_deref());
    let path = match (settings.resolv_conf.as_deref(), told) {
        (Some(flag), _) => flag,
        (None, Some(None)) => return Host::NoFile,
        (None, Some(Some(path))) if path.exists() => path,
        (None, _) => Path::new(RESOLV_CONF),
    };
    match HostConf::read(path) {
        Ok(conf) => Host::File(conf),
        Err(problem) => {
            let path = path.display();
            tracing::warn!("kubernetes: {path}: {problem}; pods that have its searches are resolved as asked");
            Host::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_what_is_told_or_the_one_zone_that_can_be_meant() {
        let names = |zones: &[&str]| zones.iter().map(|zone| Name::parse(zone).unwrap()).collect::<Vec<_>>();
        let (local, corp) = (Name::parse("cluster.local").unwrap(), Name::parse("k.corp").unwrap());
        let found = |flag, kubelet, zones: &[&str]| domain(flag, kubelet, &names(zones)).ok();
        assert_eq!(found(None, None, &["cluster.local"]), Some(local.clone()));
        assert_eq!(found(None, None, &["cluster.local", "in-addr.arpa", "ip6.arpa"]), Some(local.clone()));
        assert_eq!(found(None, None, &["."]), None);
        assert_eq!(found(None, None, &["cluster.local", "k.corp"]), None, "two of them could be it");
        assert_eq!(found(None, Some(&corp), &["cluster.local", "k.corp"]), Some(corp.clone()));
        assert_eq!(found(Some(&local), Some(&corp), &["."]), Some(local));
    }
}
