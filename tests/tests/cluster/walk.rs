//! The whole house: a real API server, a real CoreDNS behind a Service, and pods whose C library walks its search list, once
//! by itself and once with AutoPath. What it finds is the same, in one question of each type.

use std::net::{IpAddr, SocketAddr};

use nearpath_tests::coredns::CoreDns;
use nearpath_tests::mode::note;
use nearpath_tests::objects::{ClusterIp, Endpoint, Pod, PodStatus, Port};
use nearpath_tests::{Api, ControlPlane, Daemon, Sandbox, Udp, ask, controlplane, http, metrics, place};
use serde_json::{Value, json};

use super::{flags, soon};

/// The centre: the cluster, and the world outside.
const CENTRE: &str = "\
.:PORT {
    bind IP
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    template ANY ANY {
        match \"^.*[.]?(corp[.]example|com)[.]$\"
        rcode NXDOMAIN
        authority \"corp.example. 60 IN SOA ns.corp.example. root.corp.example. 1 60 60 60 60\"
        fallthrough
    }
}
example.org:PORT {
    bind IP
    template IN A {
        match \"^(www|api|till)[.]example[.]org[.]$\"
        answer \"{{ .Name }} 60 IN A 203.0.113.7\"
        fallthrough
    }
    template ANY ANY {
        match \"^((www|api|till)[.])?example[.]org[.]$\"
        rcode NOERROR
        authority \"example.org. 60 IN SOA ns.example.org. root.example.org. 1 60 60 60 60\"
        fallthrough
    }
    template ANY ANY {
        rcode NXDOMAIN
        authority \"example.org. 60 IN SOA ns.example.org. root.example.org. 1 60 60 60 60\"
    }
}
";

const NODE: &str = "\
cluster.local:53 {
    bind IP SIX
    autopath @kubernetes
    cache
    forward cluster.local @kube-system/walk-dns
    prometheus IP:9153
}
.:53 {
    bind IP SIX
    cache
    forward . CENTRE {
        force_tcp
    }
    prometheus IP:9153
}
";

const HOST: &str = "nameserver 192.0.2.1\nsearch corp.example example.org\n";

/// A node with its daemon, and the centre.
struct House {
    api: Api,
    centre: CoreDns,
    daemon: Daemon,
    six: SocketAddr,
}

impl House {
    fn new(plane: &'static ControlPlane) -> Self {
        let api = plane.api();
        for (namespace, name) in [("walk-shop", "web"), ("walk-shop", "pay"), ("walk-billing", "api")] {
            api.namespace(namespace);
            api.service(namespace, name, &[Port::tcp("http", 80)], ClusterIp::Any);
        }
        api.namespace("walk-infra");
        api.service("walk-infra", "db", &[Port::tcp("sql", 5432)], ClusterIp::None);
        let members = [("db-0", place::pod_address()), ("db-1", place::pod_address())];
        let members = members.map(|(name, address)| Endpoint::ready(&address.to_string()).of(name, "walk-other"));
        api.endpoint_slice("walk-infra", "db", "1", &members, &[Port::tcp("sql", 5432)]);
        let centre = CoreDns::start_at(SocketAddr::new(place::pod_address(), 53), plane, CENTRE);
        api.service("kube-system", "walk-dns", &[Port::udp("dns", 53), Port::tcp("dns-tcp", 53)], ClusterIp::Any);
        let endpoint = Endpoint::ready(&centre.address().ip().to_string()).of("coredns-1", "walk-other");
        api.endpoint_slice(
            "kube-system",
            "walk-dns",
            "1",
            &[endpoint],
            &[Port::udp("dns", 53), Port::tcp("dns-tcp", 53)],
        );
        let six = SocketAddr::new(place::pod_address_v6(), 53);
        let words = [("CENTRE", centre.address().to_string()), ("SIX", six.ip().to_string())];
        let flags = flags(plane, "walk-node");
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let at = SocketAddr::new(place::pod_address(), 53);
        let daemon = Daemon::at(at, NODE, &words, &[("resolv.conf", HOST)], &flags);
        Self { api, centre, daemon, six }
    }

    /// A pod of this node with a sandbox, as its kubelet makes it; `config`: its dnsConfig.
    fn pod(&self, namespace: &str, name: &str, config: Option<Value>, resolv_conf: &str) -> Inhabitant {
        let (address, known) = (place::sandbox_address(), self.metric("nearpath_kubernetes_addresses"));
        let pod = Pod::new(namespace, name).on("walk-node");
        self.api.create_pod(&config.into_iter().fold(pod, Pod::dns_config));
        let sandbox = Sandbox::new(address, resolv_conf);
        self.api.set_pod_status(namespace, name, &PodStatus::running(&[&address.to_string()]));
        soon("the pod is known", || self.metric("nearpath_kubernetes_addresses") > known);
        Inhabitant { sandbox, resolv_conf: resolv_conf.to_owned() }
    }

    /// Questions that have come so far.
    fn questions(&self) -> f64 {
        self.metric("coredns_dns_requests_total")
    }

    fn metric(&self, name: &str) -> f64 {
        let at = SocketAddr::new(self.daemon.address().ip(), 9153);
        let (_, page) = http::fetch(&at.to_string(), "/metrics");
        metrics::sum(&page, name, &[])
    }
}

impl House {
    /// What its metrics tell of doubts, failures and walks.
    fn says_what_happened(&self) -> String {
        let (_, page) = http::fetch(&format!("{}:9153", self.daemon.address().ip()), "/metrics");
        let told = ["doubt", "rcode", "autopath_results", "age", "healthcheck", "stale", "moved", "silences"];
        let lines = page.lines().filter(|line| !line.starts_with('#') && told.iter().any(|word| line.contains(word)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A pod at work.
struct Inhabitant {
    sandbox: Sandbox,
    resolv_conf: String,
}

impl Inhabitant {
    /// What its C library finds with this nameserver: addresses and canonical name, or nothing.
    fn finds(&self, name: &str, nameserver: IpAddr) -> Vec<String> {
        self.sandbox.writes_resolv_conf(&format!("nameserver {nameserver}\n{}", self.resolv_conf));
        let output = self.sandbox.run(&["getent", "ahosts", name]);
        let text = String::from_utf8(output.stdout).expect("text");
        let mut lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        lines.sort();
        lines
    }
}

fn cluster_conf(namespace: &str) -> String {
    format!(
        "search {namespace}.svc.cluster.local svc.cluster.local cluster.local corp.example example.org\noptions ndots:5\n"
    )
}

#[test]
fn pods_find_what_their_own_walk_finds() {
    let Some(plane) = controlplane::shared() else { return };
    let house = House::new(plane);
    each_look_up_is_one_question(&house);
    addresses_are_those_of_live_pods(&house);
}

fn each_look_up_is_one_question(house: &House) {
    let own = json!({ "searches": ["walk-billing.svc.cluster.local"], "options": [{ "name": "ndots", "value": "2" }] });
    let pods = [
        ("shop", house.pod("walk-shop", "one", None, &cluster_conf("walk-shop"))),
        ("billing", house.pod("walk-billing", "two", None, &cluster_conf("walk-billing"))),
        ("infra", house.pod("walk-infra", "three", None, &cluster_conf("walk-infra"))),
        (
            "own dnsConfig",
            house.pod(
                "walk-shop",
                "four",
                Some(own),
                "search walk-shop.svc.cluster.local svc.cluster.local cluster.local corp.example example.org \
                 walk-billing.svc.cluster.local\noptions ndots:2\n",
            ),
        ),
    ];
    let names = [
        "web",
        "pay",
        "api",
        "db",
        "www",
        "till",
        "web.walk-shop",
        "api.walk-billing",
        "db.walk-infra",
        "db-0.db.walk-infra",
        "web.walk-shop.svc",
        "api.walk-billing.svc",
        "db-1.db.walk-infra.svc",
        "web.walk-shop.svc.cluster.local",
        "db.walk-infra.svc.cluster.local",
        "www.example.org",
        "api.example.org",
        "nowhere",
        "nowhere.example.org",
        "web.nowhere",
        "www.nowhere.com",
        "kubernetes.default",
    ];
    let (mut found, mut nowhere) = (0, 0);
    for (which, pod) in &pods {
        let ndots = if *which == "own dnsConfig" { 2 } else { 5 };
        for name in names {
            let by_walking = pod.finds(name, house.centre.address().ip());
            let before = house.questions();
            let with_autopath = pod.finds(name, house.daemon.address().ip());
            let asked = house.questions() - before;
            assert_eq!(with_autopath, by_walking, "{which}: {name}");
            if by_walking.is_empty() {
                nowhere += 1;
            } else if name.matches('.').count() < ndots {
                found += 1;
                assert!(
                    (asked - 2.0).abs() < 0.1,
                    "{which}: {name}: one question of each type, not {asked}\n{}",
                    house.says_what_happened()
                );
            }
        }
    }
    assert!(found >= 40 && nowhere >= 8, "{found} found, {nowhere} not");
    note(&format!(
        "{found} look-ups of glibc found the same with one question of each type; {nowhere} found nothing twice"
    ));
}

/// Dual stack, host network, an address that is used again.
fn addresses_are_those_of_live_pods(house: &House) {
    let api = &house.api;
    let asked = ask("web.walk-shop.svc.cluster.local.", "A");
    let plain_and_found = |namespace: &str| ask(&format!("www.example.org.{namespace}.svc.cluster.local."), "A");
    house.daemon.client_at(place::pod_address()).asks(&asked).is("NOERROR");

    let (four, six) = (place::pod_address(), place::pod_address_v6());
    api.create_pod(&Pod::new("walk-shop", "dual").on("walk-node"));
    api.set_pod_status("walk-shop", "dual", &PodStatus::running(&[&four.to_string(), &six.to_string()]));
    let by_six = Udp::from(six, house.six);
    let shop = plain_and_found("walk-shop");
    soon("the IPv4 address is known", || house.daemon.client_at(four).asks(&shop).rcode == 0);
    by_six.asks(&shop).is("NOERROR");

    let node = place::pod_address();
    api.create_pod(&Pod::new("walk-shop", "host").on("walk-node").host_network());
    api.set_pod_status("walk-shop", "host", &PodStatus::running(&[&node.to_string()]));
    // its word has been heard once that of a later pod has
    let later = place::pod_address();
    api.create_pod(&Pod::new("walk-shop", "later").on("walk-node"));
    api.set_pod_status("walk-shop", "later", &PodStatus::running(&[&later.to_string()]));
    soon("the later pod is known", || house.daemon.client_at(later).asks(&shop).rcode == 0);
    house.daemon.client_at(node).asks(&shop).is("NXDOMAIN");

    let billing = plain_and_found("walk-billing");
    api.create_pod(&Pod::new("walk-billing", "next").on("walk-node"));
    api.set_pod_status("walk-billing", "next", &PodStatus::running(&[&later.to_string()]));
    soon("two pods claim it: nobody has it", || house.daemon.client_at(later).asks(&shop).rcode == 3);
    house.daemon.client_at(later).asks(&billing).is("NXDOMAIN");
    api.set_pod_status("walk-shop", "later", &PodStatus::running(&[&later.to_string()]).phase("Succeeded"));
    soon("the first has ended", || house.daemon.client_at(later).asks(&billing).rcode == 0);
    house.daemon.client_at(later).asks(&shop).is("NXDOMAIN");
    api.delete_pod("walk-shop", "later");
    house.daemon.client_at(later).asks(&billing).is("NOERROR");
}
