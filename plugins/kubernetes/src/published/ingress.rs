//! Ingresses: the hosts of their rules and certificates, and hostname annotations.

use contract::Kind;
use serde::Deserialize;

use super::draft::Draft;
use super::meta::{Meta, Status, add_all, lenient};
use super::{Publishes, watched};

/// An Ingress as the API server has it; what is not named here is skipped while it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Ingress {
    metadata: Meta,
    #[serde(default, deserialize_with = "lenient")]
    spec: Spec,
    #[serde(default, deserialize_with = "lenient")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    rules: Option<Vec<Rule>>,
    tls: Option<Vec<Tls>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    host: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tls {
    hosts: Option<Vec<String>>,
}

watched!(Ingress);

impl Publishes for Ingress {
    const KIND: Kind = Kind::Ingress;
    const API: &'static str = "/apis/networking.k8s.io/v1";
    const RESOURCE: &'static str = "ingresses";
    const RIGHT: &'static str = "ingresses.networking.k8s.io";
    const WITHOUT: &'static str = "";

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn publish(&self, draft: &mut Draft<'_>) {
        for view in self.metadata.annotations.views() {
            let named = view.targets();
            let targets = if named.is_empty() { self.status.entrances() } else { named };
            let source = view.source.as_deref().map(str::to_lowercase);
            if matches!(source.as_deref(), None | Some("defined-hosts-only")) {
                add_all(draft, &self.hosts(), &targets, view.manner());
            }
            if matches!(source.as_deref(), None | Some("annotation-only")) {
                add_all(draft, &view.hostnames().0, &targets, view.manner());
            }
        }
    }
}

impl Ingress {
    fn hosts(&self) -> Vec<String> {
        let rules = self.spec.rules.iter().flatten().filter_map(|rule| rule.host.as_ref());
        let tls = self.spec.tls.iter().flatten().flat_map(|tls| tls.hosts.iter().flatten());
        rules.chain(tls).filter(|host| !host.is_empty()).cloned().collect()
    }
}
