//! Answers past their end (RFC 8767).

use std::time::Duration;

use contract::limits::{STALE_AFTER, STALE_MAX};
use contract::wire::{Rcode, ede};
use contract::{Age, Bound, Failure};

use super::*;

const HOUR: u64 = 3_600_000;

/// A store with an answer whose end was this long ago, milliseconds.
fn given_stale(text: &str, ago: u64) -> (Given, KeyBuffer) {
    let given = Given::corefile(text);
    let key = shared("a.example");
    given.insert(&key, addresses("a.example", &[60]));
    given.wait(60_000 + ago);
    (given, key)
}

#[test]
fn the_window_past_the_end() {
    let table = [
        ("cache", HOUR - 1, "stale later"),
        ("cache", HOUR, "miss"),
        ("cache {\nserve_stale\n}", HOUR - 1, "stale now, refresh"),
        ("cache {\nserve_stale\n}", HOUR, "miss"),
        ("cache {\nserve_stale 1m\n}", 59_999, "stale now, refresh"),
        ("cache {\nserve_stale 1m\n}", 60_000, "miss"),
        ("cache {\nserve_stale 1m verify\n}", 59_999, "stale later"),
        ("cache {\nserve_stale 24h immediate\n}", 24 * HOUR - 1, "stale now, refresh"),
        ("cache {\nserve_stale 0\n}", 0, "miss"),
    ];
    for (text, ago, expected) in table {
        let (given, key) = given_stale(text, ago);
        assert_eq!(given.told(&key), expected, "{text} after {ago} ms");
    }
    assert_eq!(STALE_MAX, Duration::from_millis(HOUR));
}

#[test]
fn after_a_failure_stale_goes_out_at_once_and_one_asker_refreshes() {
    for slow in [false, true] {
        let (given, key) = given_stale("cache", 0);
        assert_eq!(given.told(&key), "stale later");
        assert_eq!(given.told(&key), "stale later", "every asker waits for the first attempt");
        if slow {
            given.store.slow(&key, &given.policy, given.now());
        } else {
            given.failed(&key, &timeout());
        }
        assert_eq!(given.told(&key), "stale now");
        given.wait(4_999);
        assert_eq!(given.told(&key), "stale now");
        given.wait(1);
        assert_eq!(given.told(&key), "stale now, refresh");
        assert_eq!(given.told(&key), "stale now", "one asker only");
        given.wait(3_999);
        assert_eq!(given.told(&key), "stale now");
        given.wait(1); // the refresh was lost: somebody else takes it up
        assert_eq!(given.told(&key), "stale now, refresh");
        given.failed(&key, &timeout());
        given.wait(4_999);
        assert_eq!(given.told(&key), "stale now");
        given.insert(&key, addresses("a.example", &[60]));
        assert_eq!(given.told(&key), "fresh");
        given.wait(60_000);
        assert_eq!(given.told(&key), "stale later", "a new answer knows of no failure");
    }
}

#[test]
fn which_failures_let_stale_answers_stand() {
    let (given, key) = given_stale("cache", 0);
    given.failed(&key, &Failure::Prohibited);
    assert_eq!(given.told(&key), "stale later", "the client's fault says nothing about upstream");
    given.failed(&key, &Bound::Misses.reached());
    assert_eq!(given.told(&key), "stale now", "a bound of ours is relieved by it");

    for rcode in [Rcode::SERVFAIL, Rcode::REFUSED, Rcode::NOTIMP, Rcode::FORMERR] {
        let (given, key) = given_stale("cache", 1_000);
        let told = given.insert(&key, empty("a.example", rcode));
        assert_eq!((told.age, told.answer.rcode(), told.storable), (Age::Stale, Rcode::NOERROR, false), "{rcode}");
        assert_eq!(told.ede.as_ref().map(|ede| ede.code), Some(ede::STALE_ANSWER));
        assert_eq!(given.told(&key), "stale now", "{rcode}");
    }
    // past the stale window nothing stands
    let (given, key) = given_stale("cache", HOUR);
    assert_eq!(given.insert(&key, empty("a.example", Rcode::SERVFAIL)).answer.rcode(), Rcode::SERVFAIL);
    assert_eq!(given.told(&key), "failed");
    // a denial is an answer
    let (given, key) = given_stale("cache", 0);
    assert_eq!(given.insert(&key, nxdomain("a.example", 60, 60)).answer.rcode(), Rcode::NXDOMAIN);
    assert_eq!(given.told(&key), "fresh");
}

#[test]
fn a_failed_refresh_of_a_fresh_answer_changes_nothing_for_clients() {
    let given = Given::new(Policy::default());
    let key = shared("a.example");
    given.insert(&key, addresses("a.example", &[60]));
    given.wait(30_000);
    given.failed(&key, &timeout());
    let told = given.insert(&key, empty("a.example", Rcode::SERVFAIL));
    assert_eq!((told.age, told.answer.rcode()), (Age::Fresh(30), Rcode::NOERROR));
    assert_eq!(given.told(&key), "fresh");
    given.store.slow(&key, &given.policy, given.now());
    given.wait(31_000);
    assert_eq!(given.told(&key), "stale later", "the failed attempt is long ago: upstream is asked first again");
    given.failed(&key, &timeout());
    given.wait(5_000);
    assert_eq!(given.told(&key), "stale now, refresh", "upstream failed a moment ago: nobody waits for it");
    given.wait(5_000);
    assert_eq!(given.told(&key), "stale later", "and for no longer than another such period");
}

#[test]
fn a_stale_answer_says_which_error_it_is() {
    let (given, key) = given_stale("cache {\nserve_stale\n}", 0);
    assert_eq!(given.kind(&key), "stale success");
    let reader = given.store.read();
    let Lookup::Stale { entry, .. } = given.lookup(&reader, &key) else { panic!("stale") };
    assert_eq!(entry.stale_ede().code, ede::STALE_ANSWER);
    given.insert(&key, nxdomain("a.example", 60, 60));
    assert_eq!(given.kind(&key), "denial");
    given.wait(60_000);
    assert_eq!(given.kind(&key), "stale denial");
    let reader = given.store.read();
    let Lookup::Stale { entry, .. } = given.lookup(&reader, &key) else { panic!("stale") };
    assert_eq!(entry.stale_ede().code, ede::STALE_NXDOMAIN);
    let (given, key) = given_stale("cache", 0);
    assert_eq!(given.kind(&key), "miss", "it waits for upstream");
}

#[test]
fn immediate_refreshes_once_and_verify_waits() {
    let (given, key) = given_stale("cache {\nserve_stale 1h immediate 10s 30s\n}", 0);
    assert_eq!(given.policy.stale_age(), Age::StaleWith(10));
    assert_eq!(given.told(&key), "stale now, refresh");
    assert_eq!(given.told(&key), "stale now");
    given.failed(&key, &timeout());
    given.wait(29_999);
    assert_eq!(given.told(&key), "stale now");
    given.wait(1);
    assert_eq!(given.told(&key), "stale now, refresh");

    let (given, key) = given_stale("cache {\nserve_stale 1h verify 100ms 30s 30s\n}", 0);
    assert_eq!((given.policy.patience(), given.policy.stale_age()), (Duration::from_millis(100), Age::Stale));
    assert_eq!(given.told(&key), "stale later");
    given.failed(&key, &timeout());
    given.wait(29_999);
    assert_eq!(given.told(&key), "stale now");
    given.wait(1);
    assert_eq!(given.told(&key), "stale later", "upstream is asked first again");

    let (given, key) = given_stale("cache {\nserve_stale 1h verify 0 0 0\n}", 0);
    assert_eq!((given.policy.patience(), given.policy.stale_age()), (STALE_AFTER, Age::StaleWith(0)));
    given.failed(&key, &timeout());
    assert_eq!(given.told(&key), "stale later");
}

#[test]
fn prefer_positive_keeps_records_against_denials_until_their_stale_end() {
    let text = "cache {\nserve_stale 1h immediate\nserve_stale_policy prefer_positive\n}";
    let (given, key) = given_stale(text, 1_000);
    assert_eq!(given.told(&key), "stale now, refresh");
    let told = given.insert(&key, nxdomain("a.example", 60, 60));
    assert_eq!((told.age, told.answer.rcode()), (Age::Stale, Rcode::NOERROR));
    given.wait(59_999);
    assert_eq!(given.told(&key), "stale now", "the denial is not asked for again before its end");
    given.wait(1);
    assert_eq!(given.told(&key), "stale now, refresh");
    given.wait(HOUR);
    given.insert(&key, nxdomain("a.example", 60, 60));
    assert_eq!(given.kind(&key), "denial");
    given.insert(&key, addresses("a.example", &[60]));
    assert_eq!(given.kind(&key), "success");

    let (given, key) = given_stale("cache {\nserve_stale\n}", 0);
    given.insert(&key, nxdomain("a.example", 60, 60));
    assert_eq!(given.kind(&key), "denial", "without the policy a denial replaces records");
}

#[test]
fn a_search_that_rests_on_expired_proofs_replaces_the_older_one_and_prolongs_nothing() {
    let given = Given::new(Policy::default());
    let (walk, plain) = (search("a.example"), shared("a.example"));
    for key in [&walk, &plain] {
        given.insert(key, addresses("a.example", &[60]));
    }
    given.wait(60_000 + 1_000);
    let newer = || Reply { age: Age::Stale, ..addresses("a.example", &[7, 8]).unstored() };
    let count = |key: &KeyBuffer| match given.lookup(&given.store.read(), key) {
        Lookup::Stale { entry, serve_now, .. } => {
            (entry.answer().message().section(contract::wire::Section::Answer).count(), serve_now)
        }
        other => panic!("{other:?}"),
    };
    for key in [&walk, &plain] {
        assert!(given.insert(key, newer()).is_stale());
    }
    assert_eq!(count(&walk), (2, true), "the newer one, and upstream is left alone for a while");
    assert_eq!(count(&plain), (1, true), "what upstream did not say now stays as it was");
    given.wait(HOUR - 1_001);
    assert_eq!(count(&walk).0, 2);
    given.wait(1);
    assert_eq!(given.told(&walk), "miss", "an hour past the end of the first");
}
