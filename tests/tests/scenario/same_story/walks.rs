//! AutoPath by what decides a search: each position of the list, the name itself, nobody, a candidate that fails.

use nearpath_tests::{Behaviour, mode};

use super::house::House;
use super::{CASE, Case, holds};
use crate::scenario::TABLE;

pub(super) const SEARCH: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local";

const COREFILE: &str = "cluster.local:PORT {\n bind IP\n prometheus IP:9153\n autopath {\n  pods FOLDER/pods\n }\n cache {\n  \
                        success 9984 30 30\n  denial 9984 30 30\n }\n forward . CENTRE\n}\n\
                        .:PORT {\n bind IP\n cache\n forward . OUTSIDE\n}\n";

const RESULTS: &str = "nearpath_autopath_results_total";
const SUCCESS: &str = "coredns_autopath_success_total";
const MISSING: &str = "does not exist";

/// The second candidate fails.
fn sad(house: &mut House, name: &str) {
    let second = name.replace(".shop.", ".");
    house.upstream("CENTRE").behaves_for(&format!("{second}."), Behaviour::Rcode(2));
}

const CASES: &[Case] = &[
    Case {
        name: "autopath: position 1",
        asked: ["db.shop.svc.cluster.local", "A"],
        way: ["miss udp CENTRE ", "hit age "],
        end: "; autopath 4 candidates, 1st; block cluster.local",
        walk: &["answers; memory, age "],
        steps: &[("candidate", "1 of 4: db.shop.svc.cluster.local. answers")],
        counted: &[(RESULTS, &[("position", "1")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 1.0)],
        ..CASE
    },
    Case {
        name: "autopath: position 2",
        asked: ["kubernetes.default.shop.svc.cluster.local", "A"],
        way: ["miss udp CENTRE ", "hit age "],
        end: "; autopath 4 candidates, 2nd; block cluster.local",
        walk: &[MISSING, "answers; memory, age "],
        steps: &[("candidate", "2 of 4: kubernetes.default.svc.cluster.local. answers")],
        counted: &[(RESULTS, &[("position", "2")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 1.0)],
        ..CASE
    },
    Case {
        name: "autopath: position 3",
        asked: ["top.shop.svc.cluster.local", "A"],
        way: ["miss udp CENTRE ", "hit age "],
        end: "; autopath 4 candidates, 3rd; block cluster.local",
        walk: &[MISSING, MISSING, "answers; memory, age "],
        counted: &[(RESULTS, &[("position", "3")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 1.0)],
        ..CASE
    },
    Case {
        name: "autopath: absolute",
        asked: ["www.example.com.shop.svc.cluster.local", "A"],
        way: ["miss udp OUTSIDE ", "hit age "],
        end: "; autopath 4 candidates, 4th; block cluster.local",
        walk: &[MISSING, MISSING, MISSING, "answers; memory, age "],
        counted: &[(RESULTS, &[("position", "absolute")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 1.0)],
        ..CASE
    },
    Case {
        name: "autopath: none",
        asked: ["nowhere.example.com.shop.svc.cluster.local", "A"],
        rcode: "NXDOMAIN",
        way: ["miss udp CENTRE ", "hit age "],
        end: "; autopath 4 candidates, none; block cluster.local",
        walk: &[MISSING, MISSING, MISSING, MISSING],
        counted: &[(RESULTS, &[("position", "none")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 0.0)],
        ..CASE
    },
    Case {
        name: "autopath: out of memory",
        given: |house, name| _ = house.asks("127.3.0.2", name),
        asked: ["x.wild.example.com.shop.svc.cluster.local", "A"],
        way: ["hit age ", "hit age "],
        end: "; autopath 4 candidates, 4th; from OUTSIDE; block cluster.local",
        walk: &[MISSING, MISSING, MISSING, "answers; memory, age "],
        counted: &[
            (RESULTS, &[], 0.0),
            ("coredns_cache_hits_total", &[("zones", "cluster.local."), ("type", "success")], 1.0),
        ],
        ..CASE
    },
    Case {
        name: "autopath: a candidate fails",
        given: sad,
        asked: ["sad.example.com.shop.svc.cluster.local", "A"],
        again: Some("sad.again.example.com.shop.svc.cluster.local"),
        rcode: "SERVFAIL",
        ede: Some((0, "search stopped at sad.")),
        way: ["failed, the search was stopped; ", "failed, the search was stopped; "],
        end: "; block cluster.local",
        walk: &[MISSING, "failed"],
        counted: &[(RESULTS, &[("position", "failed")], 1.0), (RESULTS, &[], 1.0), (SUCCESS, &[], 0.0)],
        ..CASE
    },
    Case {
        name: "autopath: a candidate failed a moment ago",
        given: |house, name| {
            sad(house, name);
            house.asks("127.3.0.2", name);
        },
        asked: ["sad.before.example.com.shop.svc.cluster.local", "A"],
        rcode: "SERVFAIL",
        // a search is not memorised as failed: its candidate is, and tells its own story
        ede: Some((13, "upstream said SERVFAIL")),
        way: ["failed, a candidate failed a moment ago; ", "failed, a candidate failed a moment ago; "],
        steps: &[("memory", "a failure that is not asked for again yet")],
        walk: &[MISSING, "failed"],
        end: "; block cluster.local",
        counted: &[(RESULTS, &[("position", "failed")], 1.0), (RESULTS, &[], 1.0)],
        ..CASE
    },
];

#[test]
fn what_decides_a_search_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let centre = [TABLE, &["top.cluster.local. 30 A 10.96.0.3"]].concat();
    let pods = format!("shop/web 127.3.0.1 {SEARCH}\nshop/other 127.3.0.2 {SEARCH}\n");
    let upstreams = [("CENTRE", centre.as_slice()), ("OUTSIDE", TABLE)];
    holds(&mut House::new(COREFILE, &upstreams, &pods, None), CASES);
}
