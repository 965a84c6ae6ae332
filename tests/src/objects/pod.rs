//! Pods as their owners create them, and as their kubelets speak of them.

use serde_json::{Value, json};

use crate::api::{Api, Patch};

/// A pod that somebody creates.
#[derive(Clone, Debug)]
pub struct Pod {
    namespace: String,
    name: String,
    labels: Value,
    spec: Value,
}

impl Pod {
    /// A pod with one container, on no node yet, `dnsPolicy: ClusterFirst`.
    pub fn new(namespace: &str, name: &str) -> Self {
        let spec = json!({ "containers": [{ "name": "main", "image": "example.invalid/main:1" }] });
        Self { namespace: namespace.to_owned(), name: name.to_owned(), labels: json!({}), spec }
    }

    /// On a node, as if a scheduler had put it there.
    #[must_use]
    pub fn on(self, node: &str) -> Self {
        self.spec("nodeName", json!(node))
    }

    /// With a `dnsPolicy`.
    #[must_use]
    pub fn dns_policy(self, policy: &str) -> Self {
        self.spec("dnsPolicy", json!(policy))
    }

    /// With a `dnsConfig`: `{ "searches": [..], "options": [{ "name": .., "value": .. }], "nameservers": [..] }`.
    #[must_use]
    pub fn dns_config(self, config: Value) -> Self {
        self.spec("dnsConfig", config)
    }

    /// In the node's own network.
    #[must_use]
    pub fn host_network(self) -> Self {
        self.spec("hostNetwork", json!(true))
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels[name] = json!(value);
        self
    }

    /// With any other field of the specification.
    #[must_use]
    pub fn spec(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// The object.
    pub fn object(&self) -> Value {
        let metadata = json!({ "namespace": self.namespace, "name": self.name, "labels": self.labels });
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self.spec })
    }
}

/// What a kubelet says of a pod: all of it, each time.
#[derive(Clone, Debug)]
pub struct PodStatus {
    phase: String,
    addresses: Vec<String>,
    container: String,
    ready: bool,
}

impl PodStatus {
    /// Running and ready, with these addresses.
    pub fn running(addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Self { phase: "Running".to_owned(), addresses, container: "containerd://1".to_owned(), ready: true }
    }

    /// In another phase: `Pending` (its init containers run), `Succeeded`, `Failed`; not ready.
    #[must_use]
    pub fn phase(mut self, phase: &str) -> Self {
        phase.clone_into(&mut self.phase);
        self.ready = phase == "Running";
        self
    }

    /// Not ready, in the same phase.
    #[must_use]
    pub fn not_ready(mut self) -> Self {
        self.ready = false;
        self
    }

    /// With another container id, as after a restart.
    #[must_use]
    pub fn container(mut self, id: &str) -> Self {
        id.clone_into(&mut self.container);
        self
    }

    /// The field `status`.
    pub fn object(&self) -> Value {
        let ready = if self.ready { "True" } else { "False" };
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status });
        let addresses: Vec<_> = self.addresses.iter().map(|address| json!({ "ip": address })).collect();
        let time = "2026-01-01T00:00:00Z";
        let state = match self.phase.as_str() {
            "Running" => json!({ "running": { "startedAt": time } }),
            "Pending" => json!({ "waiting": { "reason": "PodInitializing" } }),
            ended => json!({ "terminated": { "exitCode": i32::from(ended == "Failed"), "finishedAt": time } }),
        };
        json!({
            "phase": self.phase,
            "podIP": self.addresses.first(),
            "podIPs": if addresses.is_empty() { Value::Null } else { Value::from(addresses) },
            "startTime": time,
            "conditions": [
                condition("PodScheduled", "True"),
                condition("Initialized", if self.phase == "Pending" { "False" } else { "True" }),
                condition("ContainersReady", ready),
                condition("Ready", ready),
            ],
            "containerStatuses": [{
                "name": "main",
                "image": "example.invalid/main:1",
                "imageID": "",
                "containerID": self.container,
                "ready": self.ready,
                "restartCount": 0,
                "state": state,
            }],
        })
    }
}

impl Api {
    /// Creates a pod and gives it as the API server has it now.
    #[track_caller]
    pub fn create_pod(&self, pod: &Pod) -> Value {
        let path = format!("/api/v1/namespaces/{}/pods", pod.namespace);
        self.post(&path, &pod.object()).unwrap_or_else(|refusal| panic!("{}/{}: {refusal}", pod.namespace, pod.name))
    }

    /// Says how a pod is, as its kubelet does.
    #[track_caller]
    pub fn set_pod_status(&self, namespace: &str, name: &str, status: &PodStatus) -> Value {
        let path = format!("{}/status", pod_path(namespace, name));
        let patch = json!({ "status": status.object() });
        self.patch(&path, Patch::Merge, &patch).unwrap_or_else(|refusal| panic!("{namespace}/{name}: {refusal}"))
    }

    /// Deletes a pod, as its kubelet does when its containers have ended.
    #[track_caller]
    pub fn delete_pod(&self, namespace: &str, name: &str) {
        let gone = self.delete(&pod_path(namespace, name));
        gone.unwrap_or_else(|refusal| panic!("{namespace}/{name}: {refusal}"));
    }

    /// Asks for a pod's end: it gets a `deletionTimestamp` and stays until [`Api::delete_pod`].
    #[track_caller]
    pub fn begin_pod_deletion(&self, namespace: &str, name: &str, grace_seconds: u32) {
        let gone = self.delete_after(&pod_path(namespace, name), grace_seconds);
        gone.unwrap_or_else(|refusal| panic!("{namespace}/{name}: {refusal}"));
    }
}

fn pod_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{name}")
}
