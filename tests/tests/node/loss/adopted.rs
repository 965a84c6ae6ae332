//! What a killed instance leaves behind is found and taken over by the next one, and removed without a trace.

use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::state::difference;
use nearpath_tests::node::{Node, Setup};
use nearpath_tests::random::Random;
use nix::sys::signal::Signal;

use super::scene::Scene;

/// The latest moment of a kill after a start and after a signal to end.
const STARTING: u64 = 400;
const ENDING: u64 = 100;

#[test]
fn what_is_killed_at_any_moment_is_adopted() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let before = scene.node.state();
    let mut instance = scene.serves("clean");
    let clean = scene.node.state();
    assert_ne!(before, clean, "an instance sets its node up");
    instance.kill();

    let mut random = Random::new(mode::seed());
    for round in 0..mode::of(6, 20) {
        let mut instance = scene.node.starts(&scene.start("killed"));
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_millis(random.bits() % STARTING));
        } else {
            instance.serves();
            instance.signal(Signal::SIGTERM);
            std::thread::sleep(Duration::from_millis(random.bits() % ENDING));
        }
        instance.kill();
    }
    let mut instance = scene.serves("next");
    let adopted = scene.node.state();
    assert_eq!(difference(&clean, &adopted), "", "one set of rules and addresses:\n{}", instance.log());
    assert!(instance.terminates().success(), "{}", instance.log());

    scene.cleans_up();
    assert_eq!(difference(&before, &scene.node.state()), "", "nothing is left behind");
}

#[test]
fn rules_of_a_node_that_was_forgotten_become_inert() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let mut instance = scene.node.starts(&scene.start("first").and(&["-failsafe", "4s"]));
    scene.has_all_of(&mut instance);
    // it is renewed as long as somebody is there
    std::thread::sleep(Duration::from_secs(6));
    instance.kill();
    let load = scene.load();
    load.runs(Duration::from_millis(500));
    let fresh = load.ends();
    assert_eq!(fresh.lost(), 0, "the kernel stands in: {fresh}\n{}", instance.log());

    std::thread::sleep(Duration::from_secs(5));
    let load = scene.load();
    load.runs(Duration::from_millis(500));
    let expired = load.ends();
    mode::note(&format!("expired: {expired}"));
    // a flow that the kernel has begun to translate it goes on to translate until nobody uses it; few ports come again
    let expired = expired.over_new_flows();
    assert!(expired.sent() > 100, "{expired}");
    assert!(
        expired.by(By::Centre) * 20 < expired.sent(),
        "what has expired sends nothing: {expired}\n{}",
        instance.log()
    );
}
