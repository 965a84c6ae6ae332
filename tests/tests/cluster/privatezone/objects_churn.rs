//! Objects change as fast as the API server takes it, while clients ask for their names: no question stays without an answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearpath_tests::mode::{self, note};
use nearpath_tests::{Udp, ask, externaldns, place};

use super::house::House;
use super::{ZONE, plane, reply_within};

/// Changes of objects, each of all their names.
const CHANGES: usize = 400;
/// Objects, each with a writer of its own so that their changes come together, and the names of each.
const OBJECTS: usize = 4;
const NAMES: usize = 40;
/// Every well-formed question has a reply within 4 s; wider, for a busy machine.
const WITHIN: Duration = Duration::from_secs(6);
/// Between two questions of a client.
const PAUSE: Duration = Duration::from_millis(2);

const PRIVATE: &str = "\
corp.example:53 {
    bind IP
    cache {
        success 9984 3600 1
        denial 9984 1800 1
    }
    privatezone {
        to KNOT
        max_qps 0
        watch NAMESPACE
    }
    prometheus IP:9153
}";

#[test]
fn every_question_is_answered_while_objects_change() {
    let Some(plane) = plane() else { return };
    externaldns::is_defined(plane);
    // nobody publishes here: what objects say is never seen, so all their names are asked for again and again
    let mut all = House::new(plane, "churn", &[(ZONE, "* 1 A 203.0.113.1")], PRIVATE);
    let house = &all;
    let (stop, server) = (AtomicBool::new(false), house.daemon.address());
    let (answered, unanswered) = std::thread::scope(|scope| {
        let clients = [0, 1, 2].map(|_| scope.spawn(|| asks_until(&stop, server)));
        let stops = Stops(&stop);
        let writers: Vec<_> = (0..OBJECTS).map(|object| scope.spawn(move || changes(house, object))).collect();
        writers.into_iter().for_each(|writer| writer.join().expect("the API server takes every change"));
        drop(stops);
        let tallies = clients.map(|client| client.join().expect("a client does not panic"));
        tallies.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    let changes = house.metric("nearpath_privatezone_changes_total", &[]);
    note(&format!(
        "{changes} changed names were told of, {answered} questions were answered meanwhile, {unanswered} not"
    ));
    assert!(unanswered == 0, "{unanswered} questions without a reply");
    assert!(answered > 500 && changes > 100.0, "there was something to see");
    all.daemon.is_well();
}

/// Changes an object again and again.
fn changes(house: &House, object: usize) {
    let names: Vec<String> = (0..NAMES).map(|name| format!("n{object}-{name}.corp.example")).collect();
    for change in 0..mode::of(CHANGES, 10 * CHANGES) / OBJECTS {
        let target = format!("203.0.113.{}", 2 + change % 200);
        let targets: &[&str] = &[&target];
        let records: Vec<_> = names.iter().map(|name| (name.as_str(), "A", targets)).collect();
        house.api.dns_endpoint(&house.namespace, &format!("object-{object}"), 60, &records);
    }
}

/// Ends the clients however the test ends: they are waited for.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks for names of objects and for others; how many were answered, and not.
fn asks_until(stop: &AtomicBool, server: SocketAddr) -> (usize, usize) {
    let client = Udp::from(place::address(), server);
    let (mut answered, mut unanswered) = (0, 0);
    while !stop.load(Ordering::SeqCst) && unanswered < 3 {
        let turn = answered + unanswered;
        let name = match turn % 2 {
            0 => format!("n{}-{}.{ZONE}", turn / 2 % OBJECTS, turn / 10 % NAMES),
            _ => format!("other-{}.{ZONE}", turn),
        };
        let replied = reply_within(&client, &ask(&name, "A"), WITHIN).is_some_and(|reply| reply.rcode == 0);
        if replied {
            answered += 1
        } else {
            unanswered += 1
        }
        std::thread::sleep(PAUSE);
    }
    (answered, unanswered)
}
