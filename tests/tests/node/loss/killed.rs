//! What is killed loses what it had in its hands, and nothing that comes later: the kernel sends it to the centre.

use std::time::Duration;

use nearpath_tests::load::By;
use nearpath_tests::mode;
use nearpath_tests::node::Node;

use super::scene::{PODS_RATE, Scene, rounds};
use super::tally::Tally;

/// What is looked at before the kill and after the next start.
const QUIET: Duration = Duration::from_secs(1);

/// What was sent so shortly before a kill may be in the killed one's hands.
const HANDS: Duration = Duration::from_millis(500);

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
