//! More questions than a resolver's limit allows: it sees no more than that, and nobody is left without a reply.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::{Reply, Udp, Upstream, ask};

use super::{CORP, STOCK};
use nearpath_tests::Daemon;

const NAMES: usize = 5_000;
const PER_SECOND: usize = 100;
const BURST: usize = 20;
/// Addresses that ask, each its share of the names.
const CLIENTS: u8 = 20;

#[test]
fn a_resolver_sees_no_more_than_its_limit_and_everybody_gets_a_reply() {
    let zone = Upstream::with(&[CORP, &["*.many.corp.example. 300 A 10.50.0.1"]].concat());
    let centre = Upstream::with(super::super::TABLE);
    let corefile = STOCK.replace("max_qps 0", &format!("max_qps {PER_SECOND}\n  burst {BURST}"));
    let words = [("ZONE", zone.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::given(&corefile, &words);
    daemon.asked(&ask("db.corp.example", "A")).is("NOERROR");
    std::thread::sleep(Duration::from_secs(1));
    zone.forgets();
    let begun = Instant::now();
    // from twenty addresses, so that no bound of a single client is in the way
    let tallies: Vec<[usize; 3]> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CLIENTS)
            .map(|part| {
                scope.spawn({
                    let daemon = &daemon;
                    move || flood(&daemon.client_at(IpAddr::from([127, 9, 0, part + 1])), usize::from(part))
                })
            })
            .collect();
        while begun.elapsed() < Duration::from_secs(3) {
            let hit = daemon.asked(&ask("db.corp.example", "A"));
            hit.is("NOERROR").answers_are(&["db.corp.example. A 10.20.0.1"]);
            assert!(hit.edes().is_empty(), "what is memorised is not touched by it:\n{hit}");
            std::thread::sleep(Duration::from_millis(20));
        }
        asking.into_iter().map(|asking| asking.join().expect("a client does not panic")).collect()
    });
    let [found, failed, silent] = [0, 1, 2].map(|kind| tallies.iter().map(|tally| tally[kind]).sum::<usize>());
    mode::note(&format!("  {NAMES} names at once: {found} answered, {failed} told SERVFAIL, {silent} without a reply"));
    assert_eq!((found + failed, silent), (NAMES, 0));
    assert!(found >= PER_SECOND, "those within the limit have their answers: {found}");
    // a busy machine may hand the resolver at once what was sent one by one: only its whole time is a measure
    let messages = zone.messages();
    let took = messages.last().expect("it was asked").at.duration_since(begun).as_secs_f64();
    mode::note(&format!("  the resolver saw {} questions in {took:.2} s", messages.len()));
    assert!(messages.len() as f64 <= BURST as f64 + PER_SECOND as f64 * took + 1.0, "{} in {took} s", messages.len());
    assert!(zone.seen().iter().all(|seen| seen.name != "db.corp.example."));
}

/// Asks a share of the names within a second and waits for every reply: answers, SERVFAILs with EDE, silences.
fn flood(client: &Udp, part: usize) -> [usize; 3] {
    let (begun, share) = (Instant::now(), NAMES / usize::from(CLIENTS));
    let (mut waiting, mut tally) = (HashSet::new(), [0; 3]);
    for index in 0..share {
        let ask = ask(&format!("n{part}-{index}.many.corp.example"), "A").edns(1232);
        waiting.insert(ask.id);
        client.send(&ask.wire());
        let due = Duration::from_secs(1) * index as u32 / share as u32;
        while let left = due.saturating_sub(begun.elapsed())
            && !left.is_zero()
        {
            take(client, left, &mut waiting, &mut tally);
        }
    }
    while !waiting.is_empty() && take(client, Duration::from_secs(5), &mut waiting, &mut tally) {}
    tally[2] = waiting.len();
    tally
}

/// Takes a reply; false if none comes within that time.
fn take(client: &Udp, within: Duration, waiting: &mut HashSet<u16>, tally: &mut [usize; 3]) -> bool {
    let Some(octets) = client.receive(within.max(Duration::from_millis(1))) else { return false };
    let reply = Reply::read(&octets).expect("a whole message");
    assert!(waiting.remove(&reply.id), "a second reply:\n{reply}");
    match reply.rcode {
        0 => tally[0] += 1,
        2 if reply.edes() == [0] => tally[1] += 1,
        _ => panic!("neither an answer nor SERVFAIL with its reason:\n{reply}"),
    }
    true
}
