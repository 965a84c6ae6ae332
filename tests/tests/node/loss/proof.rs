//! The harness itself, on a node that is set up by hand: the load loses nothing of its own making, and sees what is lost.

use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::{Node, Setup};

use super::scene::Scene;

#[test]
fn the_load_loses_nothing_by_itself() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::ByHand);
    let daemon = scene.serves("local");
    let load = scene.load();
    load.runs(Duration::from_secs(4));
    let report = load.ends();
    mode::note(&format!("undisturbed: {report}"));
    assert_eq!(report.wrong(), 0, "{report}");
    assert_eq!(report.lost(), 0, "{report}\n{}", daemon.log());
    assert_eq!(report.by(By::Daemon), report.sent(), "{report}");
    assert!(report.sent() > 15_000, "5,000 questions a second for four seconds: {report}");
}

#[test]
fn without_a_daemon_the_centre_answers() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::ByHand);
    let load = scene.load();
    load.runs(Duration::from_secs(2));
    let report = load.ends();
    mode::note(&format!("no daemon: {report}"));
    assert_eq!(report.wrong(), 0, "{report}");
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(report.by(By::Centre), report.sent(), "{report}");
}
