//! The same disturbances with a CoreDNS in the daemon's place, on a node as node-cache sets it up: figures only, in the long run.

use std::time::Duration;

use nearpath_tests::controlplane;
use nearpath_tests::mode;
use nearpath_tests::node::{Instance, Node, Setup, Start};
use nix::sys::signal::Signal;

use super::scene::{Scene, rounds};
use super::tally::Tally;

/// What node-cache's Corefile has for names of the cluster.
const COREFILE: &str = "\
.:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10
    forward . 10.96.0.10 {
        force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
}
";

/// What is looked at before and after each disturbance.
const QUIET: Duration = Duration::from_secs(1);

/// node-cache's interface; of a kind that every kernel has.
const LINK: &str = "ip link add nodelocaldns type bridge && ip addr add 169.254.20.10/32 dev nodelocaldns && \
                    ip link set nodelocaldns up";

/// node-cache's rules: put before others (`-I`), or removed (`-D`).
fn rules(how: &str) -> String {
    let mut script = String::new();
    let mut rule = |table: &str, chain: &str, matches: &str, target: &str| {
        script.push_str(&format!("iptables -w -t {table} {how} {chain} {matches} -j {target}\n"));
    };
    for protocol in ["tcp", "udp"] {
        let to = format!("-p {protocol} -d 169.254.20.10 --dport 53");
        let from = format!("-p {protocol} -s 169.254.20.10 --sport 53");
        rule("raw", "PREROUTING", &to, "NOTRACK");
        rule("filter", "INPUT", &to, "ACCEPT");
        rule("raw", "OUTPUT", &from, "NOTRACK");
        rule("filter", "OUTPUT", &from, "ACCEPT");
        rule("raw", "OUTPUT", &to, "NOTRACK");
    }
    rule("raw", "OUTPUT", "-p tcp -d 169.254.20.10 --dport 8080", "NOTRACK");
    rule("raw", "OUTPUT", "-p tcp -s 169.254.20.10 --sport 8080", "NOTRACK");
    script
}

/// Starts CoreDNS; link and rules are made as node-cache makes them, if they are not there.
#[track_caller]
fn starts(scene: &Scene) -> Instance {
    let space = scene.node.space();
    if !space.run(&["ip", "link", "show", "nodelocaldns"]).status.success() {
        space.sh(LINK);
    }
    let corefile = space.file("Corefile").display().to_string();
    let mut start = Start::with(&["-conf", &corefile]);
    start.program = controlplane::program("coredns");
    let mut instance = scene.node.starts(&start);
    instance.says("CoreDNS-");
    if !space.run(&["iptables", "-w", "-t", "raw", "-S", "PREROUTING"]).stdout.windows(3).any(|w| w == b"udp") {
        space.sh(&rules("-I"));
    }
    instance
}

/// Ends it as node-cache ends: first rules and link go, then the server.
#[track_caller]
fn terminates(scene: &Scene, instance: &mut Instance) {
    scene.node.space().sh(&rules("-D"));
    scene.node.space().sh("ip link del nodelocaldns");
    instance.terminates();
}

/// What is done to it; at its end an instance serves.
type Disturbance = fn(&Scene, &mut Instance);

const DISTURBANCES: [(&str, Disturbance); 4] = [
    ("restart", |scene, instance| {
        terminates(scene, instance);
        *instance = starts(scene);
    }),
    ("reload", |scene, instance| {
        let seen = instance.log().len();
        let other = if seen.is_multiple_of(2) { "cache 31" } else { "cache 32" };
        scene.node.writes("Corefile", &COREFILE.replace("cache 30", other));
        instance.signal(Signal::SIGUSR1);
        instance.says_after(seen, "Reloading complete");
    }),
    ("stop, wait 30 s, start", |scene, instance| {
        terminates(scene, instance);
        std::thread::sleep(Duration::from_secs(30));
        *instance = starts(scene);
    }),
    ("kill, dead for 20 s", |scene, instance| {
        instance.kill();
        std::thread::sleep(Duration::from_secs(20));
        *instance = starts(scene);
    }),
];

#[test]
fn coredns_in_its_place() {
    if !Node::is_possible() {
        return;
    }
    if !mode::is_long() {
        mode::note("CoreDNS in the daemon's place: in the long run");
        return;
    }
    let mut scene = Scene::set_up_by(Setup::ByNobody);
    scene.targets.truncate(1); // node-cache serves one family
    for (what, disturb) in DISTURBANCES {
        scene.node.writes("Corefile", COREFILE);
        let mut instance = starts(&scene);
        let mut tally = Tally::default();
        for round in 1..=rounds() {
            let load = scene.load();
            load.runs(QUIET);
            let begun = load.now();
            disturb(&scene, &mut instance);
            load.runs(QUIET);
            let end = load.now();
            let report = load.ends();
            tally.adds(&report.within(&(Duration::ZERO..begun)), &report.within(&(begun..end)));
            mode::note(&format!("CoreDNS, {what} {round}: {report}"));
            assert!(report.answered() > 1_000, "it is no comparison without answers: {report}");
        }
        tally.tells("CoreDNS", what);
        terminates(&scene, &mut instance);
    }
}
