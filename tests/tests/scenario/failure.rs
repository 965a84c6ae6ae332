//! Upstreams that are dead, slow or silent: stale answers, and SERVFAIL in time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::limits;
use nearpath_tests::held_up::HeldUp;
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::{centre, plain};

/// The time since its beginning, for bounds that clients rely on: glibc's is 5 s.
struct Watch {
    start: Instant,
    machine: HeldUp,
}

impl Watch {
    fn start() -> Self {
        Self { start: Instant::now(), machine: HeldUp::watch() }
    }

    /// It is no longer than this, but for what the machine took: some, and what it took of a thread that only sleeps,
    /// from each of the three who take part.
    #[track_caller]
    fn is_within(&self, bound: Duration) {
        let (took, late) = (self.start.elapsed(), Duration::from_millis(900) + 3 * self.machine.longest());
        assert!(took < bound + late, "{took:?}, and the machine took up to {:?}", self.machine.longest());
    }
}

#[test]
fn a_dead_upstream_leaves_stale_answers() {
    let mut centre = centre();
    let daemon = plain(&centre);
    daemon.asked(&ask("short.example.com", "A")).is("NOERROR");
    daemon.asked(&ask("gone.example.com", "A")).is("NXDOMAIN");
    centre.knows(&[
        "short.example.com. 1 A 192.0.2.2",
        "example.com. 1 SOA ns.example.com. admin.example.com. 1 2 3 4 1",
    ]);
    daemon.asked(&ask("other.example.com", "A")).is("NXDOMAIN");
    sleep(Duration::from_millis(5_500)); // CoreDNS keeps answers 5 s at least
    centre.dies();
    for _ in 0..2 {
        let reply = daemon.asked(&ask("short.example.com", "A").edns(1232));
        reply.is("NOERROR").answers_are(&["short.example.com. A 192.0.2.2"]).ede(&[3]);
        reply.ttls_within(limits::STALE_TTL..=limits::STALE_TTL);
        daemon.asked(&ask("other.example.com", "A").edns(1232)).is("NXDOMAIN").ede(&[19]);
    }
    let reply = daemon.asked(&ask("never-seen.example.com", "A").edns(1232));
    reply.is("SERVFAIL").ede(&[22, 23]);
    centre.revive();
    sleep(limits::STALE_RECHECK + Duration::from_secs(2));
    daemon.asked(&ask("short.example.com", "A")); // asks anew
    let deadline = Instant::now() + Duration::from_secs(10);
    while daemon.asked(&ask("short.example.com", "A").edns(1232)).edes().contains(&3) {
        assert!(Instant::now() < deadline, "fresh beats stale once the upstream is back");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_slow_upstream_is_waited_for_unless_something_stale_is_at_hand_over_udp() {
    slow_by_three_seconds("forward . CENTRE");
}

#[test]
fn a_slow_upstream_is_waited_for_unless_something_stale_is_at_hand_over_tcp() {
    slow_by_three_seconds("forward . CENTRE {\n  force_tcp\n }");
}

#[track_caller]
fn slow_by_three_seconds(forward: &str) {
    let centre = centre();
    let corefile = format!(".:PORT {{\n bind IP\n cache 3600\n {forward}\n}}\n");
    let daemon = Daemon::given(&corefile, &[("CENTRE", centre.address())]);
    daemon.asked(&ask("short.example.com", "A")).is("NOERROR");
    sleep(Duration::from_millis(5_500));
    centre.behaves(Behaviour::Slow(Duration::from_secs(3)));
    centre.knows(&["short.example.com. 60 A 192.0.2.99", "new.example.com. 60 A 192.0.2.98"]);

    let client = daemon.client();
    let start = Instant::now();
    let reply = client.asks(&ask("short.example.com", "A").edns(1232));
    let took = start.elapsed();
    reply.is("NOERROR").answers_are(&["short.example.com. A 192.0.2.2"]).ede(&[3]).ttls_within(30..=30);
    assert!(took >= limits::STALE_AFTER - Duration::from_millis(50), "a fresh answer had its chance: {took:?}");

    // nothing stale at hand: the answer itself, within 4 s
    let watch = Watch::start();
    client.asks(&ask("new.example.com", "A").edns(1232)).is("NOERROR").answers_are(&["new.example.com. A 192.0.2.98"]);
    watch.is_within(limits::ANSWER_WITHIN);

    // the fresh answer that came too late for the first client is there for the next one
    let reply = client.asks(&ask("short.example.com", "A").edns(1232));
    reply.answers_are(&["short.example.com. A 192.0.2.99"]);
    assert!(!reply.edes().contains(&3), "it is fresh:\n{reply}");
}

#[test]
fn a_hung_upstream_is_a_servfail_in_time() {
    let centre = centre();
    centre.behaves(Behaviour::Hang);
    for forward in ["forward . CENTRE", "forward . CENTRE {\n  force_tcp\n }"] {
        let corefile = format!(".:PORT {{\n bind IP\n cache\n {forward}\n}}\n");
        let daemon = Daemon::given(&corefile, &[("CENTRE", centre.address())]);
        let watch = Watch::start();
        daemon.asked(&ask("www.example.com", "A").edns(1232)).is("SERVFAIL").ede(&[22, 23]);
        watch.is_within(limits::ANSWER_WITHIN);
        // over TCP too
        let watch = Watch::start();
        daemon.connection().asks(&ask("two.example.com", "A").edns(1232)).is("SERVFAIL").ede(&[22, 23, 13]);
        watch.is_within(limits::ANSWER_WITHIN);
    }
}

#[test]
fn junk_is_no_answer_and_noise_is_not_believed() {
    let centre = centre();
    let daemon = plain(&centre);
    centre.behaves(Behaviour::NoiseFirst);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR").answers_are(&["www.example.com. A 192.0.2.1"]);
    centre.behaves(Behaviour::Junk);
    let watch = Watch::start();
    daemon.asked(&ask("text.example.com", "TXT").edns(1232)).is("SERVFAIL").ede(&[22, 23, 24]);
    watch.is_within(limits::ANSWER_WITHIN);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");

    let tcp = Daemon::given(
        ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n",
        &[("CENTRE", centre.address())],
    );
    tcp.asked(&ask("text.example.com", "TXT").edns(1232)).is("SERVFAIL").ede(&[22, 23, 24]);
    centre.behaves(Behaviour::Normal);
    tcp.asked(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn of_two_upstreams_one_may_die() {
    for forward in ["", "force_tcp", "policy round_robin", "policy sequential"] {
        let (mut one, two) = (centre(), centre());
        let corefile = format!(".:PORT {{\n bind IP\n cache\n forward . ONE TWO {{\n  {forward}\n }}\n}}\n");
        let daemon = Daemon::given(&corefile, &[("ONE", one.address()), ("TWO", two.address())]);
        let client = daemon.client();
        (0..20).for_each(|number| {
            client.asks(&ask(&format!("a{number}.wild.example.com"), "A")).is("NOERROR");
        });
        one.dies();
        (0..40).for_each(|number| {
            client.asks(&ask(&format!("b{number}.wild.example.com"), "A")).is("NOERROR");
        });
        one.revive();
        (0..10).for_each(|number| {
            client.asks(&ask(&format!("c{number}.wild.example.com"), "A")).is("NOERROR");
        });
    }
}

#[test]
fn of_two_upstreams_one_may_hang() {
    for forward in ["policy sequential", "policy sequential\n  force_tcp"] {
        let (one, two) = (centre(), centre());
        let corefile = format!(".:PORT {{\n bind IP\n cache\n forward . ONE TWO {{\n  {forward}\n }}\n}}\n");
        let daemon = Daemon::given(&corefile, &[("ONE", one.address()), ("TWO", two.address())]);
        daemon.asked(&ask("first.wild.example.com", "A")).is("NOERROR");
        one.behaves(Behaviour::Hang);
        for number in 0..5 {
            let watch = Watch::start();
            daemon.asked(&ask(&format!("x{number}.wild.example.com"), "A")).is("NOERROR");
            watch.is_within(limits::ANSWER_WITHIN);
        }
        assert!(!two.seen().is_empty());
    }
}

#[test]
fn without_any_upstream_the_client_is_told_at_once_or_in_time() {
    let mut nobody = Upstream::with(&[]);
    nobody.dies();
    let daemon = plain(&nobody);
    for number in 0..3 {
        let watch = Watch::start();
        let reply = daemon.asked(&ask(&format!("n{number}.example.com"), "A").edns(1232));
        reply.is("SERVFAIL").ede(&[22, 23]);
        watch.is_within(limits::ANSWER_WITHIN);
    }
}
