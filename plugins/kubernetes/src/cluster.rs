//! What plugins ask for by an `@`: starts the watches, one for each thing that somebody wants to know, and ends them when
//! nobody does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use contract::metrics::Metrics;
use contract::wire::Name;
use contract::{BuildError, Clock, Cluster, Endpoints, PodIndex, Published, SearchLists, ServicePort, Wanted};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};

use crate::api::Api;
use crate::backoff::Backoff;
use crate::herald::{self, Withdrawn};
use crate::kubelet::NodeDns;
use crate::node::{self, HostFiles};
use crate::pods::{Parts, Pods};
use crate::published;
use crate::reflector::{Reflector, Subject};
use crate::service::{self, Service};
use crate::settings::Settings;
use crate::trouble::Trouble;

/// Words that wait to be taken in; then the watch waits.
pub(crate) const WORDS_MAX: usize = 1_024;
/// The work beside the queries begins anew so long after it ended.
const ANEW_AFTER: Duration = Duration::from_secs(5);

/// The Service that nearly every cluster has for its DNS.
const CLUSTER_DNS: &str = "kube-dns";

/// The cluster, as its API server tells of it.
pub struct Kubernetes {
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    lists: Arc<SearchLists>,
    runtime: Handle,
    zone: watch::Sender<Option<String>>,
    /// By the cluster's domain.
    pods: Mutex<HashMap<Name, Weak<PodIndex>>>,
    services: Services,
    published: Mutex<HashMap<Wanted, Weak<Published>>>,
}

/// The Services that are watched. Whoever finds under the lock that nobody receives ends the watch.
type Services = Arc<Mutex<HashMap<ServicePort, Arc<watch::Sender<Arc<Endpoints>>>>>>;

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Nothing is read or opened before a plugin asks.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        lists: Arc<SearchLists>,
        runtime: Handle,
    ) -> Self {
        let zone = watch::Sender::new(settings.zone.clone());
        let (pods, services, published) = Default::default();
        Self { settings, clock, metrics, lists, runtime, zone, pods, services, published }
    }

    fn watch_pods(&self, node: NodeDns, host: HostFiles) -> Arc<PodIndex> {
        let index = Arc::new(PodIndex::default());
        let subject = Subject {
            path: "/api/v1/pods".to_owned(),
            selector: format!("fieldSelector=spec.nodeName%3D{}", self.settings.node_name),
            is_optional: false,
        };
        let (settings, clock, metrics) = (self.settings.clone(), Arc::clone(&self.clock), Arc::clone(&self.metrics));
        let (lists, zone, out) = (Arc::clone(&self.lists), self.zone.clone(), Arc::downgrade(&index));
        let flagged = self.settings.zone.is_some();
        let work = move || {
            let ask = Arc::new(Notify::new());
            let (words, heard) = mpsc::channel(WORDS_MAX);
            let (testimonies, seen) = mpsc::channel(WORDS_MAX);
            let parts = Parts {
                out: Weak::clone(&out),
                node: node.clone(),
                host: host.clone(),
                lists: Arc::clone(&lists),
                clock: Arc::clone(&clock),
                withdrawn: Arc::new(Withdrawn::default()),
                metrics: Arc::clone(&metrics),
                ask: Arc::clone(&ask),
                zone: if flagged { watch::Sender::new(None) } else { zone.clone() },
            };
            let reflector = Reflector::new(Api::new(&settings), subject.clone(), ask);
            herald::start(Arc::clone(&parts.withdrawn), Weak::clone(&out), testimonies);
            async move {
                tokio::select! {
                    () = Pods::new(parts).run(heard, seen) => {}
                    () = reflector.run(words) => {}
                }
            }
        };
        let out = Arc::downgrade(&index);
        self.runtime.spawn(lasting("pods", work, move || out.strong_count() > 0));
        index
    }

    fn watch_service(&self, port: &ServicePort, out: Arc<watch::Sender<Arc<Endpoints>>>) {
        let subject = Subject {
            path: format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", port.namespace),
            selector: format!("labelSelector=kubernetes.io%2Fservice-name%3D{}", port.service),
            is_optional: false,
        };
        let (settings, metrics, port) = (self.settings.clone(), Arc::clone(&self.metrics), port.clone());
        let (zone, known, services) = (self.zone.clone(), out.borrow().service, Arc::clone(&self.services));
        let key = port.clone();
        let is_wanted = {
            let out = Arc::clone(&out);
            move || {
                let mut services = services.lock().unwrap_or_else(PoisonError::into_inner);
                let wanted = out.receiver_count() > 0;
                if !wanted {
                    services.remove(&key);
                }
                wanted
            }
        };
        let work = move || {
            let (words, heard) = mpsc::channel(WORDS_MAX);
            let reflector = Reflector::new(Api::new(&settings), subject.clone(), Arc::new(Notify::new()));
            let (out, port, zone) = (Arc::clone(&out), port.clone(), zone.subscribe());
            let (settings, metrics) = (settings.clone(), Arc::clone(&metrics));
            let of_service = Arc::clone(&metrics);
            async move {
                let find = async {
                    if known.is_none() {
                        find_address(&settings, &port, &out, &of_service).await;
                    }
                    std::future::pending::<()>().await;
                };
                let service = Service { port: port.clone(), out: Arc::clone(&out), zone, metrics };
                tokio::select! {
                    () = service.run(heard) => {}
                    () = reflector.run(words) => {}
                    () = find => {}
                }
            }
        };
        self.runtime.spawn(lasting("endpoints", work, is_wanted));
    }

    /// What a flag, or the environment of a pod in the Service's namespace, says.
    fn service_address(&self, port: &ServicePort) -> Option<SocketAddr> {
        if port.namespace != self.settings.namespace {
            return None; // the environment tells of its own namespace alone
        }
        let named = self.settings.service.as_deref().unwrap_or(CLUSTER_DNS);
        let flag = self.settings.service_address.filter(|_| stands_for(named, &port.service));
        let number = port.port.as_deref().and_then(|port| port.parse().ok()).unwrap_or(service::DNS_PORT);
        flag.map(|address| SocketAddr::new(address, number))
            .or_else(|| service::address_in(|name| self.settings.environment.get(name).cloned(), port))
    }

    fn is_known(&self, what: &str) -> Result<(), BuildError> {
        Api::is_known(&self.settings).map_err(|reason| BuildError::Unavailable { what: what.to_owned(), reason })
    }
}

impl Cluster for Kubernetes {
    fn pods(&self, zones: &[Name]) -> Result<Arc<PodIndex>, BuildError> {
        self.is_known("autopath @kubernetes")?;
        let host = HostFiles::new(&self.settings, zones);
        let (domain, node) = node::dns(&self.settings, zones)?;
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.retain(|_, index| index.strong_count() > 0);
        if let Some(index) = pods.get(&domain).and_then(Weak::upgrade) {
            return Ok(index);
        }
        let index = self.watch_pods(node, host);
        pods.insert(domain, Arc::downgrade(&index));
        Ok(index)
    }

    fn endpoints(&self, port: &ServicePort) -> Result<watch::Receiver<Arc<Endpoints>>, BuildError> {
        self.is_known(&port.to_string())?;
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(out) = services.get(port) {
            return Ok(out.subscribe());
        }
        let first = Endpoints { service: self.service_address(port), ..Endpoints::default() };
        let (out, receiver) = watch::channel(Arc::new(first));
        let out = Arc::new(out);
        services.insert(port.clone(), Arc::clone(&out));
        drop(services);
        self.watch_service(port, out);
        Ok(receiver)
    }

    fn published(&self, wanted: &Wanted) -> Result<Arc<Published>, BuildError> {
        self.is_known("what is published into private zones")?;
        let mut wanted = wanted.clone();
        wanted.zones.sort_unstable();
        wanted.zones.dedup();
        let mut known = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, published| published.strong_count() > 0);
        if let Some(published) = known.get(&wanted).and_then(Weak::upgrade) {
            return Ok(published);
        }
        let published = published::watch(&self.settings, &self.clock, &self.metrics, &self.runtime, &wanted);
        known.insert(wanted, Arc::downgrade(&published));
        Ok(published)
    }
}

/// Whether the address of the Service `named` is as good as that of `service`: it is that one, or a second one for the same
/// pods, as NodeLocal DNSCache makes it.
fn stands_for(named: &str, service: &str) -> bool {
    named == service || named.strip_suffix("-upstream") == Some(service)
}

/// Work that is begun anew if it panics or ends, for as long as it is wanted.
pub(crate) async fn lasting<F>(what: &'static str, work: impl Fn() -> F, is_wanted: impl Fn() -> bool)
where
    F: Future<Output = ()> + Send + 'static,
{
    while is_wanted() {
        let panicked = tokio::spawn(work()).await.is_err();
        if is_wanted() {
            let how = if panicked { "panicked" } else { "ended" };
            tracing::error!("kubernetes: the work on {what} {how}; it begins anew in {} s", ANEW_AFTER.as_secs());
            tokio::time::sleep(ANEW_AFTER).await;
        }
    }
}

/// Asks for a Service's own address until it is known.
async fn find_address(settings: &Settings, port: &ServicePort, out: &watch::Sender<Arc<Endpoints>>, metrics: &Metrics) {
    let mut is_said = false;
    let (mut api, mut backoff, mut random) = (Api::new(settings), Backoff::default(), SmallRng::from_os_rng());
    loop {
        match service::address(&mut api, port).await {
            Ok(address) => {
                out.send_if_modified(|known| {
                    let news = known.service != address;
                    Arc::make_mut(known).service = address;
                    news
                });
                return;
            }
            Err(trouble) => {
                trouble.count(metrics, "services");
                // that nobody is there the watch says already
                let is_own = matches!(trouble, Trouble::Denied { .. } | Trouble::Status { .. } | Trouble::Nonsense(_));
                if is_own && !std::mem::replace(&mut is_said, true) {
                    tracing::warn!("kubernetes: the address of {port}: {trouble}{}", trouble.advice());
                }
                tokio::time::sleep(backoff.longer(&mut random)).await;
            }
        }
    }
}
