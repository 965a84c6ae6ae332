//! Nothing grows without end: octets, entries of a class, queues; and what is gone is gone.

use super::*;
use crate::Class;

fn named(index: usize) -> String {
    format!("n{index}.example")
}

#[test]
fn a_capacity_bounds_its_class_only_and_the_oldest_goes() {
    let given = Given::corefile("cache {\nsuccess 1024\ndenial 2048\n}");
    for index in 0..3_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
        let denied = key(&named(index), Scope::Shared, RecordType::AAAA);
        let mut reply = Composer::new(&name(&named(index)), RecordType::AAAA, QueryClass::IN);
        reply.rcode(Rcode::NOERROR);
        given.insert(&denied, Reply::fresh(Answer::composed(reply.finish(), Rcode::NOERROR), Source::Store));
    }
    assert_eq!(given.store.entries(BLOCK, Class::Success), 1_024);
    assert_eq!(given.store.entries(BLOCK, Class::Denial), 2_048);
    for (index, success, denial) in [(0, "miss", "miss"), (951, "miss", "miss"), (952, "miss", "fresh")] {
        assert_eq!(given.told(&shared(&named(index))), success, "{index}");
        assert_eq!(given.told(&key(&named(index), Scope::Shared, RecordType::AAAA)), denial, "{index}");
    }
    assert_eq!(given.told(&shared(&named(1_975))), "miss");
    assert_eq!(given.told(&shared(&named(1_976))), "fresh");
    let evicted = "coredns_cache_evictions_total{server=\"\",type=\"success\",zones=\"\",view=\"\"} 1976\n";
    let entries = "coredns_cache_entries{server=\"\",type=\"success\",zones=\"\",view=\"\"} 1024\n";
    assert!(given.text().contains(evicted) && given.text().contains(entries), "{}", given.text());
}

#[test]
fn a_flood_does_not_push_out_what_is_asked_for() {
    let given = Given::corefile("cache {\nsuccess 1024\n}");
    let hot = shared("hot.example");
    given.insert(&hot, addresses("hot.example", &[3_600]));
    for index in 0..10_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
        if index % 500 == 0 {
            assert_eq!(given.told(&hot), "fresh", "after {index}");
        }
    }
    assert_eq!(given.store.entries(BLOCK, Class::Success), 1_024);
}

#[test]
fn a_renewed_answer_counts_once_and_its_place_is_new() {
    let given = Given::corefile("cache {\nsuccess 1024\n}");
    for index in 0..1_024 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
    }
    for _ in 0..5_000 {
        given.insert(&shared(&named(0)), addresses(&named(0), &[300]));
    }
    assert_eq!(given.store.entries(BLOCK, Class::Success), 1_024);
    assert!(given.store.queued(BLOCK, Class::Success) < 1_500, "replaced entries leave the queue");
    given.insert(&shared("new.example"), addresses("new.example", &[300]));
    assert_eq!(given.told(&shared(&named(0))), "fresh");
    assert_eq!(given.told(&shared(&named(1))), "miss");
}

#[test]
fn blocks_have_room_of_their_own() {
    let given = Given::corefile("cache {\nsuccess 1024\n}");
    let mut other = shared("a.example");
    other.set(BlockId(2), Scope::Shared, RecordType::A, QueryClass::IN, false, false);
    given.insert(&other, addresses("a.example", &[300]));
    assert_eq!(given.told(&shared("a.example")), "miss");
    for index in 0..2_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
    }
    assert_eq!(given.told(&other), "fresh");
    given.store.purge(BLOCK);
    assert_eq!(given.store.entries(BLOCK, Class::Success), 0);
    assert_eq!(given.told(&shared(&named(1_999))), "miss");
    assert_eq!(given.told(&other), "fresh");
}

#[test]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn octets_stay_within_their_bound_under_a_flood() {
    const BYTES: u64 = 8 << 20;
    let given = Given::with_bytes(
        Policy {
            success: crate::ClassPolicy { capacity: 1_000_000, ..Policy::default().success },
            ..Policy::default()
        },
        BYTES,
    );
    let hot = shared("hot.example");
    given.insert(&hot, addresses("hot.example", &[3_600]));
    let mut highest = 0;
    for index in 0..200_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
        if index % 100 == 0 {
            given.told(&hot);
            highest = highest.max(given.store.bytes());
        }
    }
    let (bytes, entries) = (given.store.bytes(), given.store.entries(BLOCK, Class::Success));
    println!("bound {BYTES}: {bytes} octets, {entries} entries, {highest} at most during the flood");
    assert!(bytes <= BYTES && bytes > BYTES / 2, "{bytes}");
    assert!(highest <= BYTES + BYTES / 8, "{highest}");
    assert!(entries as u64 * crate::entry::ENTRY_OCTETS as u64 <= BYTES, "{entries}");
    assert!(given.store.queued(BLOCK, Class::Success) < 2 * entries + 100);
    assert_eq!(given.told(&hot), "fresh", "what is asked for stays");
    assert!(given.text().contains(&format!("nearpath_cache_bytes {bytes}\n")), "{}", given.text());
}

#[test]
fn a_sweep_removes_what_can_no_longer_be_served() {
    let given = Given::new(Policy::default());
    given.insert(&shared("a.example"), addresses("a.example", &[60]));
    given.insert(&shared("b.example"), addresses("b.example", &[120]));
    given.failed(&shared("c.example"), &timeout());
    given.wait(5_000);
    given.store.sweep(given.now());
    assert_eq!(given.store.entries(BLOCK, Class::Denial), 0);
    assert_eq!(given.store.entries(BLOCK, Class::Success), 2);
    given.wait(55_000 + 3_600_000);
    given.store.sweep(given.now());
    assert_eq!(given.store.entries(BLOCK, Class::Success), 1);
    assert_eq!(given.told(&shared("b.example")), "stale later");
    given.wait(60_000);
    given.store.sweep(given.now());
    assert_eq!((given.store.entries(BLOCK, Class::Success), given.store.bytes()), (0, 0));
}

#[test]
fn a_sweep_leaves_no_keys_behind() {
    let given = Given::corefile("cache {\nsuccess 4096\n}");
    for index in 0..4_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[60]));
    }
    given.wait(60_000 + 3_600_000);
    given.store.sweep(given.now());
    assert_eq!((given.store.entries(BLOCK, Class::Success), given.store.bytes()), (0, 0));
    assert!(given.store.queued(BLOCK, Class::Success) <= 64, "{}", given.store.queued(BLOCK, Class::Success));
}

#[test]
fn an_answer_is_found_by_its_whole_key_only() {
    let given = Given::new(Policy::default());
    given.insert(&shared("a.example"), addresses("a.example", &[60]));
    let class = |class, bits: (bool, bool)| {
        let mut key = shared("a.example");
        key.set(BLOCK, Scope::Shared, RecordType::A, class, bits.0, bits.1);
        key
    };
    let others = [
        shared("b.example"),
        search("a.example"),
        key("a.example", Scope::Shared, RecordType::AAAA),
        class(QueryClass::CH, (false, false)),
        class(QueryClass::IN, (true, false)),
        class(QueryClass::IN, (false, true)),
    ];
    for other in &others {
        assert_eq!(given.told(other), "miss");
    }
    assert_eq!(given.told(&shared("A.Example")), "fresh");
}

#[test]
fn a_bound_that_is_lowered_holds_at_once_and_what_is_asked_for_stays() {
    let given = Given::corefile("cache");
    for index in 0..4_000 {
        given.insert(&shared(&named(index)), addresses(&named(index), &[300]));
    }
    assert_eq!(given.told(&shared(&named(0))), "fresh");
    let half = given.store.bytes() / 2;
    given.store.set_bound(half);
    assert!(given.store.bytes() <= half && given.store.bytes() > half / 2, "{}", given.store.bytes());
    assert_eq!(given.told(&shared(&named(0))), "fresh");
    given.store.set_bound(0);
    assert_eq!(given.store.bytes(), 0);
    given.store.set_bound(1 << 20);
    given.insert(&shared("new.example"), addresses("new.example", &[300]));
    assert_eq!(given.told(&shared("new.example")), "fresh");
}
