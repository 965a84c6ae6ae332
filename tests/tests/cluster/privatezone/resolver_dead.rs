//! The private zone's server is gone for a while: what is in memory goes on, what the watch knows is answered from it, and the
//! rest fails in time and says why. When it is back, so is the truth.

use std::time::{Duration, Instant};

use nearpath_tests::externaldns::{self, Published};
use nearpath_tests::held_up::HeldUp;
use nearpath_tests::knot::Change;
use nearpath_tests::message::Reply;
use nearpath_tests::mode::{self, note};
use nearpath_tests::{ExternalDns, ask};

use super::house::{House, addresses};
use super::{NO_REACHABLE_AUTHORITY, STALE_ANSWER, SYNTHESIZED, ZONE, plane, reply_within};
use crate::cluster::soon;

/// A failure is told within this; the bound that is gated is wider, for a busy machine.
const FAILS_WITHIN: Duration = Duration::from_secs(4);
const GATE: Duration = Duration::from_secs(5);
/// After its return all is true again this soon,
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// in one of so many deaths.
const TRIES: u32 = 3;
/// Names of each kind that are asked for in one death.
const NAMES: usize = 12;
/// Beyond this nothing comes back.
const BOUND: Duration = Duration::from_secs(40);

fn outage() -> Duration {
    mode::of(Duration::from_secs(12), Duration::from_secs(60))
}

const PRIVATE: &str = "\
corp.example:53 {
    bind IP
    cache {
        success 9984 3600 1
        denial 9984 1800 1
    }
    privatezone {
        to SERVER
        max_qps 0
        watch NAMESPACE {
            services
        }
    }
    prometheus IP:9153
}";

/// How the server goes and comes back.
struct Death {
    goes: fn(&mut House),
    comes: fn(&mut House),
}

#[test]
fn a_server_that_is_killed() {
    let goes = |house: &mut House| house.knot.is_killed();
    let comes = |house: &mut House| house.knot.starts();
    survives("killed", "DIRECT", &Death { goes, comes });
}

#[test]
fn a_server_behind_a_black_hole() {
    let goes = |house: &mut House| house.relay.swallows(true);
    let comes = |house: &mut House| house.relay.swallows(false);
    survives("hole", "KNOT", &Death { goes, comes });
}

#[track_caller]
fn survives(which: &str, server: &str, death: &Death) {
    let Some(plane) = plane() else { return };
    externaldns::is_defined(plane);
    let zone: String =
        (0..TRIES as usize * NAMES).map(|number| format!("other-{number} 300 A 203.0.113.7\n")).collect();
    let mut house = House::new(plane, which, &[(ZONE, &zone)], &PRIVATE.replace("SERVER", server));
    let mut publisher = ExternalDns::start(plane, &house.namespace, &house.knot, ZONE);
    let known: Vec<String> = (0..TRIES as usize * NAMES).map(|number| format!("known-{number}.corp.example")).collect();
    let targets: &[&str] = &["203.0.113.8"];
    // one of each death is published by a Service, the others by one object
    let (services, others): (Vec<_>, Vec<_>) = known.iter().enumerate().partition(|(number, _)| number % NAMES == 0);
    let records: Vec<_> = others.iter().map(|(_, name)| (name.as_str(), "A", targets)).collect();
    house.api.dns_endpoint(&house.namespace, "known", 300, &records);
    for (number, hostname) in services {
        let service = Published { namespace: &house.namespace, name: &format!("known-{number}"), hostname, ttl: 300 };
        house.api.publish(service, targets[0]);
    }
    let is_written = |name: &String| house.knot.asked(&format!("{name}."), "A").rcode == 0;
    soon("ExternalDNS has written all", || known.iter().all(is_written));
    publisher.is_well();

    for number in 0..TRIES {
        let took = dies_once(&mut house, death, number as usize);
        if took <= BACK_WITHIN {
            house.daemon.is_well();
            return;
        }
    }
    panic!("{which}: all is true again within {BACK_WITHIN:?} of its return in none of {TRIES} deaths");
}

/// One death: how long after its return all was true again.
#[track_caller]
fn dies_once(house: &mut House, death: &Death, number: usize) -> Duration {
    let machine = HeldUp::watch();
    let cached: Vec<String> = (0..NAMES).map(|index| format!("cached-{number}-{index}.{ZONE}")).collect();
    for name in &cached {
        house.knot.takes(ZONE, &[Change::Add(&format!("{name} 2 A 203.0.113.9"))]);
        assert_eq!(addresses(&house.asked(name)), ["203.0.113.9"], "{name} is in memory");
    }
    // kept in memory in time, and more than that: it lives for hours
    let long = format!("long-{number}.{ZONE}");
    house.knot.takes(ZONE, &[Change::Add(&format!("{long} 3600 A 203.0.113.10"))]);
    assert_eq!(addresses(&house.asked(&long)), ["203.0.113.10"]);

    (death.goes)(house);
    let gone = Instant::now();
    let (mut slowest, mut failed) = (Duration::ZERO, Vec::new());
    for (index, cached) in cached.iter().enumerate() {
        let due = gone
            + Duration::from_millis(2_500)
            + (outage() - Duration::from_millis(3_500)) * index as u32 / NAMES as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let names = [cached.clone(), known(number, index), other(number, index)];
        let [stale, synthesised, missing] = house.all_at_once(&names);
        let [(stale, one), (synthesised, two), (missing, three)] = [stale, synthesised, missing];
        slowest = slowest.max(one).max(two).max(three);
        assert_eq!(addresses(&stale), ["203.0.113.9"], "what was in memory\n{stale}");
        stale.is("NOERROR").ede(&[STALE_ANSWER]);
        assert_eq!(addresses(&synthesised), ["203.0.113.8"], "what the watch knows\n{synthesised}");
        synthesised.is("NOERROR").ede(&[SYNTHESIZED]).ttls_within(0..=30);
        missing.is("SERVFAIL").ede(&[NO_REACHABLE_AUTHORITY]);
        failed.push(names);
        let fresh = house.asked(&long);
        assert_eq!((addresses(&fresh), fresh.edes()), (vec!["203.0.113.10".to_owned()], vec![]), "what has not ended");
    }
    let late = machine.longest();
    assert!(slowest <= GATE + 3 * late, "an answer took {slowest:?}, and the machine up to {late:?}");
    std::thread::sleep(outage().saturating_sub(gone.elapsed()));
    (death.comes)(house);
    let back = Instant::now();
    // the truth is another one by now
    for name in &cached {
        house.knot.takes(ZONE, &[Change::Delete(name), Change::Add(&format!("{name} 300 A 203.0.113.11"))]);
    }
    let took = until_true(house, &failed, back);
    note(&format!(
        "gone for {:.0} s: the slowest answer took {:.1} s (bound {FAILS_WITHIN:?}); {:.2} s after its return all are true",
        outage().as_secs_f64(),
        slowest.as_secs_f64(),
        took.as_secs_f64()
    ));
    took
}

fn known(death: usize, index: usize) -> String {
    format!("known-{}.{ZONE}", death * NAMES + index)
}

fn other(death: usize, index: usize) -> String {
    format!("other-{}.{ZONE}", death * NAMES + index)
}

/// Asks for all names until each has the zone's own answer.
#[track_caller]
fn until_true(house: &House, names: &[[String; 3]], back: Instant) -> Duration {
    let is_true = |name: &String, address: &str| {
        let reply = house.asked(name);
        (addresses(&reply) == [address] && reply.edes().is_empty(), reply)
    };
    loop {
        let all = names.iter().flat_map(|[cached, known, other]| {
            [(cached, "203.0.113.11"), (known, "203.0.113.8"), (other, "203.0.113.7")]
        });
        let wrong: Vec<(bool, Reply)> =
            all.map(|(name, address)| is_true(name, address)).filter(|(good, _)| !good).collect();
        let Some((_, first)) = wrong.first() else { return back.elapsed() };
        assert!(back.elapsed() < BOUND, "{} names are not true within {BOUND:?}, such as\n{first}", wrong.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl House {
    #[track_caller]
    fn asked(&self, name: &str) -> Reply {
        self.daemon.asked(&ask(name, "A").edns(1232))
    }

    /// Asks for names by a client each, at the same time; the replies and how long they took.
    #[track_caller]
    fn all_at_once(&self, names: &[String; 3]) -> [(Reply, Duration); 3] {
        std::thread::scope(|scope| {
            let asking = names.each_ref().map(|name| {
                scope.spawn(move || {
                    let sent = Instant::now();
                    let reply = reply_within(&self.daemon.client(), &ask(name, "A").edns(1232), Duration::from_secs(8));
                    (reply.unwrap_or_else(|| panic!("no reply for {name}")), sent.elapsed())
                })
            });
            asking.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}
