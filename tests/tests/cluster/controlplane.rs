//! The control plane itself: what later tests stand on is real, and is seen to be.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use nearpath_tests::api::Refusal;
use nearpath_tests::controlplane::{self, NOBODY};
use nearpath_tests::coredns::{self, CoreDns};
use nearpath_tests::mode::note;
use nearpath_tests::objects::{ClusterIp, Crowd, Endpoint, Pod, PodStatus, Port};
use nearpath_tests::{Api, ControlPlane, Daemon, Udp, ask, metrics, place};
use serde_json::json;

use super::soon;

/// RFC 1035, section 4.1.1.
const NXDOMAIN: u16 = 3;

fn code<T>(result: Result<T, Refusal>) -> Option<u16> {
    result.err().and_then(|refusal| refusal.code())
}

#[test]
fn it_is_a_kubernetes_and_says_what_it_costs() {
    let Some(plane) = controlplane::shared() else { return };
    let version = plane.api().get("/version").expect("the version");
    let version = version["gitVersion"].as_str().expect("a version").to_owned();
    assert!(version.starts_with("v1.36."), "{version}");
    assert!(plane.metrics().contains("apiserver_request_total{"), "it counts");
    note(&format!(
        "kube-apiserver {version}: ready after {:.1} s; {} MB, and etcd {} MB",
        plane.ready_after().as_secs_f64(),
        plane.memory_of_api_server() / 1024,
        plane.memory_of_etcd() / 1024,
    ));
}

#[test]
fn a_pod_lives_its_life_before_a_watcher() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    api.namespace("life");
    let mine = "/api/v1/pods?fieldSelector=spec.nodeName=life-node-1";
    let list = api.get(mine).expect("a list");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "{list}");
    let watch = api.watch(mine, list["metadata"]["resourceVersion"].as_str()).expect("a watch");

    api.create_pod(&Pod::new("life", "elsewhere").on("life-node-2"));
    let config = json!({ "searches": ["corp.example"], "options": [{ "name": "ndots", "value": "2" }] });
    let pod = Pod::new("life", "here").on("life-node-1").dns_policy("None").dns_config(json!({
        "nameservers": ["192.0.2.53"], "searches": config["searches"], "options": config["options"],
    }));
    api.create_pod(&pod.label("app", "life"));
    let added = watch.until("the pod is there", |event| event.kind == "ADDED");
    assert_eq!(added.name(), "here", "the selector keeps other nodes' pods away");
    assert_eq!(added.object["spec"]["dnsConfig"]["options"], config["options"]);
    assert_eq!(added.object["spec"]["dnsPolicy"], "None");
    assert_eq!(added.object["status"]["phase"], "Pending");

    let mut took = Vec::new();
    for number in 1..=50 {
        let (four, six) = (format!("10.1.0.{number}"), format!("2001:db8:1::{number:x}"));
        let said = Instant::now();
        api.set_pod_status("life", "here", &PodStatus::running(&[&four, &six]));
        let heard = watch.until("its status", |event| event.kind == "MODIFIED" && event.name() == "here");
        assert_eq!(heard.object["status"]["podIPs"], json!([{ "ip": four }, { "ip": six }]));
        took.push(heard.arrived - said);
    }
    took.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    note(&format!("a pod's status reaches a bare watcher in {:.1} ms, at worst {:.1}", ms(took[25]), ms(took[49])));

    api.set_pod_status("life", "here", &PodStatus::running(&["10.1.0.50"]).phase("Failed"));
    let failed = watch.until("its end", |event| event.object["status"]["phase"] == "Failed");
    assert_eq!(failed.object["status"]["containerStatuses"][0]["ready"], false);
    api.delete_pod("life", "here");
    watch.until("its deletion", |event| event.kind == "DELETED" && event.name() == "here");
    assert_eq!(code(api.get("/api/v1/namespaces/life/pods/here")), Some(404));
}

#[test]
fn a_pod_that_is_told_to_end_stays_until_its_kubelet_says_so() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    api.namespace("grace");
    api.create_pod(&Pod::new("grace", "slow").on("grace-node"));
    api.set_pod_status("grace", "slow", &PodStatus::running(&["10.1.1.1"]));
    api.begin_pod_deletion("grace", "slow", 60);
    let pod = api.get("/api/v1/namespaces/grace/pods/slow").expect("it is still there");
    assert!(pod["metadata"]["deletionTimestamp"].is_string(), "{pod}");
    api.delete_pod("grace", "slow");
    assert_eq!(code(api.get("/api/v1/namespaces/grace/pods/slow")), Some(404));
}

#[test]
fn coredns_answers_what_the_api_says() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    let coredns = CoreDns::start(plane, coredns::USUAL);
    let client = Udp::from(place::pod_address(), coredns.address());
    let name = "web.answers.svc.cluster.local.";
    assert_eq!(client.asks(&ask(name, "A")).rcode, NXDOMAIN);

    api.namespace("answers");
    let service = api.service("answers", "web", &[Port::tcp("http", 80)], ClusterIp::Any);
    let address = service["spec"]["clusterIP"].as_str().expect("one was picked").to_owned();
    assert!(address.starts_with("10.96."), "{address}");
    soon("the service has its name", || client.asks(&ask(name, "A")).rcode == 0);
    let addresses = |name: &str| {
        let reply = client.asks(&ask(name, "A"));
        let mut found: Vec<_> =
            reply.answers().iter().map(|line| line.rsplit(' ').next().expect("words").to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(addresses(name), [address]);

    let (one, two) = (place::pod_address().to_string(), place::pod_address().to_string());
    api.service("answers", "db", &[Port::tcp("sql", 5432)], ClusterIp::None);
    let ready = Endpoint::ready(&one).of("db-0", "answers-node").zone("a").hints(&["a"]);
    let endpoints = [ready, Endpoint::ready(&two).of("db-1", "answers-node").not_ready()];
    api.endpoint_slice("answers", "db", "1", &endpoints, &[Port::tcp("sql", 5432)]);
    soon("the endpoint has its name", || addresses("db.answers.svc.cluster.local.") == [one.clone()]);
    assert_eq!(addresses("db-0.db.answers.svc.cluster.local."), [one]);
    assert_eq!(client.asks(&ask("db-1.db.answers.svc.cluster.local.", "A")).rcode, NXDOMAIN);

    note(&format!("CoreDNS takes {} MB", coredns.resident() / 1024));
    let gone = coredns.address();
    coredns.kill();
    client.send(&ask(name, "A").wire());
    assert!(client.receive(Duration::from_millis(200)).is_none(), "nobody serves at {gone} any more");
}

#[test]
fn the_daemon_before_coredns_says_what_coredns_says_to_pods_of_both_families() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    api.namespace("before");
    api.service("before", "fixed", &[Port::udp("dns", 53), Port::tcp("dns-tcp", 53)], ClusterIp::At("10.96.77.7"));
    let coredns = CoreDns::start(plane, coredns::USUAL);
    let six = place::pod_address_v6();
    let words = [("CENTRE", coredns.address().to_string()), ("SIX", six.to_string())];
    let daemon = Daemon::given(".:PORT {\n bind IP SIX\n forward . CENTRE {\n  force_tcp\n }\n}\n", &words);
    let asked = ask("fixed.before.svc.cluster.local.", "A");
    let answer = ["fixed.before.svc.cluster.local. A 10.96.77.7"];
    soon("CoreDNS knows the service", || daemon.client_at(place::pod_address()).asks(&asked).rcode == 0);
    daemon.client_at(place::pod_address()).asks(&asked).is("NOERROR").answers_are(&answer);
    let at = SocketAddr::new(six, daemon.address().port());
    Udp::from(place::pod_address_v6(), at).asks(&asked).is("NOERROR").answers_are(&answer);
}

#[test]
fn a_crowd_comes_and_goes_and_is_counted() {
    let Some(plane) = controlplane::shared() else { return };
    let (api, size) = (plane.api(), 200);
    let crowd = Crowd::new("crowd", &["crowd-node-1", "crowd-node-2"], Ipv4Addr::new(10, 2, 0, 1), size);
    let labels = [("resource", "pods"), ("verb", "POST"), ("code", "201")];
    let before = metrics::sum(&plane.metrics(), "apiserver_request_total", &labels);
    let begun = Instant::now();
    crowd.comes(&api);
    note(&format!("{:.0} pods a second are made and run", size as f64 / begun.elapsed().as_secs_f64()));
    let made = metrics::sum(&plane.metrics(), "apiserver_request_total", &labels) - before;
    assert!(made >= size as f64, "the API server counted {made}");

    let mine = api.get("/api/v1/pods?fieldSelector=spec.nodeName=crowd-node-2").expect("a list");
    let mine = mine["items"].as_array().expect("items");
    assert_eq!(mine.len(), size / 2);
    let last = mine.iter().find(|pod| pod["metadata"]["name"] == crowd.name(size - 1)).expect("the last is on node 2");
    assert_eq!(last["status"]["podIP"], crowd.address(size - 1).to_string());
    crowd.goes(&api);
    let left = api.get("/api/v1/namespaces/crowd/pods").expect("a list");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_page_of_metrics_is_read_by_name_and_labels() {
    let page = "# TYPE asked counter\nasked{verb=\"WATCH\",code=\"200\"} 3\nasked{verb=\"LIST\",code=\"200\"} 1.5e+01\n\
                asked{verb=\"LIST\",subcode=\"200\",code=\"410\"} 2\nasked_twice{verb=\"LIST\"} 100\nup 1\n";
    let asked = |labels: &[(&str, &str)]| metrics::sum(page, "asked", labels).to_string();
    assert_eq!(asked(&[]), "20");
    assert_eq!(asked(&[("verb", "LIST")]), "17");
    assert_eq!(asked(&[("verb", "LIST"), ("code", "200")]), "15", "`subcode` is another label");
    assert_eq!(asked(&[("verb", "GET")]), "0");
    assert_eq!(metrics::sum(page, "up", &[]).to_string(), "1");
}

#[test]
fn who_has_no_right_is_refused_until_a_role_says_otherwise() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    assert!(api.get("/api/v1/pods?limit=1").is_ok(), "the admin may");
    assert_eq!(code(api.with_token(&plane.token_for(NOBODY)).get("/api/v1/pods?limit=1")), Some(403));
    assert_eq!(code(api.with_token("made up").get("/api/v1/pods?limit=1")), Some(401));

    api.namespace("rights");
    api.service_account("rights", "reader");
    let reader = api.with_token(&api.service_account_token("rights", "reader", 600));
    assert_eq!(code(reader.get("/api/v1/pods?limit=1")), Some(403), "known, but without a right");
    let applied = api.apply_text(
        "# a role, and who has it\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: rights-reader\n\
         rules:\n  - apiGroups: [\"\"]\n    resources: [pods]\n    verbs: [list, watch]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: rights-reader\nroleRef:\n  \
         apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: rights-reader\nsubjects:\n  - kind: \
         ServiceAccount\n    name: reader\n    namespace: rights\n",
    );
    assert_eq!(applied.len(), 2);
    soon("the role holds", || reader.get("/api/v1/pods?limit=1").is_ok());
    assert_eq!(code(reader.get("/api/v1/namespaces/rights/pods/none")), Some(403), "the role has no `get`");
    assert_eq!(code(reader.get("/api/v1/services?limit=1")), Some(403), "nor anything else");
}

#[test]
fn killed_and_started_again_it_knows_what_it_knew() {
    if !controlplane::is_possible() {
        return;
    }
    let mut plane = ControlPlane::start();
    let api = plane.api();
    api.namespace("kept");
    let kept = |api: &Api| api.get("/api/v1/namespaces/kept/pods/one").map(|pod| pod["metadata"]["uid"].clone());
    let uid = api.create_pod(&Pod::new("kept", "one").on("kept-node"))["metadata"]["uid"].clone();
    let watch = api.watch("/api/v1/pods", None).expect("a watch");
    watch.until("what is there already", |event| event.name() == "one");

    plane.kill_api_server();
    assert!(watch.ends(Duration::from_secs(10)), "the watch dies with the server");
    assert!(matches!(kept(&api), Err(Refusal::Unreachable(_))), "nobody serves");
    let begun = Instant::now();
    plane.start_api_server();
    note(&format!("the API server is ready {:.1} s after it was killed", begun.elapsed().as_secs_f64()));
    assert_eq!(kept(&api).expect("the same address"), uid);

    plane.kill_etcd();
    let lost = api.post("/api/v1/namespaces?timeout=1s", &json!({ "metadata": { "name": "lost" } }));
    assert!(lost.is_err(), "nothing can be kept: {lost:?}");
    let begun = Instant::now();
    plane.start_etcd();
    note(&format!("and {:.1} s after etcd was", begun.elapsed().as_secs_f64()));
    assert_eq!(kept(&api).expect("etcd has its data"), uid);
    soon("it takes new objects", || api.post("/api/v1/namespaces", &json!({ "metadata": { "name": "new" } })).is_ok());
}
