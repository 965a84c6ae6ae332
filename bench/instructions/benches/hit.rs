//! What the steps of a hit take: `cargo bench`. Times differ between machines and minutes; the count of instructions does
//! not, and is what changes are judged by.

use std::hint::black_box;

use cache::KeyBuffer;
use contract::wire::{Class, Question, RecordType};
use contract::{Age, Asker};
use divan::Bencher;
use nearpath_instructions::{House, Kind};

fn main() {
    divan::main();
}

/// The whole way of a hit, from datagram to reply.
#[divan::bench(args = ["plain", "edns", "denial", "search", "stock"])]
fn hit(bencher: Bencher<'_, '_>, kind: &str) {
    let (_, kind) = Kind::ALL.into_iter().find(|(name, _)| *name == kind).expect("a kind");
    let house = House::full(kind).expect("it can be built");
    let mut desk = house.desk();
    bencher.counter(divan::counter::ItemsCount::new(house.packets.len())).bench_local(|| {
        black_box(house.answer_hits(&mut desk, house.packets.len()));
    });
}

/// The question is read where it lies.
#[divan::bench(args = ["plain", "edns", "search"])]
fn parse(bencher: Bencher<'_, '_>, kind: &str) {
    let (_, kind) = Kind::ALL.into_iter().find(|(name, _)| *name == kind).expect("a kind");
    let house = House::full(kind).expect("it can be built");
    let mut packets = house.packets.iter().cycle();
    bencher.bench_local(|| {
        let packet = packets.next().expect("a cycle");
        black_box(Question::parse(black_box(packet)).is_ok())
    });
}

/// Who asks decides the scope: nobody's search, and a pod's.
#[divan::bench(args = ["127.0.0.77", "127.0.0.9"])]
fn scope(bencher: Bencher<'_, '_>, client: &str) {
    let house = House::full(Kind::Search).expect("it can be built");
    let client = client.parse().expect("an address");
    let mut key = KeyBuffer::new();
    key.set_name(Question::parse(&house.packets[0]).expect("a question").name());
    let block = house.entrance.0.around(key.name()).next().expect("its block");
    bencher.bench_local(|| black_box(block.scope(client, black_box(key.name()), RecordType::A, false)));
}

/// One look into the store.
#[divan::bench]
fn lookup(bencher: Bencher<'_, '_>) {
    let house = House::full(Kind::Plain).expect("it can be built");
    let shared = house.entrance.0.shared();
    let keys = keys(&house);
    let mut keys = keys.iter().cycle();
    let block = house.entrance.0.around(keys.clone().next().expect("a key").name()).next().expect("its block");
    let policy = block.store.as_ref().expect("it memorises");
    let now = shared.clock.now();
    bencher.bench_local(|| {
        let reader = shared.store.read();
        black_box(reader.lookup(keys.next().expect("a cycle"), policy, now));
    });
}

/// A memorised answer becomes this client's reply: id, flags, spelling, TTLs, OPT.
#[divan::bench(args = ["plain", "edns"])]
fn patch(bencher: Bencher<'_, '_>, kind: &str) {
    let house = House::full(Kind::Plain).expect("it can be built");
    let question = Question::parse(&house.packets[0]).expect("a question");
    let shared = house.entrance.0.shared();
    let key = &keys(&house)[0];
    let block = house.entrance.0.around(key.name()).next().expect("its block");
    let reader = shared.store.read();
    let found = reader.lookup(key, block.store.as_ref().expect("it memorises"), shared.clock.now());
    let cache::Lookup::Fresh { entry, .. } = found else { panic!("just stored") };
    let edns = (kind == "edns").then_some(false);
    let asker = Asker {
        id: 7,
        flags: question.flags(),
        question: question.section(),
        edns,
        nsid: None,
        way: None,
        limit: 1_232,
    };
    let mut out = [0; 1_232];
    bencher.bench_local(|| black_box(entry.answer().write(black_box(&asker), Age::Fresh(3), None, &mut out)));
}

fn keys(house: &House) -> Vec<KeyBuffer> {
    let keyed = house.packets.iter().map(|packet| {
        let question = Question::parse(packet).expect("a question");
        let mut key = KeyBuffer::new();
        key.set_name(question.name());
        let block = house.entrance.0.around(key.name()).next().expect("its block");
        key.set(*block.id, contract::Scope::Shared, RecordType::A, Class::IN, false, false);
        key
    });
    keyed.collect()
}
