//! A pod as large as pods are: what users, admission and a service account make of a Deployment's template.

use nearpath_tests::objects::Pod;
use serde_json::{Value, json};

/// Variables that its container is given.
const VARIABLES: usize = 12;

/// A pod on a node, with some 6 KB as JSON once it runs, half of it `managedFields`.
pub(super) fn pod(namespace: &str, name: &str, node: &str) -> Pod {
    let variables: Vec<Value> = (1..=VARIABLES)
        .map(|number| json!({ "name": format!("CHECKOUT_SETTING_{number}"), "value": format!("https://settings.example/{number}") }))
        .collect();
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": 8080 }, "periodSeconds": 10 });
    let container = json!({
        "name": "checkout",
        "image": "registry.example/shop/checkout@sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
        "args": ["--listen=:8080", "--log-format=json"],
        "ports": [{ "name": "http", "containerPort": 8080 }, { "name": "metrics", "containerPort": 9090 }],
        "env": variables,
        "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
        "readinessProbe": probe("/ready"),
        "livenessProbe": probe("/alive"),
        "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true },
        "volumeMounts": [
            { "name": "configuration", "mountPath": "/etc/checkout" },
            { "name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true },
        ],
    });
    let access = json!([
        { "serviceAccountToken": { "expirationSeconds": 3_607, "path": "token" } },
        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
        { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
    ]);
    let lasting =
        |key: &str| json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
    Pod::new(namespace, name)
        .on(node)
        .label("app.kubernetes.io/name", "checkout")
        .label("app.kubernetes.io/part-of", "shop")
        .label("pod-template-hash", "7d9c5b8f64")
        .label("topology.kubernetes.io/zone", "eu-central-1a")
        .spec("serviceAccountName", json!("checkout"))
        .spec("containers", json!([container]))
        .spec(
            "volumes",
            json!([
                { "name": "configuration", "configMap": { "name": "checkout" } },
                { "name": "kube-api-access", "projected": { "sources": access } },
            ]),
        )
        .spec(
            "tolerations",
            json!([lasting("node.kubernetes.io/not-ready"), lasting("node.kubernetes.io/unreachable")]),
        )
}
