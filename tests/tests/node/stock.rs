//! An installed NodeLocal DNSCache of which only the image was changed: its arguments and its Corefile word for word, and its
//! DaemonSet's means.

use std::time::Duration;

use nearpath_tests::node::{Node, Pod, Rights, Start, Way};
use nearpath_tests::{http, mode};

/// The Corefile of its ConfigMap, with what its installer fills in.
const COREFILE: &str = "\
cluster.local:53 {
    errors
    cache {
            success 9984 30
            denial 9984 5
    }
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__CLUSTER__DNS__ {
            force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
    }
in-addr.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__CLUSTER__DNS__ {
            force_tcp
    }
    prometheus :9253
    }
ip6.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__CLUSTER__DNS__ {
            force_tcp
    }
    prometheus :9253
    }
.:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . __PILLAR__UPSTREAM__SERVERS__
    prometheus :9253
    }
";

const CLUSTER: &str = "$ORIGIN cluster.local.\n$TTL 30\n@ SOA ns.dns hostmaster 1 7200 1800 86400 5\n@ NS ns.dns\nns.dns A 10.96.0.10\nkubernetes.default.svc A 10.96.0.1\n";
const OUTSIDE: &str = "$ORIGIN example.\n$TTL 60\n@ SOA ns hostmaster 1 7200 900 1209600 30\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.80\n";

/// A node with a pod behind a host route and one on a bridge, and a base Corefile where the ConfigMap is mounted.
#[track_caller]
fn node_with(corefile: &str) -> Node {
    let node = Node::new(&[("cluster.local.", CLUSTER), ("example.", OUTSIDE)], &[Way::Routed, Way::Bridged]);
    let base = node.writes("base", corefile).display().to_string();
    node.space().sh(&format!("mkdir -p /etc/coredns && cp {base} /etc/coredns/Corefile.base"));
    node
}

/// Its arguments and environment; what it may do is what a container may, and NET_ADMIN.
fn stock(localip: &str) -> Start {
    Start::with(&["-localip", localip, "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream"])
        .env("KUBE_DNS_SERVICE_HOST", "10.96.0.10")
        .env("KUBE_DNS_UPSTREAM_SERVICE_HOST", "10.96.0.11")
        .rights(Rights::Container)
}

/// Expects an answer in a pod, over UDP and over TCP.
#[track_caller]
fn dig(pod: &Pod, server: &str, name: &str, expected: &str) {
    for way in ["+notcp", "+tcp"] {
        let output = pod.space().run(&["dig", "+short", "+tries=3", "+time=3", way, &format!("@{server}"), name, "A"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim(), expected, "{name} at {server} {way}, {:?}", pod.way);
    }
}

#[test]
fn the_arguments_and_the_corefile_of_node_cache_serve_pods() {
    if !Node::is_possible() || !mode::have("node", &["dig"]) {
        return;
    }
    let node = node_with(COREFILE);
    let mut daemon = node.starts(&stock("169.254.20.10,10.96.0.10"));
    daemon.serves();
    for pod in node.pods() {
        for server in ["169.254.20.10", "10.96.0.10"] {
            dig(pod, server, "kubernetes.default.svc.cluster.local", "10.96.0.1");
            dig(pod, server, "www.example", "192.0.2.80");
        }
    }
    // what is not there is said, with what would bring it
    for words in ["write `autopath @kubernetes` in the block cluster.local", "deploy/rbac.yaml", "name it by -statedir"]
    {
        daemon.says(words);
    }
    // nobody told it who the central servers are: its own questions did
    daemon.says("failsafe: without a daemon the kernel sends questions to 10.2.0.");
    let rendered = node.space().sh("cat /etc/Corefile");
    assert!(
        rendered.contains("forward . 10.96.0.11 {") && rendered.contains("forward . /etc/resolv.conf\n"),
        "{rendered}"
    );
    assert!(!rendered.contains("__"), "{rendered}");
    let page = |at: &str, path: &str| node.space().inside(|| http::fetch(at, path));
    assert_eq!(page("169.254.20.10:8080", "/health").0, 200);
    for at in ["127.0.0.1:9253", "127.0.0.1:9353"] {
        let (status, metrics) = page(at, "/metrics");
        assert_eq!(status, 200, "{at}");
        for name in ["coredns_dns_requests_total{", "coredns_nodecache_setup_errors_total{errortype=\"iptables\"} 0"] {
            assert!(metrics.contains(name), "{at} has no {name}");
        }
    }
    assert!(daemon.terminates().success());
    std::thread::sleep(Duration::from_millis(100));
    for pod in node.pods() {
        dig(pod, "169.254.20.10", "kubernetes.default.svc.cluster.local", "10.96.0.1");
        dig(pod, "10.96.0.10", "kubernetes.default.svc.cluster.local", "10.96.0.1");
    }
}

#[test]
fn a_base_that_nobody_filled_in_serves_both_families() {
    if !Node::is_possible() || !mode::have("node", &["dig"]) {
        return;
    }
    let base = COREFILE.replace("169.254.20.10 10.96.0.10", "__PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__");
    let node = node_with(&base.replace("cluster.local:53", "__PILLAR__DNS__DOMAIN__:53"));
    let mut daemon = node.starts(&stock("169.254.20.10,fd00::53"));
    daemon.serves();
    daemon.says("__PILLAR__DNS__DOMAIN__ was left in; taken for cluster.local");
    for pod in node.pods() {
        for server in ["169.254.20.10", "fd00::53"] {
            dig(pod, server, "kubernetes.default.svc.cluster.local", "10.96.0.1");
            dig(pod, server, "www.example", "192.0.2.80");
        }
    }
}
