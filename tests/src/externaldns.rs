//! A real ExternalDNS: it reads Services and DNSEndpoint objects of one namespace, and writes them to a knotd by RFC 2136.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Api, Patch};
use crate::controlplane::{self, ControlPlane};
use crate::knot::{KEY, KEY_ALGORITHM, Knot, SECRET};
use crate::place::{self, Folder};
use crate::program::Program;

/// How long the API server may take to serve a kind of object that it was just told of.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where DNSEndpoint objects are.
const ENDPOINTS: &str = "/apis/externaldns.k8s.io/v1alpha1";

/// An ExternalDNS at work; ends with its owner, who sees its log if the test fails.
#[derive(Debug)]
pub struct ExternalDns {
    program: Program,
    _folder: Folder,
}

impl ExternalDns {
    /// One that publishes what is in this namespace into this zone, and looks after it each second and at each change.
    #[track_caller]
    pub fn start(plane: &ControlPlane, namespace: &str, knot: &Knot, zone: &str) -> Self {
        let folder = Folder::new();
        let pages = place::socket();
        let zone = zone.trim_end_matches('.');
        let kubeconfig = plane.kubeconfig(&plane.admin_token());
        let flags = [
            "--source=service".to_owned(),
            "--source=crd".to_owned(),
            format!("--namespace={namespace}"),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--provider=rfc2136".to_owned(),
            format!("--rfc2136-host={}", knot.address().ip()),
            format!("--rfc2136-port={}", knot.address().port()),
            format!("--rfc2136-zone={zone}"),
            format!("--rfc2136-tsig-keyname={KEY}"),
            format!("--rfc2136-tsig-secret-alg={KEY_ALGORITHM}"),
            format!("--rfc2136-tsig-secret={SECRET}"),
            "--rfc2136-tsig-axfr".to_owned(),
            "--rfc2136-min-ttl=1s".to_owned(),
            format!("--domain-filter={zone}"),
            "--registry=txt".to_owned(),
            "--txt-owner-id=tests".to_owned(),
            "--policy=sync".to_owned(),
            "--interval=1s".to_owned(),
            "--events".to_owned(),
            "--min-event-sync-interval=100ms".to_owned(),
            format!("--metrics-address={pages}"),
        ];
        let program = Program::start(&controlplane::program("external-dns"), &flags, &[], &folder.file("log"));
        Self { program, _folder: folder }
    }

    /// Fails if it has ended.
    #[track_caller]
    pub fn is_well(&mut self) {
        if let Some(status) = self.program.ended() {
            panic!("ExternalDNS ended with {status}:\n{}", self.program.last_words());
        }
    }
}

impl Drop for ExternalDns {
    fn drop(&mut self) {
        self.program.kill();
        if std::thread::panicking() {
            crate::mode::note(&format!("ExternalDNS says:\n{}", self.program.last_words()));
        }
    }
}

/// Makes the API server know DNSEndpoint objects, as ExternalDNS' own definition has them.
#[track_caller]
pub fn is_defined(plane: &ControlPlane) {
    let api = plane.api();
    api.apply_yaml(&controlplane::program("dnsendpoint.yaml"));
    let deadline = Instant::now() + PATIENCE;
    while api.get(&format!("{ENDPOINTS}/dnsendpoints")).is_err() {
        assert!(Instant::now() < deadline, "no DNSEndpoint objects within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A Service of type LoadBalancer with the annotations that ExternalDNS reads.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The Service's name.
    pub name: &'a str,
    /// The name that it is to have, without a final dot.
    pub hostname: &'a str,
    /// Seconds.
    pub ttl: u32,
}

impl Api {
    /// Makes a published Service and says at which address its load balancer is; or says another one.
    #[track_caller]
    pub fn publish(&self, service: Published<'_>, address: &str) {
        let Published { namespace, name, hostname, ttl } = service;
        let annotations = json!({
            "external-dns.alpha.kubernetes.io/hostname": hostname,
            "external-dns.alpha.kubernetes.io/ttl": ttl.to_string(),
        });
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "namespace": namespace, "name": name, "annotations": annotations },
            "spec": { "type": "LoadBalancer", "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }] },
        }));
        let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } });
        let path = format!("{}/status", service_path(namespace, name));
        self.patch(&path, Patch::Merge, &status).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
    }

    /// Deletes a Service.
    #[track_caller]
    pub fn delete_service(&self, namespace: &str, name: &str) {
        let path = service_path(namespace, name);
        self.delete(&path).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
    }

    /// Makes or changes a DNSEndpoint object: names without a final dot, types, targets, and one TTL in seconds.
    #[track_caller]
    pub fn dns_endpoint(&self, namespace: &str, name: &str, ttl: u32, records: &[(&str, &str, &[&str])]) {
        let endpoint = |(name, rtype, targets): &(&str, &str, &[&str])| -> Value {
            json!({ "dnsName": name, "recordType": rtype, "targets": targets, "recordTTL": ttl })
        };
        self.apply(&json!({
            "apiVersion": "externaldns.k8s.io/v1alpha1",
            "kind": "DNSEndpoint",
            "metadata": { "namespace": namespace, "name": name },
            "spec": { "endpoints": records.iter().map(endpoint).collect::<Vec<_>>() },
        }));
    }

    /// Deletes a DNSEndpoint object.
    #[track_caller]
    pub fn delete_dns_endpoint(&self, namespace: &str, name: &str) {
        let path = format!("{ENDPOINTS}/namespaces/{namespace}/dnsendpoints/{name}");
        self.delete(&path).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
    }
}

fn service_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{name}")
}
