//! Counts what the store takes from the heap: nothing on a hit, and so much for each answer. A process of its own, one
//! thread, so that every allocation counted is the store's.

#![expect(clippy::print_stdout, reason = "its figures are read by people")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and judges nothing by it")]

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache::{BlockId, KeyBuffer, Lookup, Policy, Store};
use contract::limits::UDP_REPLY_MAX;
use contract::metrics::Metrics;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{Age, Answer, Asker, Clock, FakeClock, ListId, Moment, Reply, Scope, Source};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many look-ups are counted.
const HITS: usize = 100_000;

fn main() {
    println!("test hits_allocate_nothing ...");
    hits_allocate_nothing();
    println!("test an_entry_is_weighed_as_it_is ...");
    for entries in [10_000, 100_000] {
        an_entry_is_weighed_as_it_is(entries);
    }
    println!("test a_flood_stays_within_the_bound ...");
    a_flood_stays_within_the_bound();
    println!("test result: ok");
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.success.capacity = 1_000_000;
    policy
}

/// Names of the length that services of a cluster have.
fn name(index: usize) -> Name {
    Name::parse(&format!("service-{index}.shop.svc.cluster.local")).expect("a name")
}

fn key(name: &Name, scope: Scope) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    key.set_name(name.as_wire());
    key.set(BlockId(1), scope, RecordType::A, Class::IN, false, false);
    key
}

fn address(name: &Name) -> Reply {
    let mut composer = Composer::new(name, RecordType::A, Class::IN);
    composer.record(Section::Answer, name, RecordType::A, 300, |to| to.octets(&[192, 0, 2, 1])).expect("it fits");
    Reply::fresh(Answer::composed(composer.finish(), Rcode::NOERROR), Source::Plugin("test"))
}

fn filled(entries: usize, scope: Scope, now: Moment) -> Store {
    let store = Store::new(1 << 30, Arc::new(Metrics::default()));
    for index in 0..entries {
        let name = name(index);
        store.insert(&key(&name, scope), address(&name), &policy(), now);
    }
    store
}

/// Looks up and writes so many replies, as the daemon does; the questions are made beforehand.
fn hit(store: &Store, policy: &Policy, questions: &[(Vec<u8>, Scope)], hits: usize, now: Moment) {
    let mut key = KeyBuffer::new();
    let mut out = [0; UDP_REPLY_MAX];
    for (question, scope) in questions.iter().cycle().take(hits) {
        key.set_name(&question[..question.len() - 4]);
        key.set(BlockId(1), *scope, RecordType::A, Class::IN, false, false);
        let asker =
            Asker { id: 7, flags: 0x0100, question, edns: Some(false), nsid: None, way: None, limit: UDP_REPLY_MAX };
        let reader = store.read();
        let (entry, age, ede) = match reader.lookup(&key, policy, now) {
            Lookup::Fresh { entry, age, .. } => (entry, age, None),
            Lookup::Stale { entry, .. } => {
                let ede = entry.stale_ede();
                (entry, policy.stale_age(), Some(ede))
            }
            other => panic!("{other:?}"),
        };
        black_box(entry.answer().write(&asker, age, ede, &mut out));
        assert!(age == Age::Fresh(3) || ede.is_some());
    }
}

fn hits_allocate_nothing() {
    let list = Scope::Search(ListId(1));
    let prefetch = cache::Prefetch { amount: 3, gap: Duration::from_secs(60), share: 10 };
    for (what, scope, policy, wait) in [
        ("fresh", Scope::Shared, policy(), 3),
        ("AutoPath's", list, policy(), 3),
        ("with prefetch", Scope::Shared, Policy { prefetch: Some(prefetch), ..policy() }, 3),
        ("stale", Scope::Shared, policy(), 300),
    ] {
        let clock = FakeClock::new();
        let store = filled(2_000, scope, clock.now());
        clock.advance(Duration::from_secs(wait));
        let questions: Vec<_> =
            (0..2_000).map(|index| ([name(index).as_wire(), &[0, 1, 0, 1]].concat(), scope)).collect();
        hit(&store, &policy, &questions, HITS, clock.now()); // the thread's own part of the map's memory management
        let region = Region::new(HEAP);
        let started = Instant::now();
        hit(&store, &policy, &questions, HITS, clock.now());
        let took = started.elapsed();
        let change = region.change();
        println!(
            "  {what}: {} allocations, {} reallocations in {HITS} hits, {} ns per look-up and reply",
            change.allocations,
            change.reallocations,
            took.as_nanos() / HITS as u128
        );
        assert_eq!(change.allocations + change.reallocations, 0, "{what}: {change:?}");
    }
}

/// Octets that the heap gave, against what the bound of the store goes by.
fn an_entry_is_weighed_as_it_is(entries: usize) {
    let now = FakeClock::new().now();
    let before = resident();
    let region = Region::new(HEAP);
    let store = filled(entries, Scope::Shared, now);
    let change = region.change();
    let heap = change.bytes_allocated - change.bytes_deallocated;
    let (real, weighed) = (heap / entries, usize::try_from(store.bytes()).expect("small") / entries);
    let live = change.allocations - change.deallocations;
    let (resident, pieces) = (resident().saturating_sub(before) / entries, live / entries);
    println!(
        "  {entries} A records, octets each: {real} asked for in {pieces} pieces, {resident} resident, weighed {weighed}"
    );
    // what the heap adds to each piece comes on top: the weight must be above what was asked for
    assert!(real <= weighed, "an entry takes {real}, it is weighed as {weighed}");
    assert!(weighed <= real * 3 / 2, "an entry takes {real}, it is weighed as {weighed}");
    drop(store);
}

/// Names asked once each, as many as it takes to fill the store several times over.
fn a_flood_stays_within_the_bound() {
    const BYTES: usize = 32 << 20;
    let now = FakeClock::new().now();
    let region = Region::new(HEAP);
    let store = Store::new(BYTES as u64, Arc::new(Metrics::default()));
    let mut highest = 0;
    for index in 0..200_000 {
        let name = name(index);
        store.insert(&key(&name, Scope::Shared), address(&name), &policy(), now);
        if index % 1_000 == 0 {
            let change = region.change();
            highest = highest.max(change.bytes_allocated - change.bytes_deallocated);
        }
    }
    let change = region.change();
    let heap = change.bytes_allocated - change.bytes_deallocated;
    let (entries, weighed) = (store.entries(BlockId(1), cache::Class::Success), store.bytes());
    println!("  bound {BYTES}: {entries} entries weighed {weighed}, {heap} on the heap, at most {highest} on the way");
    assert!(weighed <= BYTES as u64, "{weighed}");
    assert!(heap <= BYTES, "{heap}");
    assert!(
        highest <= BYTES + BYTES / 4,
        "{highest}: what the map retires is freed a little later, and it grows by doubling"
    );
}

/// Octets of this process in memory; 0 where the system does not tell.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok()).map_or(0, |pages| pages * 4_096)
}
