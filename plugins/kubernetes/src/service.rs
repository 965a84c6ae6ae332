//! The endpoints of one Service: hears the API server and hands over where its pods can be asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use contract::limits::API_LIST_MAX;
use contract::metrics::Metrics;
use contract::{Endpoints, ServicePort};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::api::Transport;
use crate::lines::whole;
use crate::reflector::Word;
use crate::slices::{Slice, Slices};
use crate::trouble::{Outage, Trouble};
use crate::words::Watched;

/// The port of DNS.
pub(crate) const DNS_PORT: u16 = 53;
/// The Service is asked for within this.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// The work beside the queries.
pub(crate) struct Service {
    pub(crate) port: ServicePort,
    pub(crate) out: Arc<watch::Sender<Arc<Endpoints>>>,
    /// The node's zone, as a flag or the labels of its pods tell.
    pub(crate) zone: watch::Receiver<Option<String>>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A Service's object, as far as it is needed.
#[derive(Deserialize)]
struct ServiceObject {
    spec: ServiceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSpec {
    #[serde(rename = "clusterIP", default)]
    cluster_ip: String,
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(default)]
    name: String,
    port: u16,
    #[serde(default)]
    protocol: String,
}

impl Watched for Slice {
    fn key(&self) -> &str {
        &self.metadata.name
    }

    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Service {
    /// Goes on until nobody wants to know.
    pub(crate) async fn run(mut self, mut words: mpsc::Receiver<Word<Slice>>) {
        let mut slices = Slices::default();
        let mut outage = Outage::default();
        let left_out = self.metrics.gauge(
            "nearpath_kubernetes_left_out_endpoints",
            "Endpoints of a Service beyond what is taken in.",
            &[("service", &self.port.to_string())],
        );
        let out = Arc::clone(&self.out);
        loop {
            let word = tokio::select! {
                () = out.closed() => return,
                word = words.recv() => {
                    outage.heard();
                    word
                }
                Ok(()) = self.zone.changed() => Some(Word::Alive),
                lasted = outage.over() => {
                    let (lasted, count) = (lasted.as_secs(), self.out.borrow().ready.len());
                    tracing::info!("kubernetes: endpoints of {}: in step again after {lasted} s; {count} are ready", self.port);
                    continue;
                }
            };
            match word {
                None => return,
                Some(Word::Trouble(trouble)) => {
                    self.complain(&trouble, &mut outage);
                    continue;
                }
                Some(Word::Alive | Word::Opened) => {}
                Some(Word::Changed(slice)) => slices.apply(slice),
                Some(Word::Deleted(slice)) => slices.remove(&slice.metadata.name),
                Some(Word::List { items, .. }) => {
                    slices.replace(items);
                    self.out.send_modify(|known| Arc::make_mut(known).synced = true);
                }
            }
            let zone = self.zone.borrow_and_update().clone();
            left_out.set(i64::try_from(slices.left_out()).unwrap_or(i64::MAX));
            let ready = slices.endpoints(self.port.port.as_deref(), zone.as_deref());
            self.out.send_if_modified(|known| {
                let news = known.ready != ready;
                if news {
                    Arc::make_mut(known).ready = ready;
                }
                news
            });
        }
    }

    fn complain(&self, trouble: &Trouble, outage: &mut Outage) {
        trouble.count(&self.metrics, "endpointslices");
        if outage.troubled(trouble) {
            let meanwhile = match self.out.borrow().synced {
                true => "those that are known go on being asked",
                false => "until they are known the fallback is asked",
            };
            tracing::warn!("kubernetes: endpoints of {}: {trouble}{}; {meanwhile}", self.port, trouble.advice());
        }
    }
}

/// The Service's own address and port, from its object.
pub(crate) async fn address(api: &mut impl Transport, port: &ServicePort) -> Result<Option<SocketAddr>, Trouble> {
    let path = format!("/api/v1/namespaces/{}/services/{}", port.namespace, port.service);
    let got = tokio::time::timeout(READ_WITHIN, async { whole(api.get(&path).await?, API_LIST_MAX).await });
    let body = got.await.unwrap_or(Err(Trouble::Silent(READ_WITHIN)))?;
    let service: ServiceObject = serde_json::from_slice(&body).map_err(|error| Trouble::Nonsense(error.to_string()))?;
    let address: Option<IpAddr> = service.spec.cluster_ip.parse().ok(); // `None`, or nothing: it has none
    let ports = service.spec.ports.unwrap_or_default();
    Ok(address.and_then(|address| Some(SocketAddr::new(address, number(&ports, port.port.as_deref())?))))
}

/// The port to ask over TCP.
fn number(ports: &[Port], wanted: Option<&str>) -> Option<u16> {
    let mut tcp = ports.iter().filter(|port| port.protocol == "TCP" || port.protocol.is_empty());
    let found = match wanted {
        Some(wanted) => tcp.find(|port| port.name == wanted || port.port.to_string() == wanted),
        None => tcp.clone().find(|port| port.name == "dns-tcp").or_else(|| tcp.find(|port| port.port == DNS_PORT)),
    };
    found.or_else(|| ports.iter().find(|port| wanted.is_none() && port.port == DNS_PORT)).map(|port| port.port)
}

/// The Service's address as the environment of every pod in its namespace has it.
pub(crate) fn address_in(lookup: impl Fn(&str) -> Option<String>, port: &ServicePort) -> Option<SocketAddr> {
    let name = port.service.to_uppercase().replace('-', "_");
    let address = lookup(&format!("{name}_SERVICE_HOST"))?.parse().ok()?;
    let wanted = port.port.as_deref().unwrap_or("dns-tcp");
    let wanted = wanted.parse().ok().or_else(|| {
        let named = wanted.to_uppercase().replace('-', "_");
        lookup(&format!("{name}_SERVICE_PORT_{named}"))?.parse().ok()
    });
    Some(SocketAddr::new(address, wanted.unwrap_or(DNS_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(text: Option<&str>) -> ServicePort {
        ServicePort { namespace: "kube-system".into(), service: "kube-dns".into(), port: text.map(str::to_owned) }
    }

    #[test]
    fn the_port_of_a_service_is_the_one_for_dns_over_tcp() {
        let ports: Vec<Port> = serde_json::from_str(
            r#"[{"name":"dns","port":53,"protocol":"UDP"},{"name":"dns-tcp","port":5353,"protocol":"TCP"},{"name":"metrics","port":9153,"protocol":"TCP"}]"#,
        )
        .unwrap();
        assert_eq!(number(&ports, None), Some(5353));
        assert_eq!(number(&ports, Some("metrics")), Some(9153));
        assert_eq!(number(&ports, Some("9153")), Some(9153));
        assert_eq!(number(&ports, Some("dns")), None, "it is not over TCP");
        assert_eq!(number(&ports[..1], None), Some(53));
        assert_eq!(number(&ports[2..], None), None);
    }

    #[test]
    fn the_environment_tells_the_address() {
        let environment = |name: &str| match name {
            "KUBE_DNS_SERVICE_HOST" => Some("10.96.0.10".to_owned()),
            "KUBE_DNS_SERVICE_PORT_DNS_TCP" => Some("5353".to_owned()),
            _ => None,
        };
        assert_eq!(address_in(environment, &port(None)), Some("10.96.0.10:5353".parse().unwrap()));
        assert_eq!(address_in(environment, &port(Some("54"))), Some("10.96.0.10:54".parse().unwrap()));
        assert_eq!(address_in(environment, &port(Some("other"))), Some("10.96.0.10:53".parse().unwrap()));
        assert_eq!(address_in(|_| None, &port(None)), None);
    }
}
