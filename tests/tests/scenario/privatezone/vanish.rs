//! Names that go and come again, as updates by deletion and creation make them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::{Daemon, ask};

use super::{CORP, node, with};

/// The zone without one name, which still has another below its own.
const WITHOUT: &[&str] = &[CORP[0], CORP[6]];

#[test]
fn a_name_that_vanishes_keeps_its_last_answer_for_a_while() {
    let node = node(&with("vanish_grace 6s"));
    let asked = || node.daemon.asked(&ask("brief.corp.example", "A").edns(1232));
    asked().is("NOERROR");
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_100)); // `cache` raises the TTL of 1 to 5
    let kept = asked();
    kept.is("NOERROR").answers_are(&["brief.corp.example. A 10.20.0.3"]).ttls_within(0..=1).ede(&[3]);
    sleep(Duration::from_millis(1_500));
    asked().is("NOERROR").ede(&[3]);
    sleep(Duration::from_millis(5_000));
    asked().is("NXDOMAIN").has_soa();
    // no second grace, and no second life
    asked().is("NXDOMAIN");
    node.zone.knows(&[CORP[0], "brief.corp.example. 300 A 10.20.0.33"]);
    sleep(Duration::from_millis(5_100));
    assert_eq!(asked().is("NOERROR").answers(), ["brief.corp.example. A 10.20.0.33"]);
}

#[test]
fn a_name_that_is_back_within_the_grace_is_seen_within_a_second() {
    let node = node(&with("vanish_grace 20s"));
    let asked = || node.daemon.asked(&ask("brief.corp.example", "A").edns(1232));
    asked().is("NOERROR");
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_100));
    asked().is("NOERROR").ede(&[3]);
    node.zone.knows(&[CORP[0], "brief.corp.example. 300 A 10.20.0.33"]);
    sleep(Duration::from_millis(1_100));
    let back = asked();
    back.is("NOERROR").answers_are(&["brief.corp.example. A 10.20.0.33"]);
    assert!(back.edes().is_empty(), "{back}");
}

#[test]
fn records_of_one_type_that_vanish_are_kept_alike() {
    let node = node(&with("ttl_max 1s\nvanish_grace 20s"));
    node.daemon.asked(&ask("db.corp.example", "A")).is("NOERROR");
    node.zone.knows(&[CORP[0], CORP[2]]); // its AAAA is still there: NODATA
    sleep(Duration::from_millis(5_100));
    let kept = node.daemon.asked(&ask("db.corp.example", "A").edns(1232));
    kept.is("NOERROR").answers_are(&["db.corp.example. A 10.20.0.1"]).ede(&[3]);
    // what never was there is not made up
    node.daemon.asked(&ask("db.corp.example", "TXT")).is("NOERROR").answers_are(&[]);
    node.daemon.asked(&ask("other.corp.example", "A")).is("NXDOMAIN");
}

#[test]
fn without_grace_a_name_is_gone_at_once() {
    let node = node(&with("vanish_grace 0s"));
    node.daemon.asked(&ask("brief.corp.example", "A")).is("NOERROR");
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_100));
    node.daemon.asked(&ask("brief.corp.example", "A")).is("NXDOMAIN");
}

#[test]
fn the_other_type_of_address_does_not_say_that_the_name_is_gone() {
    let node = node(&with("ttl_max 1s\nvanish_grace 20s"));
    node.daemon.asked(&ask("long.corp.example", "A")).is("NOERROR");
    node.daemon.asked(&ask("long.corp.example", "AAAA")).is("NOERROR").answers_are(&[]);
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_100));
    let other = node.daemon.asked(&ask("long.corp.example", "AAAA").edns(1232));
    other.is("NOERROR").answers_are(&[]).has_soa().ede(&[3]);
    node.daemon.asked(&ask("long.corp.example", "A").edns(1232)).is("NOERROR").ede(&[3]);
    node.daemon.asked(&ask("long.corp.example", "TXT")).is("NXDOMAIN");
}

#[test]
fn a_name_that_nobody_asked_for_since_has_no_grace_left() {
    let node = node(&with("vanish_grace 3s"));
    node.daemon.asked(&ask("brief.corp.example", "A")).is("NOERROR");
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_000 + 3_200));
    node.daemon.asked(&ask("brief.corp.example", "A")).is("NXDOMAIN");
}

#[test]
fn a_reload_gives_no_second_grace() {
    const GRACE: Duration = Duration::from_secs(8);
    let corefile = with("ttl_max 1s\nvanish_grace 8s");
    let mut node = node(&corefile);
    let asked = |daemon: &Daemon| daemon.asked(&ask("brief.corp.example", "A").edns(1232));
    asked(&node.daemon).is("NOERROR");
    node.zone.knows(WITHOUT);
    sleep(Duration::from_millis(5_100));
    asked(&node.daemon).is("NOERROR").ede(&[3]);
    sleep(Duration::from_millis(2_900));
    let before = Instant::now();
    assert!(node.daemon.reloads(&corefile));
    asked(&node.daemon).is("NOERROR").ede(&[3]);
    while asked(&node.daemon).rcode == 0 {
        sleep(Duration::from_millis(100));
    }
    asked(&node.daemon).is("NXDOMAIN");
    assert!(before.elapsed() < GRACE, "it began when the name vanished, not at the reload: {:?}", before.elapsed());
}
