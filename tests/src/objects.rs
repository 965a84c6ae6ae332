//! Objects of a cluster, made as its users, controllers and kubelets make them: here the test is all of these.

mod crowd;
mod pod;
mod service;

use serde_json::json;

pub use self::crowd::Crowd;
pub use self::pod::{Pod, PodStatus};
pub use self::service::{ClusterIp, Endpoint, Port};
use crate::api::Api;

impl Api {
    /// Makes a namespace.
    #[track_caller]
    pub fn namespace(&self, name: &str) {
        self.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
    }

    /// Makes a node with labels.
    #[track_caller]
    pub fn node(&self, name: &str, labels: &[(&str, &str)]) {
        let labels: serde_json::Map<_, _> = labels.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
        self.apply(&json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels } }));
    }

    /// Makes a service account.
    #[track_caller]
    pub fn service_account(&self, namespace: &str, name: &str) {
        let metadata = json!({ "namespace": namespace, "name": name });
        self.apply(&json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }));
    }

    /// A token of a service account as the kubelet puts it into a pod; the API server gives none for less than 600 s.
    #[track_caller]
    pub fn service_account_token(&self, namespace: &str, name: &str, seconds: u32) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "audiences": [], "expirationSeconds": seconds } });
        let made = self.post(&path, &request).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        made["status"]["token"].as_str().expect("a token").to_owned()
    }
}
