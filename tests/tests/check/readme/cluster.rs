//! The cluster of the examples that watch one: a pod on this node, and the Services that they name.

use nearpath_tests::ApiServer;
use nearpath_tests::objects::{Pod, PodStatus};
use serde_json::json;

use super::stage::Stage;

/// The node that the daemon runs on.
const NODE: &str = "node-1";
/// The pod `web` in the namespace `shop`.
const POD: &str = "127.0.0.9";

/// A scripted API server that tells of the pod, and of each Service's stand-in as its one endpoint.
pub(super) fn with(stage: &Stage) -> ApiServer {
    let server = ApiServer::new();
    server.pod(&Pod::new("shop", "web").on(NODE), &PodStatus::running(&[POD]));
    for service in &stage.services {
        let called = format!("@{service}");
        let address = stage.standins.iter().find(|standin| standin.name == called).map(|standin| standin.address);
        let address = address.expect("a stand-in was opened for each Service");
        let (namespace, name) = service.split_once('/').unwrap_or(("default", service));
        let name = name.split(':').next().unwrap_or(name);
        server.endpoints(namespace, name, &[address]);
        server.put(json!({
            "kind": "Service",
            "metadata": { "namespace": namespace, "name": name },
            "spec": {
                "clusterIP": address.ip(),
                "ports": [{ "name": "dns-tcp", "port": address.port(), "protocol": "TCP" }],
            },
        }));
    }
    server
}

/// Flags of a daemon that watches it.
pub(super) fn flags(server: &ApiServer) -> Vec<String> {
    server.flags(NODE)
}
