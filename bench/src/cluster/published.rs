//! A cluster whose objects publish names, and these objects changing: DNSEndpoints, Services of which a tenth is published,
//! Ingresses.

mod objects;

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use nearpath_tests::api::{Answer, Patch};
use nearpath_tests::{Api, ControlPlane, externaldns};
use serde_json::{Value, json};

use super::{NAMESPACES, control_plane, each, make_namespaces, namespace};
use crate::bench::Bench;

/// The zone of all their names.
pub(super) const ZONE: &str = "corp.example";
/// DNSEndpoint objects, each of one A record.
const ENDPOINTS: usize = 2_000;
/// Services,
const SERVICES: usize = 5_000;
/// one in so many of which has a load balancer and the annotation of a hostname.
const ANNOTATED_EACH: usize = 10;
/// Ingresses, each of one host.
const INGRESSES: usize = 500;
/// Objects of each kind that are changed at once.
pub(crate) const CHANGED: usize = 500;
/// What the API server says of a DNSEndpoint that is changed: its spec, then what ExternalDNS writes into its status.
const EVENTS_PER_ENDPOINT: usize = 2;
/// The namespace that is watched where only one is: that of object 0.
pub(super) fn one_namespace() -> String {
    namespace(0)
}

/// What of them is watched; each has what those above it have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Published {
    /// None: `privatezone` without `watch`.
    Nothing,
    /// The DNSEndpoint objects of one namespace.
    OneNamespace,
    /// Those of all.
    Endpoints,
    /// And Services.
    Services,
    /// And Ingresses.
    Ingresses,
}

impl Published {
    /// Watches that are held for it.
    pub(crate) fn watches(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneNamespace | Self::Endpoints => 1,
            Self::Services => 2,
            Self::Ingresses => 3,
        }
    }

    /// Objects that are watched.
    pub(crate) fn objects(self) -> usize {
        self.endpoints(ENDPOINTS) + self.services(SERVICES) + self.ingresses(INGRESSES)
    }

    /// Names that they publish.
    pub(crate) fn names(self) -> usize {
        self.endpoints(ENDPOINTS) + self.services(SERVICES / ANNOTATED_EACH) + self.ingresses(INGRESSES)
    }

    /// Events when [`CHANGED`] objects of each kind change.
    pub(crate) fn events(self) -> usize {
        self.endpoints(CHANGED) * EVENTS_PER_ENDPOINT + self.services(CHANGED) + self.ingresses(CHANGED)
    }

    /// How many of the first `all` are watched: they are in the namespaces by turns.
    fn endpoints(self, all: usize) -> usize {
        match self {
            Self::Nothing => 0,
            Self::OneNamespace => all.div_ceil(NAMESPACES),
            Self::Endpoints | Self::Services | Self::Ingresses => all,
        }
    }

    fn services(self, all: usize) -> usize {
        if self >= Self::Services { all } else { 0 }
    }

    fn ingresses(self, all: usize) -> usize {
        if self >= Self::Ingresses { all } else { 0 }
    }
}

/// A control plane with all these objects.
#[derive(Debug)]
pub(crate) struct PublishingCluster {
    pub(crate) plane: ControlPlane,
    api: Api,
    /// How often objects have been changed: each time they get other addresses.
    generation: AtomicUsize,
}

impl PublishingCluster {
    /// Starts the control plane and makes the objects, as their owners and their controllers do.
    pub(crate) fn start(bench: &Bench) -> Result<Self> {
        let plane = control_plane(bench)?;
        externaldns::is_defined(&plane);
        let api = plane.api();
        make_namespaces(&api);
        let cluster = Self { plane, api, generation: AtomicUsize::new(0) };
        let all = |count: usize| (0..count).collect::<Vec<_>>();
        each(&all(ENDPOINTS), |number| {
            cluster.make(ENDPOINT_API, "dnsendpoints", number, &objects::endpoint(number));
            cluster.is_seen(number, 0);
        });
        each(&all(SERVICES), |number| {
            cluster.make("/api/v1", "services", number, &objects::service(number));
            if objects::is_published(number) {
                cluster.has_entrance("/api/v1", "services", number, 0);
            }
        });
        each(&all(INGRESSES), |number| {
            cluster.make(INGRESS_API, "ingresses", number, &objects::ingress(number));
            cluster.has_entrance(INGRESS_API, "ingresses", number, 0);
        });
        Ok(cluster)
    }

    /// Changes [`CHANGED`] objects of each kind: the targets of DNSEndpoints, which ExternalDNS sees; the addresses of load
    /// balancers; of the other Services an annotation, as each release of their owners does.
    pub(crate) fn change(&self) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let some: Vec<_> = (0..CHANGED).collect();
        each(&some, |number| {
            let spec = json!({ "spec": objects::endpoint_spec(number, generation) });
            self.patch(ENDPOINT_API, "dnsendpoints", number, "", &spec);
            self.is_seen(number, generation);
        });
        each(&some, |number| match objects::is_published(number) {
            true => self.has_entrance("/api/v1", "services", number, generation),
            false => {
                let release = json!({ "metadata": { "annotations": objects::release(generation) } });
                self.patch("/api/v1", "services", number, "", &release);
            }
        });
        each(&some, |number| self.has_entrance(INGRESS_API, "ingresses", number, generation));
    }

    fn make(&self, group: &str, resource: &str, number: usize, object: &Value) {
        let path = format!("{group}/namespaces/{}/{resource}?fieldManager=helm", namespace(number));
        succeeds(&path, self.api.post(&path, object));
    }

    fn patch(&self, group: &str, resource: &str, number: usize, part: &str, patch: &Value) {
        let (namespace, name) = (namespace(number), objects::name(number));
        let manager = if part.is_empty() { "helm" } else { "controller" };
        let path = format!("{group}/namespaces/{namespace}/{resource}/{name}{part}?fieldManager={manager}");
        succeeds(&path, self.api.patch(&path, Patch::Merge, patch));
    }

    /// ExternalDNS has seen a DNSEndpoint that was changed so often.
    fn is_seen(&self, number: usize, changes: usize) {
        let status = json!({ "status": { "observedGeneration": changes + 1 } });
        self.patch(ENDPOINT_API, "dnsendpoints", number, "/status", &status);
    }

    /// A load balancer has an address.
    fn has_entrance(&self, group: &str, resource: &str, number: usize, generation: usize) {
        let entrance = json!({ "ip": objects::address(number, generation) });
        self.patch(
            group,
            resource,
            number,
            "/status",
            &json!({ "status": { "loadBalancer": { "ingress": [entrance] } } }),
        );
    }
}

/// Where DNSEndpoint objects are.
const ENDPOINT_API: &str = "/apis/externaldns.k8s.io/v1alpha1";
/// Where Ingresses are.
const INGRESS_API: &str = "/apis/networking.k8s.io/v1";

/// Trouble is told as the harness tells it; see [`super::guarded`].
fn succeeds(path: &str, answer: Answer) {
    answer.unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_comes_to_those_before_it() {
        let of =
            |published: Published| (published.watches(), published.objects(), published.names(), published.events());
        assert_eq!(of(Published::Nothing), (0, 0, 0, 0));
        // of 0..500 those that are a multiple of 40 are 13, each with two events
        assert_eq!(of(Published::OneNamespace), (1, 50, 50, 26));
        assert_eq!(of(Published::Endpoints), (1, 2_000, 2_000, 1_000));
        assert_eq!(of(Published::Services), (2, 7_000, 2_500, 1_500));
        assert_eq!(of(Published::Ingresses), (3, 7_500, 3_000, 2_000));
    }
}
