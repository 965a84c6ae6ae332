//! What is killed loses what it had in its hands, and nothing that comes later: the kernel sends it to the centre.

use std::net::SocketAddr;
use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::{Node, Rights, Start, centre};

use super::scene::{COREFILE, PODS_RATE, Scene, rounds};
use super::tally::Tally;

/// What is looked at before the kill and after the next start.
const QUIET: Duration = Duration::from_secs(1);

/// What was sent so shortly before a kill may be in the killed one's hands.
const HANDS: Duration = Duration::from_millis(500);

/// How long an instance asks them before it knows who they are.
const LEARNS: Duration = Duration::from_secs(4);

/// Of a second's questions one in so many may be lost by a kill: what comes in the milliseconds in which the kernel takes the process apart,
/// many times over for a busy machine. One that dumped its memory first, or kept its sockets open, would lose far more.
const LOST_ONE_IN: usize = 10;

#[test]
fn a_killed_one_loses_what_it_had_in_its_hands() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::new();
    let mut instance = scene.serves("first");
    let (mut tally, mut lost) = (Tally::default(), Vec::new());
    for round in 1..=rounds() {
        let load = scene.load();
        load.runs(QUIET);
        let killed = load.now();
        instance.kill();
        let gone = load.now();
        load.runs(Duration::from_secs(mode::of(3, 20)));
        let starting = load.now();
        let log = instance.log();
        instance = scene.serves("next");
        load.runs(QUIET);
        let report = load.ends();

        tally.adds(&report.within(&(Duration::ZERO..killed - HANDS)), &report.within(&(killed - HANDS..Duration::MAX)));
        let without = report.within(&(gone..starting));
        mode::note(&format!(
            "kill {round}: {} outstanding, gone after {:.1} ms, {} lost; without a daemon: {without}",
            report.outstanding(killed),
            (gone - killed).as_secs_f64() * 1e3,
            report.lost(),
        ));
        assert_eq!(report.wrong(), 0, "{report}");
        for place in ["pod", "host"] {
            let without = without.from(place);
            assert_eq!(without.lost(), 0, "{place}: a question that comes later is lost: {without}\n{log}");
            assert_eq!(without.by(By::Centre), without.sent(), "{place}: {without}\n{log}");
        }
        let after = report.within(&(starting..Duration::MAX));
        assert_eq!(after.lost(), 0, "the start loses something: {after}\n{}", instance.log());
        let dying = report.within(&(killed..gone)).sent();
        let in_hands = report.outstanding(killed) + dying;
        assert!(report.lost() <= in_hands, "{in_hands} were outstanding or came while it died: {report}\n{log}");
        lost.push(report.lost());
    }
    // how long a process takes to die is the machine's, and a busy one only adds to it
    let least = lost.iter().min().expect("there are rounds");
    assert!(*least <= PODS_RATE as usize / LOST_ONE_IN, "lost in each kill: {lost:?}");
    tally.tells("nearpath", "kill");
}

/// Starts an instance with the rights of its DaemonSet, kills it after a while, and expects that the centre answers all that
/// is asked from then on.
#[track_caller]
fn the_centre_takes_over(scene: &Scene, corefile: &str, start: Start) {
    let path = scene.node.writes("Corefile", corefile).display().to_string();
    let start = start.and(&["-conf", &path, "-node-name", "local"]).rights(Rights::Container);
    let mut instance = scene.node.starts(&start.env("KUBE_DNS_SERVICE_HOST", "10.96.0.10"));
    instance.serves();
    instance.says("failsafe: without a daemon"); // its rules are there, and it knows the central servers
    let load = scene.load();
    load.runs(LEARNS);
    let killed = load.now();
    instance.kill();
    let gone = load.now();
    load.runs(QUIET);
    let report = load.ends();
    // a connection that began before the rules came stays where it is
    let before = report.over_new_flows().within(&(QUIET..killed - HANDS));
    assert_eq!(before.by(By::Daemon), before.sent(), "{before}\n{}", instance.log());
    let after = report.within(&(gone..Duration::MAX));
    mode::note(&format!("without a daemon: {after}"));
    assert_eq!(after.by(By::Centre), after.sent(), "{after}\n{}", instance.log());
}

#[test]
fn what_is_learnt_of_the_central_servers_is_enough() {
    if !Node::is_possible() {
        return;
    }
    let mut scene = Scene::new();
    scene.targets.truncate(1);
    // no flag names them, and the Corefile forwards to a Service
    let corefile = COREFILE.replace("bind 169.254.20.10 fd00::53", "bind 169.254.20.10");
    the_centre_takes_over(&scene, &corefile, Start::with(&["-localip", "169.254.20.10"]));
}

#[test]
fn an_intercepted_service_goes_back_to_its_proxy() {
    if !Node::is_possible() {
        return;
    }
    let mut scene = Scene::new();
    // pods ask the Service itself, as they did before there was a daemon, which asks the centre by another Service
    scene.targets = vec![SocketAddr::new(centre::SERVICE.into(), 53)];
    let corefile = COREFILE.replace("bind 169.254.20.10 fd00::53", "bind 169.254.20.10 10.96.0.10");
    let corefile = corefile.replace("forward . 10.96.0.10", "forward . 10.96.0.11");
    let start = Start::with(&["-localip", "169.254.20.10,10.96.0.10", "-upstreamsvc", "kube-dns-upstream"]);
    the_centre_takes_over(&scene, &corefile, start.env("KUBE_DNS_UPSTREAM_SERVICE_HOST", "10.96.0.11"));
}
