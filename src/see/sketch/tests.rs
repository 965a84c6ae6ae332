//! The sketch beside exact counts.

use super::*;
use contract::Transport;
use contract::wire::Name;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Items with weights, some far more frequent than others, as `skew` says.
fn items(seed: u64, count: usize, kinds: u32, skew: i32) -> Vec<(u32, u64)> {
    let mut random = StdRng::seed_from_u64(seed);
    let item = |_| {
        let kind = (random.random::<f64>().powi(skew) * f64::from(kinds)) as u32;
        (kind, random.random_range(1..=40))
    };
    (0..count).map(item).collect()
}

#[test]
fn no_count_is_too_low_none_is_off_by_more_than_it_says_and_no_frequent_item_is_missing() {
    for (seed, kinds, skew, most) in
        [(1, 50, 1, 64), (2, 2_000, 1, 64), (3, 2_000, 4, 64), (4, 100_000, 8, 256), (5, 300, 2, 7), (6, 3, 1, 1)]
    {
        let items = items(seed, 20_000, kinds, skew);
        let mut sketch = Sketch::new(most);
        let mut exact: HashMap<u32, u64> = HashMap::new();
        for (kind, weight) in &items {
            sketch.add(&kind.to_be_bytes(), *weight);
            *exact.entry(*kind).or_default() += weight;
        }
        let sum: u64 = items.iter().map(|(_, weight)| weight).sum();
        assert_eq!(sketch.counters.iter().map(|counter| counter.count).sum::<u64>(), sum, "seed {seed}");
        assert!(sketch.counters.len() <= most && sketch.by_key.len() == sketch.counters.len());
        for (kind, count) in exact {
            let Estimate { count: estimated, error } = sketch.estimate(&kind.to_be_bytes());
            assert!(estimated >= count, "seed {seed}: {kind} is told too low: {estimated} of {count}");
            assert!(estimated - error <= count, "seed {seed}: {kind} is off by more than {error}");
            assert!(error <= sum / most as u64, "seed {seed}: the error is bounded");
            let is_counted = sketch.by_key.contains_key(&kind.to_be_bytes()[..]);
            assert!(is_counted || count <= sum / most as u64, "seed {seed}: {kind} has more than its share");
        }
        let smallest = sketch.counters.iter().map(|counter| counter.count).min();
        assert_eq!(smallest, Some(sketch.count_at(0)), "seed {seed}: the heap is one");
    }
}

#[test]
fn two_windows_together_are_estimated_from_above_too() {
    let mut windows = Windows::new(32);
    let mut exact: HashMap<u32, u64> = HashMap::new();
    for seed in [7, 8] {
        windows.turn();
        for (kind, weight) in items(seed, 5_000, 400, 3) {
            windows.current.add(&kind.to_be_bytes(), weight);
            *exact.entry(kind).or_default() += weight;
        }
    }
    let told = windows.most_frequent();
    assert!(told.windows(2).all(|pair| pair[0].1.count >= pair[1].1.count));
    for (key, estimate) in told {
        let count = exact[&u32::from_be_bytes(key.try_into().unwrap())];
        assert!((estimate.count - estimate.error..=estimate.count).contains(&count), "{estimate:?}: {count}");
    }
}

fn client() -> Client {
    Client {
        address: "[::ffff:192.0.2.1]:5000".parse().unwrap(),
        local: "127.0.0.1:53".parse().unwrap(),
        transport: Transport::Udp,
    }
}

#[test]
fn the_list_is_of_the_last_half_minute_to_minute() {
    let mut tops = Tops::default();
    let client = client();
    let start = Moment(1_000_000);
    let at = |seconds: u64| start.after(std::time::Duration::from_secs(seconds));
    let names = ["old.example", "late.example"].map(|name| Name::parse(name).unwrap());
    let told = |tops: &mut Tops, now| tops.told(now, |ip| (ip.to_string() == "192.0.2.1").then(|| "a/b".into()));
    // somebody looks each second all the while
    let looked =
        |tops: &mut Tops, seconds: std::ops::Range<u64>| seconds.for_each(|second| drop(told(tops, at(second))));
    looked(&mut tops, 0..1);
    tops.count(at(0), &client, names[0].as_wire(), RecordType::A, 10);
    looked(&mut tops, 1..30);
    tops.count(at(29), &client, names[0].as_wire(), RecordType::AAAA, 20);
    looked(&mut tops, 30..32);
    tops.count(at(31), &client, names[1].as_wire(), RecordType::A, 30);
    looked(&mut tops, 32..40);
    let top = told(&mut tops, at(40));
    let listed: Vec<_> = top.names.iter().map(|name| (&*name.name, &*name.rtype, name.queries, name.error)).collect();
    assert_eq!(listed, [("late.example", "A", 30, 0), ("old.example", "AAAA", 20, 0), ("old.example", "A", 10, 0)]);
    let [client_told] = &top.clients[..] else { panic!("one client") };
    assert_eq!((&*client_told.ip, client_told.pod.as_deref(), client_told.queries), ("192.0.2.1", Some("a/b"), 60));
    assert_eq!((top.window_s, top.one_of), (40.0, 20));
    looked(&mut tops, 41..61);
    let top = told(&mut tops, at(61));
    assert_eq!(top.names.iter().map(|name| &*name.name).collect::<Vec<_>>(), ["late.example"]);
    looked(&mut tops, 62..122);
    let top = told(&mut tops, at(122));
    assert!(top.names.is_empty() && top.clients.is_empty(), "nobody has asked for a minute");
    assert_eq!(top.one_of, 1);
}

#[test]
fn the_window_begins_with_whoever_looks_first_and_after_a_pause() {
    let mut tops = Tops::default();
    let name = Name::parse("www.example").unwrap();
    let start = Moment(1_000_000).after(std::time::Duration::from_secs(3_600));
    let seconds = std::time::Duration::from_secs;
    let told = |tops: &mut Tops, now| tops.told(now, |_| None);
    assert_eq!(told(&mut tops, start).window_s, 0.0, "the hour before is no part of it");
    tops.count(start, &client(), name.as_wire(), RecordType::A, 7);
    let top = told(&mut tops, start.after(seconds(1)));
    assert_eq!((top.window_s, top.names[0].queries), (1.0, 7));
    // still somebody, so it goes on
    let last = start.after(TOP_OPEN_FOR);
    let top = told(&mut tops, last);
    assert_eq!((top.window_s, top.names[0].queries), (TOP_OPEN_FOR.as_secs_f64(), 7));
    let top = told(&mut tops, last.after(TOP_OPEN_FOR));
    assert_eq!(top.window_s, 0.0, "nobody looked, so nothing was counted");
    assert!(top.names.is_empty());
}
