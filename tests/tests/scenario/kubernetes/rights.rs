//! A daemon that starts without rights, without an API server, or without knowing of any.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::apiserver::{ApiServer, Fault};
use nearpath_tests::{ask, daemon, mode, place};

use super::{BEFORE, IN_STEP_WITHIN, Node, STRANGER, WEB, first};

impl Node {
    /// Questions are resolved as asked.
    #[track_caller]
    fn serves_plain(&self) {
        for last in [WEB, STRANGER] {
            self.pod(last).asks(&ask("www.example.com", "A")).is("NOERROR");
            self.pod(last).asks(&ask(&first("www.example.com", "shop"), "A")).is("NXDOMAIN");
            self.pod(last).asks(&ask("db.shop.svc.cluster.local", "A")).is("NOERROR");
        }
    }
}

#[test]
fn without_any_right_it_serves_plain_and_goes_on_trying() {
    let mut node = Node::starting(|server| server.fails(Fault::Status(403)));
    let begin = Instant::now();
    node.serves_plain();
    let seconds = mode::of(6, 60);
    while begin.elapsed() < Duration::from_secs(seconds) {
        node.serves_plain();
        sleep(Duration::from_millis(100));
    }
    let tried = node.server.seen().iter().filter(|seen| seen.kind == "Pod").count();
    mode::note(&format!("without rights: {tried} requests for pods within {seconds} s"));
    assert!((2..=14).contains(&tried), "{:#?}", node.server.seen());
    for subject in ["kubernetes: pods:", "kubernetes: endpoints of @kube-system/kube-dns:"] {
        let lines = node.lines(0, &[subject, "WARN"]);
        assert!(lines.len() == 1 && lines[0].contains("403") && lines[0].contains("rbac.yaml"), "{lines:#?}");
    }
    for kind in ["pods", "endpointslices"] {
        let labels = [("kind", kind), ("reason", "denied")];
        assert!(node.metric("nearpath_kubernetes_watch_failures_total", &labels) >= 2.0);
    }
    assert_eq!(node.metric("nearpath_kubernetes_synced", &[]), 0.0);
    node.server.heals();
    node.is_in_step_by(Instant::now() + Duration::from_secs(70), &BEFORE, 0);
    assert_eq!(node.metric("nearpath_kubernetes_synced", &[]), 1.0);
}

#[test]
fn a_daemon_that_starts_before_the_api_server_serves_at_once() {
    let mut node = Node::starting(ApiServer::dies);
    node.serves_plain();
    sleep(Duration::from_secs(3));
    node.serves_plain();
    let lines = node.lines(0, &["kubernetes: pods:", "WARN"]);
    assert!(lines.len() == 1 && lines[0].contains("cannot be reached"), "{lines:#?}");
    node.server.revives();
    let end = Instant::now();
    node.is_in_step_by(end + IN_STEP_WITHIN, &BEFORE, 0);
    mode::note(&format!("started before the API server: in step {:.1} s after it", end.elapsed().as_secs_f64()));
}

#[test]
fn one_right_that_is_missing_is_named() {
    for (part, subject, kind) in [
        ("/endpointslices", "kubernetes: endpoints of @kube-system/kube-dns:", "endpointslices"),
        ("/services/", "kubernetes: the address of @kube-system/kube-dns:", "services"),
    ] {
        let node = Node::starting(|server| server.fails(Fault::StatusFor(part, 403)));
        let deadline = Instant::now() + IN_STEP_WITHIN;
        while !node.is_expanded(WEB, "shop") || node.lines(0, &["WARN", "403"]).is_empty() {
            assert!(Instant::now() < deadline, "{part}: the pods are known");
            sleep(Duration::from_millis(50));
        }
        sleep(Duration::from_secs(2));
        let lines = node.lines(0, &["WARN", "403"]);
        assert!(lines.len() == 1 && lines[0].contains(subject), "{part}: {lines:#?}");
        assert_eq!(node.lines(0, &["kubernetes: pods:", "WARN"]), Vec::<String>::new());
        let labels = [("kind", kind), ("reason", "denied")];
        assert!(node.metric("nearpath_kubernetes_watch_failures_total", &labels) >= 1.0);
    }
}

#[test]
fn outside_a_cluster_the_start_says_what_to_do() {
    let (folder, address) = (place::Folder::new(), place::socket());
    for directive in ["autopath @kubernetes", "forward . @kube-system/kube-dns"] {
        let corefile = format!("cluster.local:{} {{\n bind {}\n {directive}\n}}\n", address.port(), address.ip());
        let path = folder.write("Corefile", &corefile).display().to_string();
        let output = daemon::run(&["-conf", &path, "-node-name", "node-1"], Duration::from_secs(10));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{directive}: {said}");
        for word in ["KUBERNETES_SERVICE_HOST", "-kubeconfig"] {
            assert!(said.contains(word), "{directive}: {word} is expected in:\n{said}");
        }
    }
}
