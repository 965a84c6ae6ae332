//! The taps, from a desk to whoever looks on, with the thread's work done by the test.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::SystemTime;

use contract::limits::WATCH_QUEUE_MAX;
use contract::wire::Name;
use contract::{FakeClock, Sighting, Transport, Witness};
use futures_util::FutureExt as _;

use super::*;
use crate::see::api::Sighted;

/// Taps whose thread is never started: the test does its work.
struct House {
    clock: Arc<FakeClock>,
    metrics: Metrics,
    taps: Arc<Taps>,
    reader: Reader,
}

impl House {
    fn new() -> Self {
        let (clock, metrics) = (Arc::new(FakeClock::new()), Metrics::default());
        let taps = Taps::new(Arc::clone(&clock) as _, &metrics);
        let reader = Reader::new(taps.table().queued.take().unwrap());
        // somebody has to be woken
        taps.table().thread = Some(std::thread::current());
        Self { clock, metrics, taps, reader }
    }

    fn desk(&self) -> Tap {
        Tap::new(&self.taps, Transport::Udp)
    }

    /// As a desk does it on a hit.
    fn hit(&self, tap: &mut Tap, name: &str, onlookers: Option<&Onlookers>) {
        if self.taps.is_open() && self.taps.concerns(onlookers) {
            let (name, moment) = (Name::parse(name).unwrap(), self.clock.now());
            self.show_due(tap, &shown(&name, moment, onlookers));
        }
    }

    /// As a desk does it, if it is the turn of this one.
    fn show_due(&self, tap: &mut Tap, shown: &Shown<'_>) {
        if let Some(weight) = tap.is_due(shown.moment) {
            tap.show(&self.taps, weight, shown);
        }
    }

    fn show(&mut self) -> bool {
        self.taps.show_seen(&mut self.reader, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000))
    }

    fn count(&self, name: &str) -> u64 {
        self.metrics.values(name)[0].1 as u64
    }
}

fn shown<'s>(name: &'s Name, moment: Moment, onlookers: Option<&'s Onlookers>) -> Shown<'s> {
    let address: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    Shown {
        moment,
        took: Duration::from_millis(3),
        client: Client { address, local: address, transport: Transport::Udp },
        name: name.as_wire(),
        question: (RecordType::A, Class::IN),
        rcode: Rcode::NXDOMAIN,
        way: Way::Hit,
        messages: (b"query", b"reply"),
        onlookers,
    }
}

/// What a watcher was shown and has not read yet.
fn next(watch: &mut Watch) -> Option<Sighted> {
    watch.next().now_or_never().flatten()
}

/// Keeps what it is shown.
#[derive(Debug)]
struct Keen {
    wants_messages: bool,
    seen: Mutex<Vec<(String, Vec<u8>, u32)>>,
}

impl Plugin for Keen {
    fn name(&self) -> &'static str {
        "keen"
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(self)
    }
}

impl Witness for Keen {
    fn seen(&self, sighting: &Sighting<'_>) {
        let name = told::name(sighting.name);
        assert_ne!(name, "panic.example", "as asked");
        self.seen.lock().unwrap().push((name, [sighting.query, sighting.reply].concat(), sighting.weight));
    }

    fn wants_messages(&self) -> bool {
        self.wants_messages
    }
}

fn keen(wants_messages: bool) -> Arc<Keen> {
    Arc::new(Keen { wants_messages, seen: Mutex::default() })
}

#[test]
fn nobody_looks_until_somebody_asks_and_again_after_a_while() {
    let mut house = House::new();
    let mut tap = house.desk();
    house.hit(&mut tap, "before.example", None);
    assert!(!house.taps.is_open() && !house.show());
    assert!(house.taps.top().names.is_empty());
    assert!(house.taps.is_open());
    (0..3).for_each(|_| house.hit(&mut tap, "www.example", None));
    assert!(house.show());
    let top = house.taps.top();
    let names: Vec<_> = top.names.iter().map(|name| (&*name.name, name.queries)).collect();
    assert_eq!(names, [("www.example", 3)]);
    assert_eq!((&*top.clients[0].ip, top.one_of), ("192.0.2.1", 1));
    house.clock.advance(TOP_OPEN_FOR);
    assert!(!house.show() && !house.taps.is_open());
    house.hit(&mut tap, "after.example", None);
    assert_eq!((house.count("nearpath_sightings_total"), house.count("nearpath_sightings_dropped_total")), (3, 0));
}

#[test]
fn what_lay_there_since_somebody_else_looked_is_not_shown() {
    let mut house = House::new();
    let mut tap = house.desk();
    drop(house.taps.watch(Filter::default()).unwrap());
    house.hit(&mut tap, "left.example", None);
    house.clock.advance(Duration::from_secs(1));
    assert!(!house.taps.settle(&mut house.taps.table(), house.clock.now()), "who watched has gone");
    let mut watch = house.taps.watch(Filter::default()).unwrap();
    house.hit(&mut tap, "new.example", None);
    house.show();
    assert_eq!(next(&mut watch).unwrap().name, "new.example");
    assert!(next(&mut watch).is_none());
}

#[test]
fn a_watcher_sees_what_passes_its_filter_and_is_told_what_it_missed() {
    let mut house = House::new();
    house.taps.know_pods(Arc::new(|ip| (ip.to_string() == "192.0.2.1").then(|| "shop/cart-0".into())));
    let mut tap = house.desk();
    let filter = Filter::parse(Some("shop/cart-0"), Some("w*.example"), Some("NXDOMAIN")).unwrap();
    let mut watch = house.taps.watch(filter).unwrap();
    let mut strangers = [(Some("shop/cart-1"), None), (None, Some("NOERROR"))]
        .map(|(pod, rcode)| house.taps.watch(Filter::parse(pod, None, rcode).unwrap()).unwrap());
    house.hit(&mut tap, "www.example", None);
    house.hit(&mut tap, "mail.example", None);
    house.show();
    let seen = next(&mut watch).unwrap();
    assert_eq!((&*seen.name, &*seen.rtype, &*seen.rcode, &*seen.way), ("www.example", "A", "NXDOMAIN", "hit"));
    assert_eq!((&*seen.at, seen.pod.as_deref(), seen.took_s), ("1970-01-01T00:16:40.000Z", Some("shop/cart-0"), 0.003));
    assert!(next(&mut watch).is_none());
    assert!(strangers.iter_mut().all(|watch| next(watch).is_none()));

    let more = WATCH_QUEUE_MAX + 40;
    for _ in 0..more {
        house.hit(&mut tap, "wide.example", None);
        house.clock.advance(Duration::from_millis(1));
        house.show();
    }
    assert_eq!((watch.missed(), watch.missed()), (40, 0));
    assert_eq!(house.count("nearpath_sightings_dropped_total"), 40);
}

#[test]
fn watchers_are_bounded_and_their_places_are_given_again() {
    let house = House::new();
    let mut watches: Vec<_> = (0..WATCHERS_MAX).map(|_| house.taps.watch(Filter::default()).unwrap()).collect();
    assert_eq!(house.taps.watch(Filter::default()).unwrap_err(), TooManyWatchers { most: WATCHERS_MAX });
    watches.pop();
    assert!(house.taps.watch(Filter::default()).is_ok());
}

#[test]
fn a_witness_is_shown_its_own_block_with_messages_if_it_wants_them() {
    let mut house = House::new();
    assert!(house.taps.enlist(&[]).is_none() && !house.taps.is_open());
    let [with, without] = [keen(true), keen(false)];
    let enlist = |plugin: &Arc<Keen>| house.taps.enlist(&[Arc::clone(plugin) as _]).unwrap();
    let (one, other) = (enlist(&with), enlist(&without));
    let mut tap = house.desk();
    house.hit(&mut tap, "a.example", Some(&one));
    house.hit(&mut tap, "panic.example", Some(&one));
    house.hit(&mut tap, "b.example", Some(&other));
    house.hit(&mut tap, "nobody.example", None);
    let (late, moment) = (Name::parse("late.example").unwrap(), house.clock.now());
    house.taps.show(&shown(&late, moment, Some(&one)));
    assert!(house.show());
    let messages = b"queryreply".to_vec();
    let seen = |name: &str, messages: &[u8]| (name.to_owned(), messages.to_vec(), 1);
    assert_eq!(*with.seen.lock().unwrap(), [seen("a.example", &messages), seen("late.example", &messages)]);
    assert_eq!(*without.seen.lock().unwrap(), [seen("b.example", &[])]);
    assert_eq!(house.count("nearpath_sightings_dropped_total"), 1, "the one that panicked");
    drop((one, other));
    assert!(!house.show() && !house.taps.is_open(), "their blocks have gone");
}

#[test]
fn a_full_ring_and_a_full_queue_drop_and_count() {
    let mut house = House::new();
    let witness = keen(true);
    let onlookers = house.taps.enlist(&[Arc::clone(&witness) as _]).unwrap();
    let (mut tap, mut connection) = (house.desk(), Tap::new(&house.taps, Transport::Tcp));
    let (name, reply) = (Name::parse("large.example").unwrap(), vec![0; 1_232]);
    let mut asked = 0;
    for step in 0..4 {
        for _ in 0..60 {
            let moment = house.clock.now();
            let large = Shown { messages: (&[], &reply), ..shown(&name, moment, Some(&onlookers)) };
            house.show_due(&mut tap, &large);
            asked += 1;
        }
        house.clock.advance(contract::limits::TAP_STEP);
        assert_eq!(house.count("nearpath_sightings_dropped_total") > 0, step > 0, "nobody has read: no room");
    }
    let dropped = house.count("nearpath_sightings_dropped_total");
    house.show();
    let moment = house.clock.now();
    house.show_due(&mut tap, &shown(&name, moment, Some(&onlookers)));
    house.show();
    let told: Vec<u32> = witness.seen.lock().unwrap().drain(..).map(|(_, _, weight)| weight).collect();
    assert_eq!(told.iter().map(|weight| u64::from(*weight)).sum::<u64>(), asked + 1, "the next stands for them");
    assert!(dropped > 0 && told.len() as u64 + dropped <= asked + 1);

    for _ in 0..TAP_QUEUE_MAX + 7 {
        house.taps.show(&shown(&name, moment, Some(&onlookers)));
    }
    house.show_due(&mut connection, &shown(&name, moment, Some(&onlookers)));
    assert_eq!(house.count("nearpath_sightings_dropped_total"), dropped + 8);
}

#[test]
fn a_desk_that_comes_later_is_seen_and_one_that_goes_leaves_nothing() {
    let mut house = House::new();
    let mut watch = house.taps.watch(Filter::default()).unwrap();
    for round in 0..5 {
        let mut tap = house.desk();
        house.hit(&mut tap, "www.example", None);
        drop(tap);
        house.show();
        assert_eq!(next(&mut watch).unwrap().name, "www.example", "round {round}");
        house.show();
        assert_eq!((house.reader.rings.len(), house.taps.table().rings), (0, 0));
    }
    drop(house.desk());
    house.taps.settle(&mut house.taps.table(), house.clock.now());
    assert!(house.taps.table().seats.is_empty());
}

#[test]
fn showing_a_hit_allocates_nothing_with_messages_too() {
    let house = House::new();
    let onlookers = house.taps.enlist(&[keen(true) as _]).unwrap();
    let _watch = house.taps.watch(Filter::default()).unwrap();
    house.taps.top();
    let mut tap = house.desk();
    let (name, moment) = (Name::parse("www.example").unwrap(), house.clock.now());
    let info = allocation_counter::measure(|| {
        for index in 0..2_000 {
            let moment = moment.after(Duration::from_millis(index));
            house.show_due(&mut tap, &shown(&name, moment, Some(&onlookers)));
        }
    });
    assert_eq!((info.count_total, info.count_current), (0, 0));
    assert!(house.taps.table().fresh[0].slots() > 100 * name.as_wire().len(), "they were shown");
}

#[test]
fn whoever_shows_does_not_wake_itself() {
    let mut house = House::new();
    let _watch = house.taps.watch(Filter::default()).unwrap();
    std::thread::park_timeout(Duration::ZERO); // woken, to begin
    assert!(house.show() && house.show());
    house.taps.top();
    let begun = std::time::Instant::now();
    std::thread::park_timeout(Duration::from_millis(200));
    assert!(begun.elapsed() >= Duration::from_millis(100), "it would show without a pause");
}
