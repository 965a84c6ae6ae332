//! Two instances on one node: one set of rules, and the last one decides what stays.

use std::time::Duration;

use nearpath_tests::mode;
use nearpath_tests::node::state::difference;
use nearpath_tests::node::{Instance, Node, Setup};

use super::scene::Scene;

/// Starts two instances together and waits until both serve.
#[track_caller]
fn both(scene: &Scene, flags: &[&str]) -> [Instance; 2] {
    let mut pair = ["one", "two"].map(|name| scene.node.starts(&scene.start(name).and(flags)));
    pair.iter_mut().for_each(|instance| scene.has_all_of(instance));
    pair
}

#[test]
fn two_that_start_together_make_one_set_of_rules() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let mut alone = scene.serves("alone");
    let clean = scene.node.state();
    alone.terminates();
    for order in [[0, 1], [1, 0]] {
        scene.cleans_up();
        let mut pair = both(&scene, &[]);
        assert_eq!(difference(&clean, &scene.node.state()), "", "one set:\n{}\n{}", pair[0].log(), pair[1].log());
        let load = scene.load();
        for number in order {
            load.runs(Duration::from_secs(1));
            pair[number].terminates();
        }
        load.runs(Duration::from_secs(1));
        let report = load.ends();
        mode::note(&format!("two stopped in the order {order:?}: {report}"));
        let logs = format!("{}\n{}", pair[0].log(), pair[1].log());
        assert!(report.lost() == 0 && report.wrong() == 0, "{report}\n{logs}");
        assert_eq!(difference(&clean, &scene.node.state()), "", "all stays:\n{logs}");
    }
}

#[test]
fn the_last_one_tears_down_if_told_so() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let before = scene.node.state();
    for order in [[0, 1], [1, 0]] {
        let mut pair = both(&scene, &["-teardown"]);
        let set_up = scene.node.state();
        assert_ne!(before, set_up, "they set the node up");
        let load = scene.load();
        load.runs(Duration::from_secs(1));
        pair[order[0]].terminates();
        load.runs(Duration::from_secs(1));
        let report = load.ends();
        assert!(report.lost() == 0 && report.wrong() == 0, "the first one goes: {report}\n{}", pair[order[0]].log());
        assert_eq!(difference(&set_up, &scene.node.state()), "", "the first one leaves all to the second");
        pair[order[1]].terminates();
        let log = pair[order[1]].log();
        assert_eq!(difference(&before, &scene.node.state()), "", "the last one removes all:\n{log}");
    }
}
