//! Services with a hostname annotation.

use contract::Kind;
use serde::Deserialize;

use super::draft::Draft;
use super::meta::{Instructions, Meta, Status, add_all, lenient};
use super::{Publishes, watched};

/// A Service as the API server has it; what is not named here is skipped while it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    metadata: Meta,
    #[serde(default, deserialize_with = "lenient")]
    spec: Spec,
    #[serde(default, deserialize_with = "lenient")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: Option<String>,
    external_name: Option<String>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "externalIPs")]
    external_ips: Option<Vec<String>>,
}

/// What a name of a Service points to.
enum Targets {
    Known(Vec<String>),
    /// That pods or nodes decide, or how ExternalDNS was started.
    Unknown,
}

watched!(Service);

impl Publishes for Service {
    const KIND: Kind = Kind::Service;
    const API: &'static str = "/api/v1";
    const RESOURCE: &'static str = "services";
    const RIGHT: &'static str = "services";
    const WITHOUT: &'static str = "";

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn publish(&self, draft: &mut Draft<'_>) {
        for view in self.metadata.annotations.views() {
            let (hostnames, internal) = view.hostnames();
            for (names, is_internal) in [(hostnames, false), (internal, true)] {
                match self.targets(view, is_internal) {
                    Targets::Known(targets) => add_all(draft, &names, &targets, view.manner()),
                    Targets::Unknown => names.iter().for_each(|name| draft.add(name, None, &[], view.manner())),
                }
            }
        }
    }
}

impl Service {
    fn targets(&self, view: &Instructions, is_internal: bool) -> Targets {
        let named = view.targets();
        if !named.is_empty() {
            return Targets::Known(named);
        }
        let own = self.spec.cluster_ip.as_deref().filter(|address| !matches!(*address, "" | "None"));
        match self.spec.kind.as_deref() {
            Some("LoadBalancer") if is_internal => Targets::Known(own.map(str::to_owned).into_iter().collect()),
            Some("LoadBalancer") => Targets::Known(self.external_ips().unwrap_or_else(|| self.status.entrances())),
            Some("ExternalName") => {
                let name = self.spec.external_name.as_deref().unwrap_or_default();
                let name = name.strip_suffix('.').unwrap_or(name);
                let name = Some(name.to_owned()).filter(|name| !name.is_empty());
                Targets::Known(self.external_ips().unwrap_or_else(|| name.into_iter().collect()))
            }
            // a headless one's pods have addresses; NodePort's nodes have
            Some("ClusterIP") if is_internal && own.is_some() => {
                Targets::Known(own.map(str::to_owned).into_iter().collect())
            }
            _ => Targets::Unknown,
        }
    }

    fn external_ips(&self) -> Option<Vec<String>> {
        self.spec.external_ips.clone().filter(|addresses| !addresses.is_empty())
    }
}
