//! What goes wrong, and what is refused: an upstream that is down or silent, a bound, an access list, no block.

use std::time::{Duration, Instant};

use nearpath_tests::{Behaviour, ask, mode};

use super::house::{House, until};
use super::{CASE, Case, holds};
use crate::scenario::TABLE;

const COREFILE: &str = "down.test:PORT {\n bind IP\n forward . DOWN\n prometheus IP:9153\n}\n\
                        mute.test:PORT {\n bind IP\n forward . MUTE\n}\n\
                        one.test:PORT {\n bind IP\n forward . SLOW {\n  max_concurrent 1\n }\n}\n\
                        blocked.test:PORT {\n bind IP\n acl {\n  block net 127.3.0.1\n }\n forward . CENTRE\n}\n\
                        filtered.test:PORT {\n bind IP\n acl {\n  filter type A\n }\n forward . CENTRE\n}\n";

fn down(house: &mut House, _: &str) {
    house.upstream("DOWN").dies();
    until("its health checks fail", || {
        let reply = house.asks("127.0.0.1", "a.down.test");
        reply.edes() == [22] && !reply.to_string().contains(" for 0 s")
    });
}

/// Says nothing about this name, and is well otherwise.
fn mute(house: &mut House, name: &str) {
    house.upstream("MUTE").behaves_for(&format!("{name}."), Behaviour::Hang);
}

/// As many questions are under way as may.
fn full(house: &mut House, _: &str) {
    house.upstream("SLOW").behaves(Behaviour::Slow(Duration::from_millis(2_500)));
    until("one question is under way", || {
        let name = house.unheard("one.test");
        house.sends(&ask(&name, "A"));
        // another one may be sent only if this one is refused
        let (asked, deadline) = (format!("{name}."), Instant::now() + Duration::from_secs(2));
        while house.upstreams["SLOW"].asked_for(&asked) == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        house.upstreams["SLOW"].asked_for(&asked) > 0
    });
}

const CASES: &[Case] = &[
    Case {
        name: "upstream down",
        given: down,
        asked: ["www.down.test", "A"],
        rcode: "SERVFAIL",
        ede: Some((22, "all 1 upstreams are down, DOWN for ")),
        way: ["failed udp DOWN ", "failed udp DOWN "],
        end: "; block down.test",
        steps: &[("upstream", "udp DOWN: no answer: "), ("upstream", "; down for ")],
        counted: &[
            ("coredns_forward_healthcheck_broken_total", &[], 1.0),
            ("coredns_dns_responses_total", &[("zone", "down.test."), ("rcode", "SERVFAIL")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "timeout",
        given: mute,
        asked: ["www.mute.test", "A"],
        again: Some("other.mute.test"),
        rcode: "SERVFAIL",
        ede: Some((22, "MUTE did not answer within ")),
        way: ["failed udp MUTE ", "failed udp MUTE "],
        end: "; block mute.test",
        steps: &[("upstream", "udp MUTE: no answer: ")],
        counted: &[("coredns_dns_responses_total", &[("zone", "mute.test."), ("rcode", "SERVFAIL")], 1.0)],
        ..CASE
    },
    Case {
        name: "bound reached",
        given: full,
        asked: ["www.one.test", "A"],
        rcode: "REFUSED",
        ede: Some((0, "max_concurrent 1 of forward is reached: raise it")),
        way: ["refused; block ", "refused; block "],
        end: "; block one.test",
        steps: &[("block", "one.test")],
        counted: &[
            ("nearpath_bounds_reached_total", &[("bound", "max_concurrent")], 1.0),
            ("coredns_forward_max_concurrent_rejects_total", &[], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "acl: block",
        asked: ["www.blocked.test", "A"],
        rcode: "REFUSED",
        ede: Some((18, "refused by acl")),
        way: ["refused by acl; ", "refused by acl; "],
        end: "; block blocked.test",
        steps: &[("gate", "acl says block")],
        counted: &[("coredns_acl_blocked_requests_total", &[("zone", "blocked.test.")], 1.0)],
        ..CASE
    },
    Case {
        name: "acl: filter",
        asked: ["www.filtered.test", "A"],
        ede: Some((17, "filtered by acl")),
        way: ["filtered by acl; ", "filtered by acl; "],
        end: "; block filtered.test",
        steps: &[("gate", "acl says filter")],
        counted: &[("coredns_acl_filtered_requests_total", &[("zone", "filtered.test.")], 1.0)],
        ..CASE
    },
];

#[test]
fn what_goes_wrong_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let upstreams = [("DOWN", TABLE), ("MUTE", TABLE), ("SLOW", TABLE), ("CENTRE", TABLE)];
    holds(&mut House::new(COREFILE, &upstreams, "", None), CASES);
}
