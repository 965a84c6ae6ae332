//! Why AutoPath does not search: each reason, of the question and of the client.

use std::thread::sleep;
use std::time::Duration;

use nearpath_tests::apiserver::{ApiServer, Fault};
use nearpath_tests::mode;
use nearpath_tests::objects::{Pod, PodStatus};

use super::house::{House, until};
use super::walks::SEARCH;
use super::{CASE, Case, holds};
use crate::scenario::TABLE;

const FIRST: &str = "www.example.com.shop.svc.cluster.local";
const PLAIN: &str = "nearpath_autopath_plain_total";
const RESULTS: &str = "nearpath_autopath_results_total";

const COREFILE: &str = "cluster.local:PORT {\n bind IP\n prometheus IP:9153\n autopath shop.svc.cluster.local {\n  pods FOLDER/pods\n }\n \
                        cache {\n  success 9984 30 30\n  denial 9984 30 30\n }\n forward . CENTRE\n}\n\
                        .:PORT {\n bind IP\n acl example.com {\n  block net 127.3.0.6/32\n }\n cache\n forward . OUTSIDE\n}\n";

/// A question that is resolved as asked: the centre denies it.
const AS_ASKED: Case = Case {
    asked: [FIRST, "A"],
    rcode: "NXDOMAIN",
    way: ["", "hit age "],
    end: "",
    steps: &[("block", "cluster.local")],
    ..CASE
};

const CASES: &[Case] = &[
    Case {
        name: "no autopath: type",
        asked: [FIRST, "SOA"],
        plain: Some("nobody searches for this type"),
        counted: &[(PLAIN, &[("reason", "type")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: dnssec",
        options: &["+dnssec"],
        plain: Some("the client wants signatures (DO)"),
        counted: &[(PLAIN, &[("reason", "dnssec")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: zone",
        asked: ["kubernetes.default.svc.cluster.local", "A"],
        rcode: "NOERROR",
        plain: Some("outside the zones of autopath"),
        counted: &[(PLAIN, &[("reason", "zone")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: name",
        client: "127.3.0.5",
        plain: Some("not below the client's first search domain"),
        counted: &[(PLAIN, &[("reason", "name")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: dots",
        client: "127.3.0.2",
        plain: Some("as many dots as the client's ndots"),
        counted: &[(PLAIN, &[("reason", "dots")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: unknown",
        client: "127.3.0.9",
        plain: Some("no pod is known to have the client's address"),
        counted: &[(PLAIN, &[("reason", "unknown")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "no autopath: conflict",
        client: "127.3.0.3",
        plain: Some("two pods claim the client's address"),
        counted: &[(PLAIN, &[("reason", "conflict")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
    Case {
        name: "autopath past memory: gate",
        client: "127.3.0.6",
        rcode: "SERVFAIL",
        ede: Some((18, "search stopped at www.example.com. A: REFUSED, refused by acl")),
        way: ["failed, the search was stopped; ", "failed, the search was stopped; "],
        plain: Some("acl stands in the way of a candidate"),
        walk: &["does not exist", "does not exist", "does not exist", "failed"],
        counted: &[(PLAIN, &[("reason", "gate")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 1.0)],
        ..AS_ASKED
    },
];

#[test]
fn why_nobody_searches_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let pods = format!(
        "shop/web 127.3.0.1 {SEARCH}\nshop/few 127.3.0.2 {SEARCH} ndots 2\nshop/one 127.3.0.3 {SEARCH}\n\
         shop/two 127.3.0.3 {SEARCH}\nother/web 127.3.0.5 search other.svc.cluster.local svc.cluster.local cluster.local\n\
         shop/barred 127.3.0.6 {SEARCH}\n"
    );
    let upstreams = [("CENTRE", TABLE), ("OUTSIDE", TABLE)];
    holds(&mut House::new(COREFILE, &upstreams, &pods, None), CASES);
}

const WATCHED: &str = "cluster.local:PORT {\n bind IP\n prometheus IP:9153\n autopath @kubernetes\n cache {\n  success 9984 30 30\n  \
                       denial 9984 30 30\n }\n forward . CENTRE\n}\n\
                       .:PORT {\n bind IP\n cache\n forward . OUTSIDE\n}\n";

const BY_WATCH: &[Case] = &[
    Case {
        name: "autopath from the watch",
        client: "127.3.1.1",
        asked: [FIRST, "A"],
        way: ["miss udp OUTSIDE ", "hit age "],
        end: "; autopath 4 candidates, 4th; block cluster.local",
        walk: &["does not exist", "does not exist", "does not exist", "answers; "],
        counted: &[(PLAIN, &[], 0.0), (RESULTS, &[("position", "absolute")], 1.0)],
        ..CASE
    },
    Case {
        name: "no autopath: host_network",
        client: "127.3.1.2",
        plain: Some("the client is in the host's network"),
        counted: &[(PLAIN, &[("reason", "host_network")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
        ..AS_ASKED
    },
];

const NOT_SYNCED: &[Case] = &[Case {
    name: "no autopath: not_synced",
    client: "127.3.1.1",
    plain: Some("the pods of this node are not known yet"),
    counted: &[(PLAIN, &[("reason", "not_synced")], 1.0), (PLAIN, &[], 1.0), (RESULTS, &[], 0.0)],
    ..AS_ASKED
}];

/// An API server with a pod, and one in the host's network.
fn cluster() -> ApiServer {
    let server = ApiServer::new();
    server.pod(&Pod::new("shop", "web").on("node-1"), &PodStatus::running(&["127.3.1.1"]));
    server.pod(&Pod::new("kube-system", "proxy").on("node-1").host_network(), &PodStatus::running(&["127.3.1.2"]));
    server
}

#[test]
fn what_the_watch_says_of_a_client_is_told_alike_by_all_three() {
    if !mode::have("scenario: one story", &["dig"]) {
        return;
    }
    let upstreams = [("CENTRE", TABLE), ("OUTSIDE", TABLE)];
    let mut house = House::new(WATCHED, &upstreams, "", Some(cluster()));
    until("the index is in step", || {
        house.asks("127.3.1.1", "instep.wild.example.com.shop.svc.cluster.local").rcode == 0
    });
    holds(&mut house, BY_WATCH);

    let server = cluster();
    server.fails(Fault::Hang);
    let mut house = House::new(WATCHED, &upstreams, "", Some(server));
    sleep(Duration::from_millis(100));
    holds(&mut house, NOT_SYNCED);
}
