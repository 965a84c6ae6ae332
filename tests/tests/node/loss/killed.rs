//! What is killed loses what it had in its hands, and nothing that comes later: the kernel sends it to the centre.

use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::{Node, Rights, Start};

use super::scene::{COREFILE, PODS_RATE, Scene, rounds};
use super::tally::Tally;

/// What is looked at before the kill and after the next start.
const QUIET: Duration = Duration::from_secs(1);

/// What was sent so shortly before a kill may be in the killed one's hands.
const HANDS: Duration = Duration::from_millis(500);

/// How long an instance asks them before it knows who they are.
const LEARNS: Duration = Duration::from_secs(4);

/// Of a second's questions one in so many may be lost by a kill.
const LOST_ONE_IN: usize = 200;

#[test]
fn a_killed_one_loses_what_it_had_in_its_hands() {
    if !Node::is_possible() {
        return;
    }
    let scene = Scene::new();
    let mut instance = scene.serves("first");
    let mut tally = Tally::default();
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
        assert!(report.lost() <= PODS_RATE as usize / LOST_ONE_IN, "{report}\n{log}");
    }
    tally.tells("nearpath", "kill");
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
    let path = scene.node.writes("Corefile", &corefile).display().to_string();
    let start = Start::with(&["-conf", &path, "-node-name", "local", "-localip", "169.254.20.10"]);
    let mut instance = scene.node.starts(&start.env("KUBE_DNS_SERVICE_HOST", "10.96.0.10").rights(Rights::Container));
    instance.serves();
    let load = scene.load();
    load.runs(LEARNS);
    instance.kill();
    let gone = load.now();
    load.runs(QUIET);
    let report = load.ends().within(&(gone..Duration::MAX));
    mode::note(&format!("central servers as the kernel tracked them: {report}"));
    assert_eq!(report.by(By::Centre), report.sent(), "{report}\n{}", instance.log());
}
