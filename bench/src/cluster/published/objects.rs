//! Objects that publish names, as large as they are in clusters: 1.6 to 1.9 KB as JSON, with what their tools write into them.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::namespace;
use super::{ANNOTATED_EACH, ZONE};

/// There are fewer objects of any kind.
const OBJECTS_MAX: usize = 10_000;

/// The name of an object of any kind.
pub(super) fn name(number: usize) -> String {
    format!("storefront-{number:05}")
}

/// Another one for each change; none is used twice.
pub(super) fn address(number: usize, generation: usize) -> String {
    let offset = u32::try_from(number + generation * OBJECTS_MAX).expect("fewer than addresses in 10/8");
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 64, 0, 0)) + offset).to_string()
}

/// A DNSEndpoint of one A record.
pub(super) fn endpoint(number: usize) -> Value {
    json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": metadata(number, json!({
            "argocd.argoproj.io/tracking-id": format!("shop-prod:externaldns.k8s.io/DNSEndpoint:{}/{}", namespace(number), name(number)),
        })),
        "spec": endpoint_spec(number, 0),
    })
}

/// Its `spec` after so many changes.
pub(super) fn endpoint_spec(number: usize, generation: usize) -> Value {
    json!({ "endpoints": [{
        "dnsName": format!("{}.prod.{ZONE}", name(number)),
        "recordType": "A",
        "recordTTL": 60,
        "targets": [address(number, generation)],
    }] })
}

/// Whether a Service is published, and has a load balancer.
pub(super) fn is_published(number: usize) -> bool {
    number.is_multiple_of(ANNOTATED_EACH)
}

/// A Service.
pub(super) fn service(number: usize) -> Value {
    let is_published = is_published(number);
    let mut annotations = release(0);
    if is_published {
        annotations["external-dns.alpha.kubernetes.io/hostname"] = json!(format!("{}.web.{ZONE}", name(number)));
        annotations["external-dns.alpha.kubernetes.io/ttl"] = json!("60");
    }
    let port = |name: &str, port: u16, target: &str| json!({ "name": name, "port": port, "targetPort": target, "protocol": "TCP" });
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(number, annotations),
        "spec": {
            "type": if is_published { "LoadBalancer" } else { "ClusterIP" },
            "selector": { "app.kubernetes.io/name": "storefront", "app.kubernetes.io/instance": name(number) },
            "ports": [port("http", 80, "http"), port("metrics", 9_090, "metrics")],
        },
    })
}

/// What a tool writes into an object with each release.
pub(super) fn release(generation: usize) -> Value {
    json!({ "shop.example/release": format!("2026-11-21-{generation:05}") })
}

/// An Ingress of one host.
pub(super) fn ingress(number: usize) -> Value {
    let host = format!("{}.shop.{ZONE}", name(number));
    let path = json!({ "path": "/", "pathType": "Prefix",
        "backend": { "service": { "name": name(number), "port": { "name": "http" } } } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(number, json!({ "cert-manager.io/cluster-issuer": "shop" })),
        "spec": {
            "ingressClassName": "shop",
            "rules": [{ "host": host, "http": { "paths": [path] } }],
            "tls": [{ "hosts": [host], "secretName": format!("{}-tls", name(number)) }],
        },
    })
}

fn metadata(number: usize, mut annotations: Value) -> Value {
    annotations["meta.helm.sh/release-name"] = json!("storefront");
    annotations["meta.helm.sh/release-namespace"] = json!(namespace(number));
    json!({
        "name": name(number),
        "namespace": namespace(number),
        "labels": {
            "app.kubernetes.io/name": "storefront",
            "app.kubernetes.io/instance": name(number),
            "app.kubernetes.io/version": "4.17.2",
            "app.kubernetes.io/managed-by": "Helm",
            "helm.sh/chart": "storefront-4.17.2",
        },
        "annotations": annotations,
    })
}
