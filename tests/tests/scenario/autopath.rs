//! AutoPath from outside: what a pod gets, and what it costs the centre.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::{Behaviour, Daemon, Reply, Udp, Upstream, ask};

use super::TABLE;

const PODS: &str = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n\
                    default/one 127.3.0.2 search default.svc.cluster.local svc.cluster.local cluster.local ndots 5\n\
                    shop/few 127.3.0.3 search shop.svc.cluster.local svc.cluster.local cluster.local ndots 2\n";

const STOCK: &str = "cluster.local:PORT {\n bind IP\n errors\n autopath {\n  pods FOLDER/pods\n }\n cache {\n  success 9984 30\n  \
                     denial 9984 5\n }\n forward . CENTRE {\n  force_tcp\n }\n}\n\
                     .:PORT {\n bind IP\n errors\n cache 30\n forward . OUTSIDE\n}\n";

struct Node {
    centre: Upstream,
    outside: Upstream,
    daemon: Daemon,
}

#[track_caller]
fn node(corefile: &str) -> Node {
    let (centre, outside) = (Upstream::with(TABLE), Upstream::with(TABLE));
    let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address())];
    let daemon = Daemon::with(corefile, &words, &[("pods", PODS)], &[]);
    Node { centre, outside, daemon }
}

impl Node {
    fn pod(&self, last: u8) -> Udp {
        self.daemon.client_at(IpAddr::from([127, 3, 0, last]))
    }
}

/// The first name that a pod's stub resolver asks for.
const FIRST: &str = "www.example.com.shop.svc.cluster.local";
const CHAIN: [&str; 2] =
    ["www.example.com.shop.svc.cluster.local. CNAME www.example.com.", "www.example.com. A 192.0.2.1"];

#[test]
fn an_outside_name_costs_the_pod_one_question() {
    let node = node(STOCK);
    let pod = node.pod(1);
    pod.asks(&ask(FIRST, "A")).is("NOERROR").answers_in_order(&CHAIN);
    let v6 = ["www.example.com.shop.svc.cluster.local. CNAME www.example.com.", "www.example.com. AAAA 2001:db8::1"];
    pod.asks(&ask(FIRST, "AAAA")).is("NOERROR").answers_in_order(&v6);
    assert_eq!(node.outside.seen().len(), 2, "A and AAAA, once each: {:?}", node.outside.seen());
    let (centre, outside) = (node.centre.seen().len(), node.outside.seen().len());
    pod.asks(&ask(FIRST, "A")).is("NOERROR").answers_in_order(&CHAIN).ttls_within(0..=30);
    pod.asks(&ask(FIRST, "AAAA")).is("NOERROR").answers_in_order(&v6);
    let now = (node.centre.seen().len(), node.outside.seen().len());
    assert_eq!((centre, outside), now, "the second time nobody is asked");
}

#[test]
fn pods_with_one_list_share_and_others_do_not() {
    let node = node(STOCK);
    node.pod(1).asks(&ask(FIRST, "A")).answers_in_order(&CHAIN);
    // a pod of another namespace: the name lies below no first domain of its own, so it is resolved as asked
    node.pod(2).asks(&ask(FIRST, "A")).is("NXDOMAIN");
    // nobody's pod
    node.daemon.asked(&ask(FIRST, "A")).is("NXDOMAIN");
    // two dots in the rest, and ndots 2: the stub would ask it as it is first
    node.pod(3).asks(&ask(FIRST, "A")).is("NXDOMAIN");
    node.pod(1).asks(&ask(FIRST, "A")).answers_in_order(&CHAIN);
    // DO is never expanded
    node.pod(1).asks(&ask(FIRST, "A").dnssec()).is("NXDOMAIN");
}

#[test]
fn the_first_candidate_that_exists_decides() {
    let node = node(STOCK);
    // in the own namespace: as asked, no CNAME
    let own = node.pod(1).asks(&ask("db.shop.svc.cluster.local", "A"));
    own.is("NOERROR").answers_are(&["db.shop.svc.cluster.local. A 10.96.0.7"]);
    // by the second domain
    let found = [
        "kubernetes.default.shop.svc.cluster.local. CNAME kubernetes.default.svc.cluster.local.",
        "kubernetes.default.svc.cluster.local. A 10.96.0.1",
    ];
    node.pod(1).asks(&ask("kubernetes.default.shop.svc.cluster.local", "A")).answers_in_order(&found);
    // NODATA decides too, for A and AAAA alike
    let reply = node.pod(1).asks(&ask("kubernetes.default.shop.svc.cluster.local", "AAAA"));
    reply.is("NOERROR").answers_are(&[]).has_soa();
    assert_eq!(node.outside.asked_for("kubernetes.default."), 0, "what is found inside never leaves the cluster");
    // nothing anywhere
    node.pod(1).asks(&ask("nowhere.example.com.shop.svc.cluster.local", "A")).is("NXDOMAIN").has_soa();
}

#[test]
fn a_failing_candidate_stops_the_walk() {
    let node = node(STOCK);
    node.centre.behaves_for("www.example.com.svc.cluster.local.", Behaviour::Rcode(2));
    node.pod(1).asks(&ask(FIRST, "A").edns(1232)).is("SERVFAIL").answers_are(&[]);
}

#[test]
fn names_leave_the_cluster_only_when_nobody_inside_has_them() {
    let node = node(STOCK);
    node.pod(1).asks(&ask("db.shop.svc.cluster.local", "A")).is("NOERROR");
    node.pod(1).asks(&ask("kubernetes.default.shop.svc.cluster.local", "A")).is("NOERROR");
    assert!(node.outside.seen().is_empty(), "{:?}", node.outside.seen());
}

#[test]
fn candidates_enter_the_blocks_anew_stub_domains_too() {
    let (centre, outside) = (Upstream::with(TABLE), Upstream::with(TABLE));
    let stub = Upstream::with(&["git.corp.example. 60 A 192.0.2.40"]);
    let corefile = format!("{STOCK}corp.example:PORT {{\n bind IP\n cache 30\n forward . STUB\n}}\n");
    let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address()), ("STUB", stub.address())];
    let daemon = Daemon::with(&corefile, &words, &[("pods", PODS)], &[]);
    let pod = daemon.client_at([127, 3, 0, 1].into());
    let found = ["git.corp.example.shop.svc.cluster.local. CNAME git.corp.example.", "git.corp.example. A 192.0.2.40"];
    pod.asks(&ask("git.corp.example.shop.svc.cluster.local", "A")).is("NOERROR").answers_in_order(&found);
    assert_eq!((stub.asked_for("git.corp.example."), outside.seen().len()), (1, 0));
}

#[test]
fn policy_holds_for_the_final_name() {
    let blocked = STOCK.replace(
        ".:PORT {\n bind IP\n errors\n",
        ".:PORT {\n bind IP\n acl example.com {\n  block net 127.3.0.1/32\n }\n",
    );
    assert_ne!(blocked, STOCK);
    let node = node(&blocked);
    let twin = "shop/twin 127.3.0.9 search shop.svc.cluster.local svc.cluster.local cluster.local\n";
    node.daemon.folder().write("pods", &format!("{PODS}{twin}"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while node.pod(9).asks(&ask("x.wild.example.com.shop.svc.cluster.local", "A")).rcode != 0 {
        assert!(Instant::now() < deadline, "the table of pods is read again when it changes");
        sleep(Duration::from_millis(200));
    }
    for _ in 0..2 {
        // the twin, with the same list, is allowed, and what it left in memory is not for the blocked one
        node.pod(9).asks(&ask(FIRST, "A")).is("NOERROR").answers_in_order(&CHAIN);
        let reply: Reply = node.pod(1).asks(&ask(FIRST, "A").edns(1232));
        assert!(reply.answers().is_empty() && reply.rcode != 0, "blocked by the acl of the final name:\n{reply}");
    }
}

#[test]
fn outside_names_go_on_while_the_centre_is_dead() {
    let mut node = node(STOCK);
    let pod = node.pod(1);
    let names = ["www", "web", "a.wild", "b.wild"];
    let ask_all = |when: &str| {
        for name in names {
            for rtype in ["A", "AAAA"] {
                let start = Instant::now();
                let reply = pod.asks(&ask(&format!("{name}.example.com.shop.svc.cluster.local"), rtype).edns(1232));
                assert_eq!(reply.rcode, 0, "{name} {rtype} {when}:\n{reply}");
                // musl asks again after 2.5 s
                assert!(start.elapsed() < Duration::from_millis(2_500), "{name} {rtype} {when}: {:?}", start.elapsed());
            }
        }
    };
    ask_all("before");
    node.centre.dies();
    let end = Instant::now() + Duration::from_secs(mode::of(12, 60));
    let mut rounds = 0;
    while Instant::now() < end {
        ask_all("while the centre is dead");
        rounds += 1;
        sleep(Duration::from_millis(500));
    }
    assert!(rounds > 3, "{rounds} rounds");
    node.centre.revive();
    ask_all("after");
}

#[test]
fn a_resolv_conf_is_a_list_for_everybody() {
    let (centre, outside) = (Upstream::with(TABLE), Upstream::with(TABLE));
    let corefile = STOCK.replace("autopath {\n  pods FOLDER/pods\n }", "autopath FOLDER/resolv.conf");
    let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address())];
    let files =
        [("resolv.conf", "nameserver 127.0.0.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\n")];
    let daemon = Daemon::with(&corefile, &words, &files, &[]);
    daemon.asked(&ask(FIRST, "A")).is("NOERROR").answers_in_order(&CHAIN);
}
