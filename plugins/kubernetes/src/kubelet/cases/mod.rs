//! Pods, nodes, and the resolv.conf that the kubelet makes of them, case by case.

mod additions;
mod limits;
mod model;
mod policies;

use serde_json::{Value, json};

use super::*;

/// What stands in a case for the usual three domains of a pod in the namespace `shop`.
const USUAL: &str = "shop.svc.cluster.local svc.cluster.local cluster.local";

struct Case {
    about: &'static str,
    node: NodeDns,
    spec: Value,
    /// `DOMAIN... | NDOTS`, where `+` is the usual three; or `none`.
    expected: String,
}

fn case(about: &'static str, node: NodeDns, spec: Value, expected: impl Into<String>) -> Case {
    Case { about, node, spec, expected: expected.into() }
}

/// A node of `cluster.local` with this resolv.conf.
fn host(resolv_conf: &str) -> NodeDns {
    in_cluster("cluster.local", resolv_conf)
}

fn in_cluster(domain: &str, resolv_conf: &str) -> NodeDns {
    let host = Host::File(HostConf::parse(resolv_conf).unwrap());
    NodeDns { cluster_domain: Some(Name::parse(domain).unwrap()), host }
}

fn without_domain(resolv_conf: &str) -> NodeDns {
    NodeDns { cluster_domain: None, ..host(resolv_conf) }
}

/// The kubelet was told to use no file.
fn no_file() -> NodeDns {
    NodeDns { host: Host::NoFile, ..host("") }
}

/// The file cannot be read.
fn unknown_file() -> NodeDns {
    NodeDns { host: Host::Unknown, ..host("") }
}

/// The spec of a pod that says nothing itself.
fn policy(policy: &str) -> Value {
    json!({"dnsPolicy": policy})
}

fn on_host_network(policy: &str) -> Value {
    json!({"dnsPolicy": policy, "hostNetwork": true})
}

fn searches(policy: &str, searches: &[&str]) -> Value {
    json!({"dnsPolicy": policy, "dnsConfig": {"searches": searches}})
}

/// `NAME=VALUE` or `NAME`.
fn options(policy: &str, options: &[&str]) -> Value {
    let option = |text: &&str| match text.split_once('=') {
        Some((name, value)) => json!({"name": name, "value": value}),
        None => json!({"name": text}),
    };
    json!({"dnsPolicy": policy, "dnsConfig": {"options": options.iter().map(option).collect::<Vec<_>>()}})
}

/// What managed clouds' webhook for a node-local cache makes of a pod.
fn by_webhook() -> Value {
    json!({"dnsPolicy": "None", "dnsConfig": {
        "nameservers": ["169.254.20.10", "10.96.0.10"],
        "searches": ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"],
        "options": [{"name": "ndots", "value": "3"}, {"name": "attempts", "value": "2"}, {"name": "timeout", "value": "1"}],
    }})
}

const AWS: &str = "search eu-west-1.compute.internal\nnameserver 10.0.0.2\noptions timeout:2 attempts:5\n";
const CORP: &str = "nameserver 192.0.2.1\nsearch corp.example lab.example\noptions ndots:2 rotate\n";

/// The list as cases show it.
fn show(list: Option<&PodList>) -> String {
    let Some(PodList { search, ndots }) = list else { return "none".to_owned() };
    let dotless = |name: &Name| match name.to_string() {
        root if name.is_root() => root,
        text => text.trim_end_matches('.').to_owned(),
    };
    format!("{} | {ndots}", search.iter().map(dotless).collect::<Vec<_>>().join(" "))
}

#[test]
fn every_pod_has_the_list_that_its_kubelet_wrote() {
    let groups = [
        policies::policies(),
        policies::nodes(),
        policies::host_files(),
        additions::additions(),
        additions::relaxed(),
        limits::counts(),
        limits::characters(),
    ];
    let mut wrong = Vec::new();
    let mut count = 0;
    for Case { about, node, spec, expected } in groups.into_iter().flatten() {
        count += 1;
        let spec: DnsSpec = serde_json::from_value(spec).unwrap();
        let list = derive(&PodDns { namespace: "shop", spec: &spec }, &node);
        let (list, expected) = (show(list.as_ref()), expected.replace('+', USUAL));
        if list != expected {
            wrong.push(format!("{about}:\n  expected {expected}\n  derived  {list}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 100, "{count} cases");
}

#[test]
fn namespaces_differ_in_the_first_domain() {
    let spec = DnsSpec::default();
    let first =
        |namespace| derive(&PodDns { namespace, spec: &spec }, &host("")).map(|list| list.search[0].to_string());
    assert_eq!(first("com").as_deref(), Some("com.svc.cluster.local."));
    assert_eq!(first("svc").as_deref(), Some("svc.svc.cluster.local."));
    assert_eq!(first("a b"), None, "no namespace has such a name");
}
