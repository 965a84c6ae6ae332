//! Somebody else removes what the daemon has set up: it is there again.

use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::node::state::difference;
use nearpath_tests::node::{LOCAL_V4, LOCAL_V6, Node, Setup};

use super::scene::Scene;

/// How long it may take in a test: times are told, not judged. It is less than the interval at which all is looked at.
const PATIENCE: Duration = Duration::from_secs(15);

/// Does something to a node that is set up, and waits until it is as before.
#[track_caller]
fn is_back_after(what: &str, sync: &str, meddle: &str) {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let mut instance = scene.node.starts(&scene.start("first").and(&["-syncinterval", sync]));
    scene.has_all_of(&mut instance);
    let set_up = scene.node.state();
    for _ in 0..mode::of(2, 5) {
        scene.node.space().sh(meddle);
        let begun = Instant::now();
        loop {
            let missing = difference(&set_up, &scene.node.state());
            if missing.is_empty() {
                break;
            }
            let log = instance.log();
            assert!(begun.elapsed() < PATIENCE, "after {what} not back within {PATIENCE:?}:\n{missing}\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        mode::note(&format!("after {what} all is back within {:.2} s", begun.elapsed().as_secs_f64()));
    }
    let load = scene.load();
    load.runs(Duration::from_secs(1));
    let report = load.ends();
    assert_eq!(report.lost(), 0, "after {what}: {report}\n{}", instance.log());
}

/// At this interval nothing is found in time by looking.
const SELDOM: &str = "3600";

#[test]
fn a_deleted_link_comes_back_at_once() {
    is_back_after("a deleted link", SELDOM, "ip link del nodelocaldns");
}

#[test]
fn a_removed_address_comes_back_at_once() {
    let meddle = format!("ip addr del {LOCAL_V4}/32 dev nodelocaldns; ip -6 addr del {LOCAL_V6}/128 dev nodelocaldns");
    is_back_after("removed addresses", SELDOM, &meddle);
}

#[test]
fn flushed_rules_come_back_within_the_interval() {
    // everybody else's rules go as well, and the proxy's come back at once, as it would see to
    let proxy = "nft list table ip kube-proxy >/run/proxy.nft";
    is_back_after("flushed rules", "2", &format!("{proxy}; nft flush ruleset; nft -f /run/proxy.nft"));
}
