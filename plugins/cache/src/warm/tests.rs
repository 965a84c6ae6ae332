//! What is kept comes back as it was, no younger; and any octets are survived.

use std::sync::Arc;
use std::time::Duration;

use contract::metrics::Metrics;
use contract::wire::{Class as QueryClass, Composer, Name, Rcode, RecordType, Section};
use contract::{Age, Answer, Clock as _, FakeClock, Moment, Reply, Scope, SearchLists, Source};

use super::*;
use crate::{BlockId, Class, KeyBuffer, Lookup, Policy, Store};

const LATELY: Duration = Duration::from_secs(300);
const ROOM: usize = 1 << 20;

/// A process: its store, its numbers, its clock.
struct Process {
    store: Store,
    clock: FakeClock,
    lists: SearchLists,
    names: Names,
    policy: Policy,
}

impl Process {
    /// One that gives its block this number.
    fn new(block: u32) -> Self {
        let names = Names { blocks: vec![(BlockId(block), "example. forward".into())], lists: Vec::new() };
        let store = Store::new(16 << 20, Arc::new(Metrics::default()));
        Self { store, clock: FakeClock::new(), lists: SearchLists::default(), names, policy: Policy::default() }
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn key(&self, text: &str, scope: Scope) -> KeyBuffer {
        let mut key = KeyBuffer::new();
        key.set_name(name(text).as_wire());
        key.set(self.names.blocks[0].0, scope, RecordType::A, QueryClass::IN, false, false);
        key
    }

    fn stores(&self, text: &str, scope: Scope, ttl: u32) {
        self.stores_of(text, scope, ttl, Source::Upstream("192.0.2.53:53".parse().unwrap()));
    }

    fn stores_of(&self, text: &str, scope: Scope, ttl: u32, source: Source) {
        let mut composer = Composer::new(&name(text), RecordType::A, QueryClass::IN);
        composer.record(Section::Answer, &name(text), RecordType::A, ttl, |to| to.octets(&[192, 0, 2, 1])).unwrap();
        let answer = Answer::composed(composer.finish(), Rcode::NOERROR);
        let reply = Reply::fresh(answer, source);
        self.store.insert(&self.key(text, scope), reply, &self.policy, self.now());
    }

    /// A look-up in a word, with the TTL that a client would see.
    fn told(&self, text: &str, scope: Scope) -> (&'static str, u32) {
        match self.store.read().lookup(&self.key(text, scope), &self.policy, self.now()) {
            Lookup::Fresh { entry, age: Age::Fresh(age), .. } => {
                ("fresh", entry.answer().smallest_ttl().unwrap().saturating_sub(age))
            }
            Lookup::Stale { .. } => ("stale", 30),
            Lookup::Miss => ("miss", 0),
            other => panic!("{other:?}"),
        }
    }

    fn keeps(&self) -> Vec<u8> {
        write(&self.store, self.now(), &self.names, &Stamp::default(), (LATELY, true, ROOM)).0
    }

    /// Takes over what another process kept, so long ago; how many answers.
    fn takes_over(&mut self, octets: &[u8], passed: Duration) -> usize {
        let warm = Warm::read(octets).unwrap();
        let lists: Vec<_> = warm.lists.iter().map(|domains| self.lists.intern(domains)).collect();
        self.names.lists.clone_from(&lists);
        let scope = |list: Option<usize>| list.map_or(Scope::Shared, |list| Scope::Search(lists[list].id));
        let block = self.names.blocks[0].0;
        let back =
            |kept: &Kept<'_>| kept.put_back(&self.store, (block, scope(kept.list)), &self.policy, passed, self.now());
        warm.answers().filter(|kept| warm.blocks[kept.block] == self.names.blocks[0].1 && back(kept)).count()
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn what_is_kept_goes_on_ageing_under_other_numbers() {
    let mut old = Process::new(3);
    let domains = [name("shop.svc.cluster.local"), name("svc.cluster.local")];
    old.lists.intern(&[name("another")]);
    let list = old.lists.intern(&domains);
    old.names.lists.push(Arc::clone(&list));
    old.stores("www.example", Scope::Shared, 300);
    old.stores("short.example", Scope::Shared, 20);
    old.stores("www.example.shop.svc.cluster.local", Scope::Search(list.id), 100);
    old.clock.advance(Duration::from_secs(10));
    let octets = old.keeps();

    let mut new = Process::new(8);
    assert_eq!(new.takes_over(&octets, Duration::from_millis(20_500)), 3);
    let here = new.lists.intern(&domains);
    assert_ne!(here.id, list.id, "the test is about other numbers");
    assert_eq!(new.told("www.example", Scope::Shared), ("fresh", 300 - 10 - 21));
    assert_eq!(new.told("short.example", Scope::Shared), ("stale", 30));
    assert_eq!(new.told("www.example.shop.svc.cluster.local", Scope::Search(here.id)), ("fresh", 100 - 10 - 21));
    new.clock.advance(Duration::from_millis(269_499));
    assert_eq!(new.told("www.example", Scope::Shared).0, "fresh");
    new.clock.advance(Duration::from_millis(1));
    assert_eq!(new.told("www.example", Scope::Shared).0, "stale");
    new.clock.advance(new.policy.stale.max);
    assert_eq!(new.told("www.example", Scope::Shared).0, "miss");
}

#[test]
fn what_came_since_is_not_put_behind_and_what_is_over_does_not_come_back() {
    let old = Process::new(1);
    old.stores("www.example", Scope::Shared, 300);
    old.stores("short.example", Scope::Shared, 5);
    let octets = old.keeps();
    let mut new = Process::new(1);
    new.stores("www.example", Scope::Shared, 60);
    let stale_end = new.policy.stale.max + Duration::from_secs(5);
    assert_eq!(new.takes_over(&octets, stale_end), 0);
    assert_eq!(new.told("www.example", Scope::Shared), ("fresh", 60));
    assert_eq!(new.told("short.example", Scope::Shared).0, "miss");
}

#[test]
fn only_what_was_asked_for_lately_is_kept_and_the_bound_holds() {
    let old = Process::new(1);
    for index in 0..200 {
        old.stores(&format!("n{index}.example"), Scope::Shared, 3_000);
    }
    old.clock.advance(LATELY + Duration::from_secs(1));
    assert_eq!(old.told("n7.example", Scope::Shared).0, "fresh");
    let kept = |cool| write(&old.store, old.now(), &old.names, &Stamp::default(), (LATELY, cool, ROOM)).1;
    assert_eq!((kept(false), kept(true), kept(true)), (1, 1, 1), "kept once more after it was asked for");
    assert_eq!(kept(true), 0);
    let young = Process::new(1);
    for index in 0..200 {
        young.stores(&format!("n{index}.example"), Scope::Shared, 3_000);
    }
    assert_eq!(young.told("n150.example", Scope::Shared).0, "fresh");
    let (octets, count) = write(&young.store, young.now(), &young.names, &Stamp::default(), (LATELY, true, 1_000));
    assert!(octets.len() <= 1_000 + HEAD && count > 5, "{count} in {}", octets.len());
    let mut new = Process::new(1);
    new.takes_over(&octets, Duration::ZERO);
    assert_eq!(new.told("n150.example", Scope::Shared).0, "fresh", "what was asked for goes first");
}

#[test]
fn what_a_plugin_made_by_itself_is_made_anew() {
    let before = Process::new(7);
    before.stores("www.example.", Scope::Shared, 300);
    before.stores_of("file.example.", Scope::Shared, 3_600, Source::Plugin("hosts"));
    let mut after = Process::new(9);
    assert_eq!(after.takes_over(&before.keeps(), Duration::ZERO), 1);
    assert_eq!(
        (after.told("www.example.", Scope::Shared).0, after.told("file.example.", Scope::Shared).0),
        ("fresh", "miss")
    );
}

#[test]
fn failures_and_unknown_blocks_are_left_out() {
    let mut old = Process::new(1);
    let failed = Answer::empty(&name("down.example"), RecordType::A, QueryClass::IN, Rcode::SERVFAIL);
    old.store.insert(
        &old.key("down.example", Scope::Shared),
        Reply::fresh(failed, Source::Store),
        &old.policy,
        old.now(),
    );
    assert_eq!(old.store.entries(BlockId(1), Class::Failure), 1);
    assert_eq!(write(&old.store, old.now(), &old.names, &Stamp::default(), (LATELY, false, ROOM)).1, 0);
    old.stores("www.example", Scope::Shared, 300);
    old.names.blocks[0].0 = BlockId(2);
    assert_eq!(write(&old.store, old.now(), &old.names, &Stamp::default(), (LATELY, false, ROOM)).1, 0);
}

#[test]
fn time_that_passed_is_the_longer_by_two_clocks() {
    let stamp = |wall, boot, up| Stamp { wall, boot, up };
    let before = stamp(1_000_000, 7, 5_000);
    for (now, passed) in [
        (stamp(1_002_000, 7, 7_000), Some(2_000)),
        (stamp(9_000_000, 7, 7_000), Some(8_000_000)), // the wall clock was set forward
        (stamp(500_000, 7, 7_000), Some(2_000)),       // back
        (stamp(1_002_000, 8, 100), Some(2_000)),       // another boot
        (stamp(500_000, 8, 100), None),
        (stamp(500_000, 7, 100), None),
    ] {
        assert_eq!(now.since(&before), passed, "{now:?}");
    }
    assert_eq!(stamp(1, 0, 9).since(&stamp(2, 0, 1)), None, "an unknown boot is no boot");
}

#[test]
fn what_is_foreign_or_damaged_is_told_apart() {
    let old = Process::new(1);
    old.stores("www.example", Scope::Shared, 300);
    let good = old.keeps();
    assert_eq!(Warm::read(b"").err(), Some(Unusable::Foreign));
    assert_eq!(Warm::read(b"something that somebody else wrote").err(), Some(Unusable::Foreign));
    let mut other = good.clone();
    other[11] = 9;
    assert_eq!(Warm::read(&other).err(), Some(Unusable::Version(9)));
    for cut in HEAD..good.len() {
        assert_eq!(Warm::read(&good[..cut]).err(), Some(Unusable::Damaged), "{cut}");
    }
    for at in 12..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x10;
        assert_eq!(Warm::read(&flipped).err(), Some(Unusable::Damaged), "{at}");
    }
}

#[test]
fn any_body_is_survived_and_nothing_wrong_is_put_back() {
    let old = Process::new(1);
    for index in 0..3 {
        old.stores(&format!("n{index}.example"), Scope::Shared, 300);
    }
    let good = old.keeps()[HEAD..].to_vec();
    let mut state = 20_261_121_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let (mut read, mut back) = (0, 0);
    for _ in 0..20_000 {
        let mut body = good.clone();
        for _ in 0..=below(4) {
            let at = below(body.len());
            match below(4) {
                0 => body[at] = below(256) as u8,
                1 => body[at] ^= 1 << below(8),
                2 => body.truncate(at.max(1)),
                _ => body.insert(at, below(256) as u8),
            }
        }
        let store = Store::new(1 << 20, Arc::new(Metrics::default()));
        let octets = seal(&body);
        let Ok(warm) = Warm::read(&octets) else { continue };
        read += 1;
        for kept in warm.answers() {
            let place = (BlockId(1), Scope::Shared);
            back += usize::from(kept.put_back(&store, place, &Policy::default(), Duration::ZERO, Moment(5)));
        }
        store.visit_hot(Moment(5), (LATELY, false), &mut |_, entry| {
            entry.answer().message();
            true
        });
    }
    assert!(read > 1_000 && back > 1_000, "{read} read, {back} put back: the mutations are too coarse");
}
