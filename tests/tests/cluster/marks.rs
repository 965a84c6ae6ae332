//! By whose search list an address is expanded: seen by questions that only one namespace's pods have answered.
//!
//! The centre has `mark.cluster.local` and nothing else. So `mark.NAMESPACE.svc.cluster.local` exists for a client that is
//! expanded by the list of that namespace, and for nobody else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use nearpath_tests::{Ask, ControlPlane, Daemon, Reply, Udp, Upstream, ask, http, metrics, place};

/// AutoPath by the watch, before a scripted centre.
pub(crate) const COREFILE: &str = "cluster.local:PORT {
    bind IP
    autopath @kubernetes
    cache
    forward . CENTRE {
        force_tcp
    }
    prometheus IP:9153
}
";

/// RFC 1035, section 4.1.1.
const NXDOMAIN: u16 = 3;

/// The centre.
pub(crate) fn centre() -> Upstream {
    Upstream::with(&[
        "cluster.local. 5 SOA ns.cluster.local. root.cluster.local. 1 60 60 60 5",
        "mark.cluster.local. 60 A 192.0.2.1",
        "*.marks.cluster.local. 60 A 192.0.2.2",
    ])
}

/// Found by a pod of this namespace alone.
pub(crate) fn mark(namespace: &str) -> Ask {
    ask(&format!("mark.{namespace}.svc.cluster.local."), "A")
}

/// The same, never asked before by a pod of this namespace, so that it is a miss.
pub(crate) fn fresh_mark(namespace: &str, number: usize) -> Ask {
    ask(&format!("n{number}.marks.{namespace}.svc.cluster.local."), "A")
}

/// Whether a reply to a mark is one that was found; `None` if it is neither that nor a plain NXDOMAIN.
pub(crate) fn is_found(reply: &Reply) -> Option<bool> {
    let answers = reply.answers();
    let found = || answers.len() == 2 && answers[0].contains(" CNAME ") && answers[1].contains(" A 192.0.2.");
    match reply.rcode {
        0 if found() => Some(true),
        NXDOMAIN if answers.is_empty() => Some(false),
        _ => None,
    }
}

/// True if this client is expanded by the list of this namespace.
#[track_caller]
pub(crate) fn is_expanded(client: &Udp, namespace: &str) -> bool {
    let reply = client.asks(&mark(namespace));
    is_found(&reply).unwrap_or_else(|| panic!("neither found nor missing:\n{reply}"))
}

/// A daemon on a node of this name with the credentials of a kubeconfig.
#[track_caller]
pub(crate) fn daemon(kubeconfig: &Path, node: &str, centre: &Upstream) -> Daemon {
    daemon_at(place::socket(), kubeconfig, node, centre)
}

/// The same at an address of choice.
#[track_caller]
pub(crate) fn daemon_at(at: SocketAddr, kubeconfig: &Path, node: &str, centre: &Upstream) -> Daemon {
    let kubeconfig = kubeconfig.display().to_string();
    let flags = ["-kubeconfig", &kubeconfig, "-node-name", node, "-host-resolvconf", "resolv.conf"];
    let words = [("CENTRE", centre.address())];
    Daemon::at(at, COREFILE, &words, &[("resolv.conf", "nameserver 192.0.2.1\n")], &flags)
}

/// A figure of the daemon's metrics, summed over what has these labels.
#[track_caller]
pub(crate) fn figure(daemon: &Daemon, name: &str, labels: &[(&str, &str)]) -> f64 {
    let (_, page) = http::fetch(&format!("{}:9153", daemon.address().ip()), "/metrics");
    metrics::sum(&page, name, labels)
}

/// Lists and watches of the pods of the whole cluster that the API server has counted since it started, by verb and status.
pub(crate) fn asked_for_pods(plane: &ControlPlane) -> BTreeMap<String, f64> {
    let page = plane.metrics();
    let mut counts = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
        let label = |name: &str| line.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let ours = [("resource", "pods"), ("scope", "cluster"), ("subresource", "")];
        if ours.iter().all(|(name, value)| label(name) == Some(value)) {
            let key = format!("{} {}", label("verb").unwrap_or_default(), label("code").unwrap_or_default());
            let count: f64 = line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a figure");
            *counts.entry(key).or_default() += count;
        }
    }
    counts
}

/// What came to it since then; after a restart of the API server, since nothing.
pub(crate) fn since(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> String {
    let grown = now.iter().map(|(key, count)| (key, count - before.get(key).copied().unwrap_or_default()));
    let grown: Vec<_> = grown.filter(|(_, more)| *more > 0.5).map(|(key, more)| format!("{more} {key}")).collect();
    if grown.is_empty() { "nothing".to_owned() } else { grown.join(", ") }
}
