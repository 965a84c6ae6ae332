//! Refreshes ahead of expiry.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[test]
fn a_popular_name_is_refreshed_near_its_end() {
    // given the directive and a TTL, when asked at these milliseconds, then the last asker is told
    let table: [(&str, u32, &[u64], &str); 15] = [
        ("prefetch 3 1h", 100, &[0, 0, 90_000], "fresh, refresh"),
        ("prefetch 3 1h", 100, &[0, 0, 89_999], "fresh"),
        ("prefetch 3 1h", 100, &[0, 90_000], "fresh"),
        ("prefetch 1", 100, &[90_000], "fresh, refresh"),
        ("prefetch 1", 100, &[0, 30_000, 60_000, 90_000], "fresh, refresh"),
        ("prefetch 3 1h 50%", 100, &[0, 0, 50_000], "fresh, refresh"),
        ("prefetch 3 1h 50%", 100, &[0, 0, 49_999], "fresh"),
        ("prefetch 3", 5, &[0, 0, 4_000], "fresh, refresh"), // at least the last second
        ("prefetch 3", 5, &[0, 0, 3_999], "fresh"),
        ("prefetch 3", 100, &[30_000, 30_000, 90_000], "fresh, refresh"), // a gap of one minute is none
        ("prefetch 3", 100, &[29_999, 29_999, 90_000], "fresh"),
        ("prefetch 3", 100, &[0, 0, 0, 0, 70_000, 95_000], "fresh"), // the count began anew after the gap
        ("prefetch 3", 100, &[0, 0, 0, 0, 70_000, 95_000, 96_000], "fresh, refresh"),
        ("prefetch 0", 100, &[0, 0, 0, 0, 99_999], "fresh"),
        ("keepttl", 100, &[0, 0, 0, 0, 99_999], "fresh"),
    ];
    for (property, ttl, hits, expected) in table {
        let given = Given::corefile(&format!("cache {{\n{property}\n}}"));
        let key = shared("a.example");
        given.insert(&key, addresses("a.example", &[ttl]));
        let (mut passed, mut told) = (0, "");
        for &at in hits {
            given.wait(at - passed);
            passed = at;
            told = given.told(&key);
        }
        assert_eq!(told, expected, "{property}, asked at {hits:?}");
        if expected == "fresh, refresh" {
            assert_eq!(given.told(&key), "fresh", "{property}: the refresh is under way");
        }
    }
}

#[test]
fn popularity_outlives_the_refresh() {
    let given = Given::corefile("cache {\nprefetch 3\n}");
    let key = shared("a.example");
    given.insert(&key, addresses("a.example", &[10]));
    given.told(&key);
    given.told(&key);
    for _ in 0..3 {
        given.wait(9_000);
        assert_eq!(given.told(&key), "fresh, refresh");
        given.insert(&key, addresses("a.example", &[10]));
        assert_eq!(given.told(&key), "fresh");
    }
    let line = "coredns_cache_prefetch_total{server=\"\",zones=\"\",view=\"\"} 3\n";
    assert!(given.text().contains(line), "{}", given.text());
}

#[test]
fn a_renewal_by_itself_keeps_nothing_popular() {
    let given = Given::corefile("cache {\nprefetch 2\n}");
    let key = shared("a.example");
    given.insert(&key, addresses("a.example", &[100]));
    given.told(&key);
    given.told(&key);
    for _ in 0..2 {
        given.wait(30_000);
        given.insert(&key, addresses("a.example", &[100])); // nobody asked since the first of these
    }
    given.wait(90_000);
    assert_eq!(given.told(&key), "fresh", "it is asked once in a long while");
}

#[test]
fn autopaths_answers_are_always_refreshed_while_asked_for() {
    let given = Given::new(Policy::default());
    let (walk, plain) = (search("a.example"), shared("a.example"));
    for key in [&walk, &plain] {
        given.insert(key, addresses("a.example", &[5]));
    }
    given.wait(3_999);
    assert_eq!(given.told(&walk), "fresh");
    given.wait(1);
    assert_eq!(given.told(&walk), "fresh, refresh");
    assert_eq!(given.told(&walk), "fresh");
    assert_eq!(given.told(&plain), "fresh", "a block without prefetch does not refresh other answers");
}

#[test]
fn a_failed_refresh_is_not_repeated_at_once() {
    let given = Given::new(Policy::default());
    let walk = search("a.example");
    given.insert(&walk, addresses("a.example", &[100]));
    given.wait(90_000);
    assert_eq!(given.told(&walk), "fresh, refresh");
    given.failed(&walk, &timeout());
    given.wait(4_999);
    assert_eq!(given.told(&walk), "fresh");
    given.wait(1);
    assert_eq!(given.told(&walk), "fresh, refresh");
}

#[test]
fn of_askers_at_once_one_refreshes() {
    const ASKERS: usize = 4;
    let given = Given::new(Policy::default());
    for round in 0..50 {
        let walk = search(&format!("n{round}.example"));
        given.insert(&walk, addresses(&format!("n{round}.example"), &[5]));
        given.wait(4_500);
        let (start, claims) = (Barrier::new(ASKERS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..ASKERS {
                scope.spawn(|| {
                    start.wait();
                    if given.told(&walk) == "fresh, refresh" {
                        claims.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(claims.into_inner(), 1);
    }
}
