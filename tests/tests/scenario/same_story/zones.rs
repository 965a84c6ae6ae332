//! Private zones: answered by their resolver, kept for a moment, denied, and made of what the cluster's objects say.

use std::thread::sleep;
use std::time::Duration;

use nearpath_tests::ApiServer;
use nearpath_tests::mode;
use serde_json::json;

use super::house::{House, until};
use super::{CASE, Case, holds};

const COREFILE: &str = "corp.test:PORT {\n bind IP\n prometheus IP:9153\n cache {\n  success 9984 3600 0\n }\n privatezone corp.test {\n  \
                        to ZONE\n  max_qps 0\n  vanish_grace 60s\n }\n}\n\
                        dead.test:PORT {\n bind IP\n cache\n privatezone dead.test {\n  to DEAD\n  max_qps 0\n  watch\n }\n}\n";

const ZONE: &[&str] = &[
    "corp.test. 300 SOA ns.corp.test. admin.corp.test. 1 7200 900 1209600 60",
    "db.corp.test. 300 A 10.20.0.1",
    "brief.corp.test. 1 A 10.20.0.3",
];

/// It was just there.
fn vanished(house: &mut House, name: &str) {
    house.asks("127.0.0.1", name);
    house.upstream("ZONE").knows(&ZONE[..2]);
    sleep(Duration::from_millis(1_200));
}

/// An object publishes it, and nobody answers for it.
fn published(house: &mut House, name: &str) {
    house.upstream("DEAD").dies();
    let endpoint = json!({ "dnsName": name, "recordType": "A", "recordTTL": 60, "targets": ["10.20.0.9"] });
    let server = house.server.as_ref().expect("there is an API server");
    server.put(json!({
        "kind": "DNSEndpoint",
        "metadata": { "namespace": "shop", "name": name.split('.').next() },
        "spec": { "endpoints": [endpoint] },
    }));
    let known = |house: &House| {
        let name = ("nearpath_kubernetes_published_names", &[][..]);
        nearpath_tests::metrics::sum(&house.scrape(), name.0, name.1)
    };
    house.number += 1;
    until("the object is known", || known(house) as usize >= house.number);
    // its checks have found that nobody is there
    until("the resolver is down", || house.asks("127.0.0.1", "other.dead.test").edes() == [22]);
}

const TO_ZONE: &[(&str, &str)] = &[("proxy_name", "privatezone"), ("to", "ZONE")];

const CASES: &[Case] = &[
    Case {
        name: "private zone: answered",
        asked: ["db.corp.test", "A"],
        way: ["miss udp ZONE ", "hit age "],
        end: "; block corp.test",
        steps: &[("memory", ", from ZONE")],
        counted: &[
            ("coredns_proxy_request_duration_seconds_count", TO_ZONE, 1.0),
            ("coredns_dns_responses_total", &[("zone", "corp.test."), ("plugin", "privatezone")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "private zone: denied",
        asked: ["none.corp.test", "A"],
        rcode: "NXDOMAIN",
        way: ["miss udp ZONE ", "hit age "],
        end: "; block corp.test",
        steps: &[("memory", ", from ZONE")],
        counted: &[
            ("coredns_proxy_request_duration_seconds_count", TO_ZONE, 1.0),
            ("coredns_dns_responses_total", &[("zone", "corp.test."), ("rcode", "NXDOMAIN")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "private zone: kept for a moment",
        given: vanished,
        asked: ["brief.corp.test", "A"],
        ede: Some((3, "missing from its zone for a moment")),
        // the zone was asked, and denies it; that its last answer stands is what the error says
        way: ["miss udp ZONE ", "miss udp ZONE "],
        end: "; block corp.test",
        steps: &[("upstream", "udp ZONE: said NXDOMAIN"), ("plugin", "denied, and was there: its last answer stands")],
        counted: &[
            ("coredns_proxy_request_duration_seconds_count", TO_ZONE, 1.0),
            ("nearpath_privatezone_vanished_total", &[("zone", "corp.test.")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "private zone: made of what an object says",
        given: published,
        asked: ["shop.dead.test", "A"],
        again: Some("web.dead.test"),
        ede: Some((29, "made of ")),
        way: ["miss, made by privatezone; ", "miss, made by privatezone; "],
        end: "; block dead.test",
        steps: &[("plugin", "privatezone: ")],
        counted: &[
            ("nearpath_privatezone_synthesized_total", &[("zone", "dead.test.")], 1.0),
            ("coredns_dns_responses_total", &[("zone", "dead.test."), ("plugin", "privatezone")], 1.0),
        ],
        ..CASE
    },
];

#[test]
fn whose_word_an_answer_of_a_private_zone_is_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let upstreams = [("ZONE", ZONE), ("DEAD", ZONE)];
    holds(&mut House::new(COREFILE, &upstreams, "", Some(ApiServer::new())), CASES);
}
