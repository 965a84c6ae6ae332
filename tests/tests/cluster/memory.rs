//! What the index of pods costs a node with many pods in a large cluster, and that hits go on while a third of them restart.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nearpath_tests::coredns::{self, CoreDns};
use nearpath_tests::mode::note;
use nearpath_tests::objects::{ClusterIp, Crowd, Pod, PodStatus, Port};
use nearpath_tests::{Api, Daemon, Udp, ask, controlplane, http, metrics};

use super::{daemon_on, pods, soon};

/// Pods of the cluster, of this node, and those of the latter that restart at once.
const CLUSTER: usize = 5_000;
const HERE: usize = 256;
const RESTARTED: usize = 110;
const NODES: usize = 50;
/// What a daemon with the index may have taken more than one without, KiB. The bench holds all that is resident against
/// 8 MB; the code of an unoptimised build, and how much of it is paged in, is not what is asked here.
const MORE_MAX: u64 = 4 << 10;
/// Who asks while pods restart.
const ASKERS: usize = 3;

/// Addresses of pods here; those of the restarted ones follow. No other test has addresses of 198.19/16.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 0);
const NAMESPACE: &str = "memory";
const ASKED: &str = "web.memory.memory.svc.cluster.local.";
const ANSWER: [&str; 2] = [
    "web.memory.memory.svc.cluster.local. CNAME web.memory.svc.cluster.local.",
    "web.memory.svc.cluster.local. A 10.96.66.6",
];

#[test]
fn a_full_node_of_a_large_cluster_takes_little_memory_and_loses_no_hit() {
    let Some(plane) = controlplane::shared() else { return };
    let api = plane.api();
    let here = Crowd::new(NAMESPACE, &["memory-node"], FIRST, HERE);
    here.comes(&api);
    api.service(NAMESPACE, "web", &[Port::tcp("http", 80)], ClusterIp::At("10.96.66.6"));
    let others: Vec<String> = (1..NODES).map(|number| format!("memory-other-{number}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let elsewhere = Crowd::new("memory-elsewhere", &others, Ipv4Addr::new(10, 9, 0, 0), CLUSTER - HERE);
    elsewhere.comes(&api);

    let coredns = CoreDns::start(plane, coredns::USUAL);
    let centre = [("CENTRE", coredns.address().to_string())];
    let without = daemon_on(plane, "memory-node", &pods::COREFILE.replace("autopath @kubernetes", ""), &centre);
    let mut daemon = daemon_on(plane, "memory-node", pods::COREFILE, &centre);
    soon("all pods of the node are known", || metric(&daemon, "nearpath_kubernetes_addresses") == HERE as f64);
    let (plain, known) = (settled(&without), settled(&daemon));
    let index = metric(&daemon, "nearpath_kubernetes_index_bytes");
    note(&format!("{HERE} pods of {CLUSTER}: {known} KiB taken, {plain} without; the index itself: {index} octets"));
    assert!(known <= plain + MORE_MAX, "{known} KiB, and {plain} without the index");
    assert!(index > 0.0 && index <= (HERE * 1_024) as f64, "at most 1 KB for each pod: {index}");

    let hits = ask_while(&daemon, &here, || restart(&api, &here));
    soon("all are known again", || metric(&daemon, "nearpath_kubernetes_addresses") == HERE as f64);
    let asked = ask(ASKED, "A");
    for number in 0..RESTARTED {
        daemon.client_at(new_address(&here, number)).asks(&asked).is("NOERROR").answers_are(&ANSWER);
    }
    daemon.client_at(here.address(0).into()).asks(&asked).is("NXDOMAIN");
    let after = settled(&daemon);
    note(&format!("{RESTARTED} of them restarted: {hits} questions of the others, none lost; {after} KiB taken"));
    assert!(hits >= ASKERS, "somebody asked");
    assert!(after <= plain + MORE_MAX, "{after} KiB after the restarts, and {plain} without the index");
    daemon.is_well();
}

/// Deletes pods and makes them again, at other addresses.
fn restart(api: &Api, here: &Crowd) {
    Crowd::new(NAMESPACE, &[here.node(0)], FIRST, RESTARTED)
        .each(|number| api.delete_pod(NAMESPACE, &here.name(number)));
    Crowd::new(NAMESPACE, &[here.node(0)], FIRST, RESTARTED).each(|number| {
        let name = here.name(number);
        api.create_pod(&Pod::new(NAMESPACE, &name).on(here.node(number)));
        let address = new_address(here, number).to_string();
        api.set_pod_status(NAMESPACE, &name, &PodStatus::running(&[&address]));
    });
}

/// Where a pod is once it was restarted.
fn new_address(here: &Crowd, number: usize) -> IpAddr {
    here.address(HERE + number).into()
}

/// Pods that do not restart ask, one question after another, while `work` is done; each must be answered right. How many
/// they were.
fn ask_while(daemon: &Daemon, here: &Crowd, work: impl FnOnce()) -> usize {
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for asker in 0..ASKERS {
            let (done, asked) = (&done, &asked);
            scope.spawn(move || {
                let pods = (RESTARTED + asker..HERE).step_by(ASKERS);
                let clients: Vec<Udp> = pods.map(|number| daemon.client_at(here.address(number).into())).collect();
                while !done.load(Ordering::Relaxed) {
                    for client in &clients {
                        client.asks(&ask(ASKED, "A")).is("NOERROR").answers_are(&ANSWER);
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let _over = Over(&done);
        work();
    });
    asked.into_inner()
}

/// Says that it is over, also if the work panicked.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Memory taken once it no longer changes much, KiB.
fn settled(daemon: &Daemon) -> u64 {
    std::thread::sleep(Duration::from_secs(2));
    daemon.taken()
}

fn metric(daemon: &Daemon, name: &str) -> f64 {
    let at = SocketAddr::new(daemon.address().ip(), 9153);
    metrics::sum(&http::fetch(&at.to_string(), "/metrics").1, name, &[])
}
