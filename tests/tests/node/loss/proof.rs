//! The harness itself, on a node that is set up by hand: the load loses nothing of its own making, and sees what is lost.

use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::state::difference;
use nearpath_tests::node::{Node, Setup};

use super::scene::{Scene, own};

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
    assert!(
        report.sent() > 4_000,
        "that is a load, if not the 5,000 questions a second of a machine with time: {report}"
    );
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

#[test]
fn a_node_shows_what_is_done_to_it_and_nothing_else() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::ByNobody);
    let before = scene.node.state();
    let load = scene.load();
    load.runs(Duration::from_millis(300));
    assert_eq!(load.ends().answered(), 0, "nobody is asked");
    assert_eq!(difference(&before, &scene.node.state()), "", "questions leave nothing");

    scene.node.is_set_up_by_hand(&own(), &[]);
    let set_up = scene.node.state();
    let done = difference(&before, &set_up);
    for trace in ["nodelocaldns", "169.254.20.10", "fd00::53", "table ip6 np", "hv1"] {
        assert!(done.contains(trace), "{trace} is not seen in\n{done}");
    }
    scene.node.space().sh("ip link del nodelocaldns; ip link del hv0; nft delete table ip np; nft delete table ip6 np");
    assert_eq!(difference(&before, &scene.node.state()), "", "all is undone");
}
