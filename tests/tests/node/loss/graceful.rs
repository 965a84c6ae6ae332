//! What is told to end, to read anew or to make room loses nothing.

use std::time::Duration;

use nearpath_tests::load::{Load, Report};
use nearpath_tests::mode;
use nearpath_tests::node::{Instance, Node};
use nix::sys::signal::Signal;

use super::scene::{COREFILE, Scene, rounds};
use super::tally::Tally;

/// What is looked at before and after each disturbance.
const QUIET: Duration = Duration::from_secs(1);

/// What is done to the node while questions come; at its end an instance serves.
type Disturbance = fn(&Scene, &mut Instance, &Load, usize);

/// Disturbs a node again and again, and expects that nobody notices.
#[track_caller]
fn nothing_is_lost(what: &str, disturb: Disturbance) {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::new();
    let mut instance = scene.serves("first");
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    for round in 1..=rounds() {
        let load = scene.load();
        load.runs(QUIET);
        let begun = load.now();
        disturb(&scene, &mut instance, &load, round);
        load.runs(QUIET);
        let end = load.now();
        let report = load.ends();
        tally.adds(&report.within(&(Duration::ZERO..begun)), &report.within(&(begun..end)));
        mode::note(&format!("{what} {round}: {report}"));
        if !is_whole(&report) {
            broken.push(format!("{what} {round}: {report}\nthe last instance said:\n{}", instance.log()));
        }
    }
    tally.tells("nearpath", what);
    assert!(broken.is_empty(), "something is lost in {} of {} rounds:\n{}", broken.len(), rounds(), broken.join("\n"));
}

fn is_whole(report: &Report) -> bool {
    report.lost() == 0 && report.wrong() == 0 && report.sent() > 1_000
}

#[test]
fn a_restart_loses_nothing() {
    nothing_is_lost("restart", |scene, instance, _, _| {
        instance.terminates();
        *instance = scene.serves("next");
    });
}

#[test]
fn a_reload_loses_nothing() {
    nothing_is_lost("reload", |scene, instance, _, round| {
        // what is kept of answers, and for how long, changes with it
        scene.node.writes("Corefile", &COREFILE.replace("cache 30", &format!("cache {}", 30 + round)));
        let seen = instance.log().len();
        instance.signal(Signal::SIGHUP);
        instance.says_after(seen, "reloaded");
    });
}

#[test]
fn one_that_starts_before_the_other_ends_loses_nothing() {
    nothing_is_lost("handover", |scene, instance, load, _| {
        let next = scene.serves("next");
        load.runs(QUIET);
        instance.terminates();
        *instance = next;
    });
}

#[test]
fn a_node_without_a_daemon_loses_nothing() {
    nothing_is_lost("stop, wait, start", |scene, instance, load, _| {
        instance.terminates();
        load.runs(Duration::from_secs(mode::of(3, 30)));
        *instance = scene.serves("next");
    });
}
