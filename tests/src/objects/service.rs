//! Services, and the slices of their endpoints as a controller writes them.

use serde_json::{Value, json};

use crate::api::Api;

/// A port of a service and of its slices.
#[derive(Clone, Debug)]
pub struct Port {
    name: String,
    number: u16,
    protocol: &'static str,
}

impl Port {
    /// A named UDP port.
    pub fn udp(name: &str, number: u16) -> Self {
        Self { name: name.to_owned(), number, protocol: "UDP" }
    }

    /// A named TCP port.
    pub fn tcp(name: &str, number: u16) -> Self {
        Self { name: name.to_owned(), number, protocol: "TCP" }
    }

    fn object(&self) -> Value {
        json!({ "name": self.name, "port": self.number, "protocol": self.protocol })
    }
}

/// Where a service can be reached.
#[derive(Clone, Copy, Debug)]
pub enum ClusterIp<'a> {
    /// At an address that the API server picks.
    Any,
    /// At this address of the service range.
    At(&'a str),
    /// Headless.
    None,
}

/// An endpoint of a slice: an address, its conditions, its zone and hints.
#[derive(Clone, Debug)]
pub struct Endpoint(Value);

impl Endpoint {
    /// Ready and serving. The API server takes no loopback and no link-local address: see [`crate::place::pod_address`].
    pub fn ready(address: &str) -> Self {
        Self(json!({
            "addresses": [address],
            "conditions": { "ready": true, "serving": true, "terminating": false },
        }))
    }

    /// Not ready and not serving.
    #[must_use]
    pub fn not_ready(self) -> Self {
        self.conditions(false, false, false)
    }

    /// Terminating, and still serving or not.
    #[must_use]
    pub fn terminating(self, serving: bool) -> Self {
        self.conditions(false, serving, true)
    }

    fn conditions(mut self, ready: bool, serving: bool, terminating: bool) -> Self {
        self.0["conditions"] = json!({ "ready": ready, "serving": serving, "terminating": terminating });
        self
    }

    /// In a zone.
    #[must_use]
    pub fn zone(mut self, zone: &str) -> Self {
        self.0["zone"] = json!(zone);
        self
    }

    /// Meant for clients of these zones.
    #[must_use]
    pub fn hints(mut self, zones: &[&str]) -> Self {
        let zones: Vec<_> = zones.iter().map(|zone| json!({ "name": zone })).collect();
        self.0["hints"] = json!({ "forZones": zones });
        self
    }

    /// Of a pod, on a node. For a headless service the pod's name is a name of DNS too.
    #[must_use]
    pub fn of(mut self, pod: &str, node: &str) -> Self {
        self.0["hostname"] = json!(pod);
        self.0["targetRef"] = json!({ "kind": "Pod", "name": pod });
        self.0["nodeName"] = json!(node);
        self
    }
}

impl Api {
    /// Makes or changes a service without a selector, and gives it with its cluster IP.
    #[track_caller]
    pub fn service(&self, namespace: &str, name: &str, ports: &[Port], address: ClusterIp<'_>) -> Value {
        let mut spec = json!({ "ports": ports.iter().map(Port::object).collect::<Vec<_>>() });
        match address {
            ClusterIp::Any => {}
            ClusterIp::At(address) => spec["clusterIP"] = json!(address),
            ClusterIp::None => spec["clusterIP"] = json!("None"),
        }
        let metadata = json!({ "namespace": namespace, "name": name });
        self.apply(&json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec }))
    }

    /// Makes or changes the slice `SERVICE-PART` of a service: as the endpoint controller does, all of it each time.
    /// Whether it holds IPv4 or IPv6 addresses is seen by the first.
    #[track_caller]
    pub fn endpoint_slice(&self, namespace: &str, service: &str, part: &str, endpoints: &[Endpoint], ports: &[Port]) {
        let first = endpoints.first().and_then(|endpoint| endpoint.0["addresses"][0].as_str()).unwrap_or_default();
        self.apply(&json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": namespace,
                "name": format!("{service}-{part}"),
                "labels": {
                    "kubernetes.io/service-name": service,
                    "endpointslice.kubernetes.io/managed-by": "tests",
                },
            },
            "addressType": if first.contains(':') { "IPv6" } else { "IPv4" },
            "endpoints": endpoints.iter().map(|endpoint| endpoint.0.clone()).collect::<Vec<_>>(),
            "ports": ports.iter().map(Port::object).collect::<Vec<_>>(),
        }));
    }
}
