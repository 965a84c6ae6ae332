//! A published Service appears, its address changes, it goes: pods see it when the zone has it, with a watch; without one
//! within the TTL.

use std::time::{Duration, Instant};

use nearpath_tests::externaldns::{self, Published};
use nearpath_tests::mode::note;
use nearpath_tests::{ExternalDns, Reply};

use super::house::{House, Inhabitant, addresses};
use super::{ZONE, plane};

/// With a watch a pod sees a change this soon after the zone has it.
const SOON: Duration = Duration::from_secs(2);
/// The machine may stand still in the midst of a change: then it is done again, so often.
const TRIES: u32 = 3;
/// The grace that a name has which vanishes without a word, if nothing is said of it.
const GRACE: Duration = Duration::from_secs(10);
/// Beyond this nothing comes any more.
const BOUND: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The name that is published, without its final dot.
const NAME: &str = "web.corp.example";

const WATCHED: &str = "\
corp.example:53 {
    bind IP
    cache
    privatezone {
        to KNOT
        max_qps 0
        watch NAMESPACE {
            services
        }
    }
    prometheus IP:9153
}";

const UNWATCHED: &str = "\
corp.example:53 {
    bind IP
    cache
    privatezone {
        to KNOT
        max_qps 0
        vanish_grace 3s
    }
    prometheus IP:9153
}";

/// When the zone and the pod first had it.
struct Seen {
    by_walking: Duration,
    as_it_stands: Duration,
    longest_look: Duration,
}

impl Seen {
    fn later(&self) -> Duration {
        self.by_walking.max(self.as_it_stands)
    }
}

#[test]
fn with_a_watch_pods_see_a_change_when_the_zone_has_it() {
    let Some(plane) = plane() else { return };
    externaldns::is_defined(plane);
    let house = House::new(plane, "watched", &[(ZONE, "")], WATCHED);
    let mut publisher = ExternalDns::start(plane, &house.namespace, &house.knot, ZONE);
    let pod = house.pod("asker");
    let service = Published { namespace: &house.namespace, name: "web", hostname: NAME, ttl: 300 };

    in_time("appears", |number| {
        if number > 0 {
            house.api.delete_service(&house.namespace, "web");
            seen(&house, &pod, NAME, "gone before it appears again", gone);
        }
        assert_eq!(pod.walks(NAME, "A").rcode, 3, "it is not there yet");
        assert_eq!(pod.asks(&format!("{NAME}."), "A").rcode, 3, "it is not there yet");
        let address = format!("203.0.113.{}", 10 + number);
        house.api.publish(service, &address);
        seen(&house, &pod, NAME, "appears", |reply| addresses(reply) == [address.as_str()])
    });
    assert_eq!(pod.finds(NAME).len(), 1, "its C library finds it");
    assert_eq!(pod.finds(&format!("{NAME}.")), pod.finds(NAME));

    let mut last = String::new();
    in_time("changes", |number| {
        last = format!("203.0.113.{}", 20 + number);
        house.api.publish(service, &last);
        seen(&house, &pod, NAME, "changes", |reply| addresses(reply) == [last.as_str()])
    });
    assert_eq!(pod.finds(NAME), [last.as_str()]);
    assert_eq!(pod.finds(&format!("{NAME}.")), [last.as_str()]);
    let reply = pod.asks(&format!("{NAME}."), "A");
    reply.is("NOERROR").ttls_within(270..=300);
    // what ExternalDNS keeps for itself is there for whoever asks for it by name
    let registry = pod.asks(&format!("a-{NAME}."), "TXT");
    assert!(registry.is("NOERROR").answers().iter().any(|line| line.contains("heritage=external-dns")), "{registry}");

    in_time("goes", |number| {
        if number > 0 {
            let address = format!("203.0.113.{}", 30 + number);
            house.api.publish(service, &address);
            seen(&house, &pod, NAME, "there before it goes again", |reply| addresses(reply) == [address.as_str()]);
        }
        house.api.delete_service(&house.namespace, "web");
        seen(&house, &pod, NAME, "goes", gone)
    });
    assert!(pod.finds(NAME).is_empty() && pod.finds(&format!("{NAME}.")).is_empty(), "its C library finds nothing");
    an_object_changes(&house, &pod);
    publisher.is_well();
}

/// The same for a DNSEndpoint object.
#[track_caller]
fn an_object_changes(house: &House, pod: &Inhabitant) {
    let set =
        |address: &str| house.api.dns_endpoint(&house.namespace, "db", 300, &[("db.corp.example", "A", &[address])]);
    assert_eq!(pod.walks("db.corp.example", "A").rcode, 3, "it is not there yet");
    set("203.0.113.50");
    seen(house, pod, "db.corp.example", "a DNSEndpoint appears", |reply| addresses(reply) == ["203.0.113.50"]);
    in_time("a DNSEndpoint changes", |number| {
        let address = format!("203.0.113.{}", 60 + number);
        set(&address);
        seen(house, pod, "db.corp.example", "a DNSEndpoint changes", |reply| addresses(reply) == [address.as_str()])
    });
    house.api.delete_dns_endpoint(&house.namespace, "db");
    let took = seen(house, pod, "db.corp.example", "a DNSEndpoint goes", gone);
    assert!(took.later() < GRACE, "no grace for what was deleted on purpose: {took}");
}

#[test]
fn without_a_watch_pods_see_a_change_within_the_ttl() {
    let Some(plane) = plane() else { return };
    externaldns::is_defined(plane);
    let house = House::new(plane, "unwatched", &[(ZONE, "")], UNWATCHED);
    let mut publisher = ExternalDns::start(plane, &house.namespace, &house.knot, ZONE);
    let pod = house.pod("asker");
    let (ttl, grace, negative) = (Duration::from_secs(5), Duration::from_secs(3), Duration::from_secs(5));
    // a look, an upstream that is slow once, a busy machine
    let margin = Duration::from_secs(4);
    let service = Published { namespace: &house.namespace, name: "web", hostname: NAME, ttl: 5 };

    assert_eq!(pod.walks(NAME, "A").rcode, 3, "it is not there yet");
    house.api.publish(service, "203.0.113.10");
    let took = seen(&house, &pod, NAME, "appears", |reply| addresses(reply) == ["203.0.113.10"]);
    assert!(took.later() <= negative + margin, "{took}");
    assert_eq!(pod.finds(NAME), ["203.0.113.10"]);

    house.api.publish(service, "203.0.113.20");
    let took = seen(&house, &pod, NAME, "changes", |reply| addresses(reply) == ["203.0.113.20"]);
    assert!(took.later() <= ttl + margin, "{took}");
    assert_eq!(pod.finds(NAME), ["203.0.113.20"]);

    house.api.delete_service(&house.namespace, "web");
    let took = seen(&house, &pod, NAME, "goes", gone);
    assert!(took.later() <= ttl + grace + margin, "{took}");
    assert!(pod.finds(NAME).is_empty());
    publisher.is_well();
}

fn gone(reply: &Reply) -> bool {
    reply.rcode == 3
}

/// Does a change until the pod has seen it soon enough once.
#[track_caller]
fn in_time(what: &str, mut change: impl FnMut(u32) -> Seen) {
    for number in 0..TRIES {
        if change(number).later() <= SOON {
            return;
        }
    }
    panic!("{what}: not within {SOON:?} of the zone, {TRIES} times");
}

/// Looks at knotd and at the pod side by side until all have it; the times are from when knotd had it.
#[track_caller]
fn seen(house: &House, pod: &Inhabitant, name: &str, what: &str, has: impl Fn(&Reply) -> bool) -> Seen {
    let begun = Instant::now();
    let (mut zone, mut by_walking, mut as_it_stands) = (None, None, None);
    let mut longest_look = Duration::ZERO;
    let absolute = format!("{name}.");
    let zone = loop {
        let look = Instant::now();
        if zone.is_none() && has(&house.knot.asked(&absolute, "A")) {
            zone = Some(Instant::now());
        }
        if by_walking.is_none() && has(&pod.walks(name, "A")) {
            by_walking = Some(Instant::now());
        }
        if as_it_stands.is_none() && has(&pod.asks(&absolute, "A")) {
            as_it_stands = Some(Instant::now());
        }
        longest_look = longest_look.max(look.elapsed());
        if let (Some(zone), Some(_), Some(_)) = (zone, by_walking, as_it_stands) {
            break zone;
        }
        let missing = || {
            format!(
                "zone {}, by walking {}, as it stands {}",
                zone.is_some(),
                by_walking.is_some(),
                as_it_stands.is_some()
            )
        };
        assert!(begun.elapsed() < BOUND, "{what}: not everywhere within {BOUND:?}: {}", missing());
        std::thread::sleep(PAUSE);
    };
    let after = |at: Option<Instant>| at.map_or(BOUND, |at| at.saturating_duration_since(zone));
    let seen = Seen { by_walking: after(by_walking), as_it_stands: after(as_it_stands), longest_look };
    note(&format!("{what}: the zone {:.1} s after the order; {seen}", zone.duration_since(begun).as_secs_f64()));
    seen
}

impl std::fmt::Display for Seen {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by_walking, as_it_stands, longest_look } = self;
        let [one, two] = [by_walking, as_it_stands].map(Duration::as_secs_f64);
        write!(to, "after the zone a pod's search sees it in {one:.2} s, its absolute name in {two:.2} s")?;
        write!(to, " (the longest look took {:.2} s)", longest_look.as_secs_f64())
    }
}
