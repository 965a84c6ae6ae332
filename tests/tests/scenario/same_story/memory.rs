//! What memory has a part in: miss, hit, negative, stale, a failure of a moment ago, and a question shared with others.

use std::thread::sleep;
use std::time::Duration;

use nearpath_tests::{Behaviour, ask, mode};

use super::house::{House, until};
use super::{CASE, Case, holds};
use crate::scenario::TABLE;

const COREFILE: &str = ".:PORT {\n bind IP\n cache {\n  success 9984 3600 0\n }\n forward . CENTRE\n prometheus IP:9153\n}\n\
                        slow.test:PORT {\n bind IP\n cache\n forward . SLOW\n}\n\
                        stale.test:PORT {\n bind IP\n cache {\n  success 9984 3600 0\n  denial 9984 3600 0\n }\n forward . STALE\n}\n";

const STALE: &[&str] =
    &["stale.test. 1 SOA ns.stale.test. admin.stale.test. 1 7200 900 1209600 1", "a.stale.test. 1 A 192.0.2.5"];

/// Has it in memory.
fn known(house: &mut House, name: &str) {
    house.asks("127.0.0.1", name);
}

/// Has it in memory past its end, and nobody to ask.
fn expired(house: &mut House, name: &str) {
    let once = house.asks("127.0.0.1", name);
    if once.edes().is_empty() {
        house.upstream("STALE").dies();
        sleep(Duration::from_millis(1_200));
    }
}

/// Somebody else's same question is under way.
fn under_way(house: &mut House, name: &str) {
    house.upstream("SLOW").behaves(Behaviour::Slow(Duration::from_secs(3)));
    house.sends(&ask(name, "A"));
    let asked = format!("{name}.");
    until("the first question is under way", || house.upstreams["SLOW"].asked_for(&asked) > 0);
}

const CASES: &[Case] = &[
    Case {
        name: "miss",
        client: "127.0.0.1",
        way: ["miss udp CENTRE ", "hit age "],
        steps: &[("block", "."), ("memory", "s left, from CENTRE")],
        counted: &[
            ("coredns_cache_misses_total", &[("zones", ".")], 1.0),
            ("coredns_cache_hits_total", &[("zones", ".")], 0.0),
            ("coredns_proxy_request_duration_seconds_count", &[("to", "CENTRE"), ("rcode", "NOERROR")], 1.0),
            ("coredns_dns_responses_total", &[("zone", "."), ("rcode", "NOERROR"), ("plugin", "forward")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "miss of what nobody remembers, explained",
        client: "127.0.0.1",
        asked: ["text.example.com", "TXT"],
        again: Some("x.wild.example.com"),
        way: ["miss udp CENTRE ", "miss udp CENTRE "],
        steps: &[("upstream", "udp CENTRE: said NOERROR; up")],
        counted: &[("coredns_cache_misses_total", &[("zones", ".")], 1.0)],
        ..CASE
    },
    Case {
        name: "hit",
        given: known,
        client: "127.0.0.1",
        way: ["hit age ", "hit age "],
        steps: &[("memory", "told: ")],
        counted: &[
            ("coredns_cache_hits_total", &[("zones", "."), ("type", "success")], 1.0),
            ("coredns_cache_misses_total", &[("zones", ".")], 0.0),
            ("coredns_proxy_request_duration_seconds_count", &[("to", "CENTRE")], 0.0),
            ("coredns_dns_responses_total", &[("zone", "."), ("rcode", "NOERROR"), ("plugin", "cache")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "negative",
        given: known,
        client: "127.0.0.1",
        asked: ["none.example.com", "A"],
        rcode: "NXDOMAIN",
        way: ["hit age ", "hit age "],
        steps: &[("memory", "told: ")],
        counted: &[("coredns_cache_hits_total", &[("zones", "."), ("type", "denial")], 1.0)],
        ..CASE
    },
    Case {
        name: "coalesced",
        given: under_way,
        client: "127.0.0.1",
        asked: ["a.slow.test", "A"],
        again: Some("b.slow.test"),
        rcode: "NXDOMAIN",
        way: ["miss, shared with others who asked the same, ", "miss, shared with others who asked the same, "],
        end: "; block slow.test",
        steps: &[("coalesced", "somebody else asked the same")],
        counted: &[
            ("nearpath_coalesced_total", &[], 1.0),
            ("coredns_cache_misses_total", &[("zones", "slow.test.")], 2.0),
            ("coredns_proxy_request_duration_seconds_count", &[("to", "SLOW")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "stale",
        given: expired,
        client: "127.0.0.1",
        asked: ["a.stale.test", "A"],
        ede: Some((3, "stale, upstream does not answer")),
        way: ["stale age ", "stale age "],
        end: "; block stale.test",
        steps: &[("memory", "past its end")],
        counted: &[
            ("coredns_cache_served_stale_total", &[("zones", "stale.test.")], 1.0),
            ("nearpath_stale_replies_total", &[], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "a failure of a moment ago",
        given: known,
        client: "127.0.0.1",
        asked: ["never.stale.test", "A"],
        rcode: "SERVFAIL",
        ede: Some((13, "")),
        way: ["failed a moment ago age ", "failed a moment ago age "],
        end: "; block stale.test",
        steps: &[("memory", "a failure that is not asked for again yet")],
        counted: &[("coredns_proxy_request_duration_seconds_count", &[("to", "STALE")], 0.0)],
        ..CASE
    },
];

#[test]
fn what_memory_knows_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let upstreams = [("CENTRE", TABLE), ("SLOW", TABLE), ("STALE", STALE)];
    holds(&mut House::new(COREFILE, &upstreams, "", None), CASES);
}
