//! The rights of `deploy/rbac.yaml`: they suffice, and without them nothing breaks.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nearpath_tests::controlplane::{self, NOBODY};
use nearpath_tests::coredns::CoreDns;
use nearpath_tests::mode::{self, note};
use nearpath_tests::objects::{ClusterIp, Endpoint, Pod, PodStatus, Port};
use nearpath_tests::sandbox::on_node;
use nearpath_tests::{Api, ControlPlane, Daemon, ask, metrics, place};
use serde_json::json;

use super::{marks, soon, within};

/// What the daemon asks of the Service by `get`.
const SERVICE_ADDRESS: &str = "10.96.53.53";

/// The centre answers at its pod's address and at that of its Service, and has any name below `up`.
const CENTRE: &str = "\
.:PORT {
    bind IP 10.96.53.53
    template IN A {
        match \"^n[0-9]+[.]up[.]cluster[.]local[.]$\"
        answer \"{{ .Name }} 60 IN A 192.0.2.9\"
        fallthrough
    }
    kubernetes cluster.local {
        kubeconfig KUBECONFIG
    }
}
";

const BY_ENDPOINTS: &str = "cluster.local:PORT {
    bind IP
    autopath @kubernetes
    cache
    forward cluster.local @kube-system/kube-dns
    prometheus IP:9153
}
";

/// The longest wait between two attempts, and time to work.
const IN_STEP_WITHIN: Duration = Duration::from_secs(70);

const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/nearpath-pods";
const UPSTREAM_BINDING: &str =
    "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/nearpath-upstream";

#[test]
fn the_role_suffices_and_without_it_nothing_breaks() {
    if !controlplane::is_possible() {
        return;
    }
    let mut plane = ControlPlane::start();
    let api = plane.api();
    api.apply_yaml(&mode::root().join("deploy/rbac.yaml"));
    ["role-shop", "role-billing"].iter().for_each(|namespace| api.namespace(namespace));
    api.service("role-billing", "pay", &[Port::tcp("http", 80)], ClusterIp::At("10.96.53.1"));
    api.service("kube-system", "kube-dns", &ports(), ClusterIp::At(SERVICE_ADDRESS));
    on_node(&format!("route add local {SERVICE_ADDRESS} dev lo"));
    let centre = CoreDns::start_at(SocketAddr::new(place::pod_address(), 53), &plane, CENTRE);

    let refused = refusals(&plane);
    let token = api.service_account_token("kube-system", "nearpath", 3_600);
    let daemon = daemon(&plane.kubeconfig(&token), BY_ENDPOINTS, &centre);
    the_upstream_is_found_by_its_service_and_then_by_its_endpoints(&api, &daemon, &centre);
    let first = pod(&api, "first");
    soon("the first pod is known", || is_expanded(&daemon, first));
    assert!((refusals(&plane) - refused).abs() < 0.1, "the API server refused something:\n{}", refused_by(&plane));
    assert!(marks::figure(&daemon, FAILURES, &[]).abs() < 0.1, "something failed");
    assert!(api.with_token(&plane.token_for(NOBODY)).get("/api/v1/pods").is_err());
    assert!(refusals(&plane) > refused + 0.9, "that figure counts refusals");

    what_is_known_serves_on_without_rights(&mut plane, &daemon, first);
    who_has_no_right_serves_plain_until_it_has(&plane, &centre, first);
}

const FAILURES: &str = "nearpath_kubernetes_watch_failures_total";

fn ports() -> [Port; 2] {
    [Port::udp("dns", 53), Port::tcp("dns-tcp", 53)]
}

fn daemon(kubeconfig: &Path, corefile: &str, centre: &CoreDns) -> Daemon {
    let kubeconfig = kubeconfig.display().to_string();
    let flags = ["-kubeconfig", &kubeconfig, "-node-name", "role-node", "-host-resolvconf", "resolv.conf"];
    let words = [("CENTRE", centre.address().to_string())];
    Daemon::with(corefile, &words, &[("resolv.conf", "nameserver 192.0.2.1\n")], &flags)
}

/// Requests for which no authorizer found a right, whoever asked.
fn refusals(plane: &ControlPlane) -> f64 {
    let page = plane.metrics();
    let of = |result| metrics::sum(&page, "authorization_attempts_total", &[("result", result)]);
    of("denied") + of("no-opinion") + metrics::sum(&page, "apiserver_request_total", &[("code", "403")])
}

fn refused_by(plane: &ControlPlane) -> String {
    let page = plane.metrics();
    let told = |line: &&str| line.starts_with("authorization_attempts_total") || line.contains("code=\"403\"");
    page.lines().filter(told).collect::<Vec<_>>().join("\n")
}

/// A running pod of this node.
fn pod(api: &Api, name: &str) -> IpAddr {
    let address = place::pod_address();
    api.create_pod(&Pod::new("role-shop", name).on("role-node"));
    api.set_pod_status("role-shop", name, &PodStatus::running(&[&address.to_string()]));
    address
}

fn is_expanded(daemon: &Daemon, address: IpAddr) -> bool {
    let reply = daemon.client_at(address).asks(&ask("pay.role-billing.role-shop.svc.cluster.local.", "A"));
    let found = [
        "pay.role-billing.role-shop.svc.cluster.local. CNAME pay.role-billing.svc.cluster.local.",
        "pay.role-billing.svc.cluster.local. A 10.96.53.1",
    ];
    match reply.rcode {
        0 => reply.answers_are(&found).rcode == 0,
        _ => reply.is("NXDOMAIN").rcode == 0,
    }
}

fn the_upstream_is_found_by_its_service_and_then_by_its_endpoints(api: &Api, daemon: &Daemon, centre: &CoreDns) {
    let mut number = 0;
    let mut answers = || {
        number += 1;
        daemon.asked(&ask(&format!("n{number}.up.cluster.local."), "A")).rcode == 0
    };
    soon("the Service's own address is asked", &mut answers);

    let endpoint = Endpoint::ready(&centre.address().ip().to_string()).of("coredns-1", "role-other");
    api.endpoint_slice("kube-system", "kube-dns", "1", &[endpoint], &ports());
    on_node(&format!("route del local {SERVICE_ADDRESS} dev lo"));
    soon("the endpoint is asked", &mut answers);
}

fn what_is_known_serves_on_without_rights(plane: &mut ControlPlane, daemon: &Daemon, first: IpAddr) {
    let api = plane.api();
    [BINDING, UPSTREAM_BINDING].iter().for_each(|binding| drop(api.delete(binding).expect("it is there")));
    let said = daemon.log_len();
    // a watch that is under way goes on; whoever opens one needs the right
    plane.kill_api_server();
    plane.start_api_server();
    let refused = |kind| marks::figure(daemon, FAILURES, &[("kind", kind), ("reason", "denied")]);
    soon("it is refused", || refused("pods") >= 2.0 && refused("endpointslices") >= 1.0);
    let second = pod(&api, "second");
    assert!(is_expanded(daemon, first), "what is known goes on being used");
    assert!(!is_expanded(daemon, second), "nobody told of it");
    assert!(daemon.asked(&ask("n0.up.cluster.local.", "A")).rcode == 0, "the endpoints are still asked");

    api.apply_yaml(&mode::root().join("deploy/rbac.yaml"));
    let took = within(IN_STEP_WITHIN, "it is in step again", || is_expanded(daemon, second));
    assert!(is_expanded(daemon, first));
    let refusals = daemon.log_since(said).iter().filter(|line| line.contains("refuses (status 403)")).count();
    assert!((1..=2).contains(&refusals), "pods and endpoints, once each: {:#?}", daemon.log_since(said));
    note(&format!("with its right back the daemon is in step after {:.1} s", took.as_secs_f64()));
}

fn who_has_no_right_serves_plain_until_it_has(plane: &ControlPlane, centre: &CoreDns, pod: IpAddr) {
    let api = plane.api();
    let daemon = daemon(&plane.kubeconfig(&plane.token_for(NOBODY)), marks::COREFILE, centre);
    let refused = || marks::figure(&daemon, FAILURES, &[("kind", "pods"), ("reason", "denied")]);
    let (times, bound) = mode::of((3.0, IN_STEP_WITHIN), (8.0, 4 * IN_STEP_WITHIN));
    within(bound, "it goes on trying", || refused() >= times);
    assert!(!is_expanded(&daemon, pod));
    daemon.client_at(pod).asks(&ask("pay.role-billing.svc.cluster.local.", "A")).is("NOERROR");
    assert!(marks::figure(&daemon, "nearpath_kubernetes_synced", &[]) < 0.1);
    let said: Vec<_> = daemon.log_since(0).into_iter().filter(|line| line.contains("refuses")).collect();
    assert!(said.len() == 1 && said[0].contains("deploy/rbac.yaml"), "said once, with what helps: {said:#?}");

    api.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "role-nobody" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nearpath-pods" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": NOBODY }],
    }));
    let took = within(IN_STEP_WITHIN, "it is in step", || is_expanded(&daemon, pod));
    let said: Vec<_> = daemon.log_since(0).into_iter().filter(|line| line.contains("refuses")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    note(&format!("refused {times} times, it is in step {:.1} s after it was given the right", took.as_secs_f64()));
}
