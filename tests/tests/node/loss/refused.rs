//! What cannot start says so in a line, ends with a code, and leaves nothing on the node.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use nearpath_tests::node::state::difference;
use nearpath_tests::node::{Node, Rights, Setup, Start};

use super::scene::Scene;

/// How long a refusal may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Expects that an instance ends with a code other than zero and a line that has all these words.
#[track_caller]
fn is_refused(scene: &Scene, start: &Start, words: &[&str]) {
    let before = scene.node.state();
    let mut instance = scene.node.starts(start);
    let status = instance.ends(PATIENCE);
    let log = instance.log();
    assert!(status.code().is_some_and(|code| code != 0), "{status}:\n{log}");
    let clear = log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(clear, "expected a line with {words:?}, got\n{log}");
    assert!(!log.contains("panicked"), "{log}");
    let after = scene.node.state();
    assert_eq!(difference(&before, &after), "", "something is left on the node:\n{log}");
}

#[test]
fn wrong_flags_are_refused() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    is_refused(&scene, &scene.start("wrong").and(&["-nonsense"]), &["nonsense"]);
    is_refused(&scene, &scene.start("wrong").and(&["-syncinterval", "soon"]), &["soon"]);
    is_refused(&scene, &scene.start("wrong").and(&["-failsafe", "central"]), &["central"]);
}

#[test]
fn a_base_corefile_that_makes_no_sense_is_refused() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let base = scene.node.writes("Corefile.base", ".:53 {\n    cash 30\n    forward . __PILLAR__CLUSTER__DNS__\n");
    let start = scene.start("wrong").and(&["-basecorefile", &base.display().to_string()]);
    is_refused(&scene, &start, &["cash"]);
}

#[test]
fn a_port_that_is_taken_is_refused() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    let taken = scene.node.space().inside(|| UdpSocket::bind("0.0.0.0:53").expect("nobody has it"));
    is_refused(&scene, &scene.start("late"), &["169.254.20.10:53", "in use"]);
    drop(taken);
    let taken = scene.node.space().inside(|| TcpListener::bind("0.0.0.0:53").expect("nobody has it"));
    is_refused(&scene, &scene.start("late"), &["169.254.20.10:53", "in use"]);
    drop(taken);
}

#[test]
fn without_net_admin_nothing_is_begun() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    is_refused(&scene, &scene.start("weak").rights(Rights::WithoutNetAdmin), &["NET_ADMIN"]);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_refused() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::set_up_by(Setup::Daemon);
    is_refused(&scene, &scene.start("forgetful").and(&["-statedir", "/proc/nothing"]), &["/proc/nothing"]);
}
