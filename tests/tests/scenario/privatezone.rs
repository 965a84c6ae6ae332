//! Private zones between clients and scripted upstreams: whose a name is, how long an answer stands, where a chain leads.

mod chains;
mod rate;
mod vanish;

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::TABLE;

/// What the private zone has.
const CORP: &[&str] = &[
    "corp.example. 300 SOA ns.corp.example. admin.corp.example. 1 7200 900 1209600 60",
    "db.corp.example. 300 A 10.20.0.1",
    "db.corp.example. 300 AAAA fd00::20",
    "long.corp.example. 86400 A 10.20.0.2",
    "brief.corp.example. 1 A 10.20.0.3",
    "text.corp.example. 60 TXT one",
    "api.eu.corp.example. 300 A 10.30.0.1",
];

/// The centre knows the outside and what the cluster has; of the private zone it has other records, which nobody may see.
const CENTRE: &[&str] = &[
    "corp.example. 300 SOA ns.public.example. admin.public.example. 1 7200 900 1209600 60",
    "db.corp.example. 300 A 203.0.113.66",
    "www.corp.example. 300 A 203.0.113.80",
];

/// A private zone beside the centre, as a Corefile of a node has them.
const STOCK: &str = "corp.example:PORT {\n bind IP\n errors\n cache\n privatezone corp.example {\n  to ZONE\n  max_qps 0\n }\n}\n\
                     .:PORT {\n bind IP\n errors\n cache\n forward . CENTRE\n}\n";

/// A daemon between a private zone's server and the centre.
struct Node {
    zone: Upstream,
    centre: Upstream,
    daemon: Daemon,
}

#[track_caller]
fn node(corefile: &str) -> Node {
    let zone = Upstream::with(CORP);
    let centre = Upstream::with(&[TABLE, CENTRE].concat());
    let words = [("ZONE", zone.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::given(corefile, &words);
    Node { zone, centre, daemon }
}

/// The stock layout with more lines in the directive.
fn with(lines: &str) -> String {
    STOCK.replace("max_qps 0\n", &format!("max_qps 0\n{lines}\n"))
}

#[test]
fn a_private_name_is_asked_of_its_zone_and_of_nobody_else() {
    let node = node(STOCK);
    for _ in 0..2 {
        let reply = node.daemon.asked(&ask("db.corp.example", "A"));
        reply.is("NOERROR").answers_are(&["db.corp.example. A 10.20.0.1"]).ttls_within(298..=300);
        assert_eq!(reply.flags & 0x0400, 0, "AA is not kept:\n{reply}");
        node.daemon.asked(&ask("www.corp.example", "A")).is("NXDOMAIN").has_soa();
        node.daemon.asked(&ask("db.corp.example", "MX")).is("NOERROR").answers_are(&[]).has_soa();
        node.daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
    assert!(node.centre.seen().iter().all(|seen| !seen.name.ends_with("corp.example.")), "{:?}", node.centre.seen());
    assert!(node.zone.seen().iter().all(|seen| seen.name.ends_with("corp.example.")), "{:?}", node.zone.seen());
    assert_eq!(node.zone.asked_for("db.corp.example."), 2, "A and MX, each once");
}

#[test]
fn ttls_stay_within_their_bounds_and_denials_are_brief() {
    let node = node(&with("ttl_min 20s\nttl_max 100s"));
    node.daemon.asked(&ask("long.corp.example", "A")).ttls_within(99..=100);
    node.daemon.asked(&ask("brief.corp.example", "A")).ttls_within(19..=20);
    let denied = node.daemon.asked(&ask("none.corp.example", "A"));
    assert!(
        denied.is("NXDOMAIN").lines.iter().all(|line| line.ttl <= 5),
        "negative_ttl_max is 5s by itself:\n{denied}"
    );
    sleep(Duration::from_millis(5_100));
    node.daemon.asked(&ask("none.corp.example", "A")).is("NXDOMAIN");
    assert_eq!(node.zone.asked_for("none.corp.example."), 2);
}

#[test]
fn the_longest_zone_wins_also_within_one_block() {
    let eu = Upstream::with(&["eu.corp.example. 300 SOA a. b. 1 2 3 4 60", "api.eu.corp.example. 300 A 10.40.0.1"]);
    let corp = Upstream::with(CORP);
    let corefile = ".:PORT {\n bind IP\n errors\n cache\n privatezone corp.example {\n  to ZONE\n  max_qps 0\n }\n \
                    privatezone eu.corp.example {\n  to EU\n  max_qps 0\n }\n forward . CENTRE\n}\n";
    let centre = Upstream::with(TABLE);
    let words = [("ZONE", corp.address()), ("EU", eu.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::given(corefile, &words);
    daemon.asked(&ask("api.eu.corp.example", "A")).answers_are(&["api.eu.corp.example. A 10.40.0.1"]);
    daemon.asked(&ask("no.eu.corp.example", "A")).is("NXDOMAIN");
    daemon.asked(&ask("db.corp.example", "A")).answers_are(&["db.corp.example. A 10.20.0.1"]);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert!(corp.seen().iter().all(|seen| seen.name == "db.corp.example."), "{:?}", corp.seen());
    assert!(centre.seen().iter().all(|seen| seen.name == "www.example.com."), "{:?}", centre.seen());
}

#[test]
fn fallthrough_asks_elsewhere_for_what_does_not_exist_and_for_nothing_else() {
    let corefile = with("fallthrough").replace(" }\n}\n.", " }\n forward . CENTRE\n}\n.");
    let node = node(&corefile);
    for _ in 0..2 {
        node.daemon
            .asked(&ask("www.corp.example", "A"))
            .is("NOERROR")
            .answers_are(&["www.corp.example. A 203.0.113.80"]);
        node.daemon.asked(&ask("db.corp.example", "A")).answers_are(&["db.corp.example. A 10.20.0.1"]);
        node.daemon.asked(&ask("db.corp.example", "TXT")).is("NOERROR").answers_are(&[]);
    }
    assert_eq!(node.zone.asked_for("www.corp.example."), 1, "what came of it is memorised");
    assert_eq!(node.centre.asked_for("www.corp.example."), 1);
    assert_eq!(node.centre.asked_for("db.corp.example."), 0, "NODATA is an answer");
    // a failure is none: the public zone would say something else
    node.zone.behaves_for("sad.corp.example.", Behaviour::Rcode(2));
    node.daemon.asked(&ask("sad.corp.example", "A")).is("SERVFAIL");
    assert_eq!(node.centre.asked_for("sad.corp.example."), 0);
    // the public answer rests on the private denial, which lives for 5 s
    node.zone.knows(&["corp.example. 300 SOA a. b. 1 2 3 4 60", "www.corp.example. 300 A 10.20.0.80"]);
    sleep(Duration::from_millis(5_100));
    node.daemon.asked(&ask("www.corp.example", "A")).answers_are(&["www.corp.example. A 10.20.0.80"]);
    // and what vanished is not kept as if it had been the private zone's own
    node.zone.knows(CORP);
    node.daemon.asked(&ask("new.corp.example", "A")).is("NXDOMAIN");
}

#[test]
fn a_private_name_of_a_pod_is_one_question_and_its_proofs_come_from_the_cut() {
    let corefile =
        "cluster.local:PORT {\n bind IP\n errors\n autopath {\n  pods FOLDER/pods\n }\n cache\n forward . CENTRE\n}\n"
            .to_owned()
            + STOCK;
    let (zone, centre) = (Upstream::with(CORP), Upstream::with(TABLE));
    let pods = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n";
    let words = [("ZONE", zone.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::with(&corefile, &words, &[("pods", pods)], &[]);
    let pod = daemon.client_at(IpAddr::from([127, 3, 0, 1]));
    let asks = |name: &str| {
        let reply = pod.asks(&ask(&format!("{name}.shop.svc.cluster.local"), "A"));
        reply.is("NOERROR");
        reply.answers().last().map(|text| (*text).to_owned())
    };
    let names = ["db.corp.example", "long.corp.example", "api.eu.corp.example", "brief.corp.example"];
    let found = names.map(|name| asks(name).unwrap_or_default());
    assert_eq!(found[0], "db.corp.example. A 10.20.0.1");
    assert_eq!(found[2], "api.eu.corp.example. A 10.30.0.1");
    sleep(Duration::from_millis(6_000)); // the proofs live for 5 s
    let before = centre.seen().len();
    assert_eq!(names.map(|name| asks(name).unwrap_or_default()), found);
    let new: Vec<_> = centre.seen().split_off(before).into_iter().map(|seen| seen.name).collect();
    assert!(new.iter().all(|name| name.starts_with("example.")), "proofs of the cut at most: {new:?}");
    assert!(centre.seen().iter().all(|seen| seen.name.ends_with("cluster.local.")), "{:?}", centre.seen());
    assert!(zone.seen().iter().all(|seen| seen.name.ends_with("corp.example.")), "{:?}", zone.seen());
}

#[test]
fn a_dead_resolver_leaves_stale_answers_and_is_back_at_once() {
    let mut node =
        node(&with("ttl_max 1s").replace("cache\n privatezone", "cache {\n  success 9984 3600 0\n }\n privatezone"));
    node.daemon.asked(&ask("db.corp.example", "A")).is("NOERROR");
    node.zone.dies();
    sleep(Duration::from_millis(1_100));
    let stale = node.daemon.asked(&ask("db.corp.example", "A").edns(1232));
    stale.is("NOERROR").answers_are(&["db.corp.example. A 10.20.0.1"]).ede(&[3]);
    for name in ["one", "two", "three"] {
        let begun = Instant::now();
        node.daemon.asked(&ask(&format!("{name}.corp.example"), "A").edns(1232)).is("SERVFAIL").ede(&[22]);
        assert!(begun.elapsed() < Duration::from_secs(4), "{name} took {:?}", begun.elapsed());
    }
    assert!(node.centre.seen().is_empty(), "nobody else is asked: {:?}", node.centre.seen());
    sleep(Duration::from_millis(1_500)); // long enough to be down by its checks
    node.zone.revive();
    node.zone.knows(&[CORP, &["one.corp.example. 300 A 10.20.0.11"]].concat());
    let begun = Instant::now();
    loop {
        let reply = node.daemon.asked(&ask("one.corp.example", "A").edns(1232));
        if reply.rcode == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "a failure outlives the resolver's return:\n{reply}");
        sleep(Duration::from_millis(50));
    }
    mode::note(&format!("  an answer {:?} after the resolver was back", begun.elapsed()));
    let fresh = node.daemon.asked(&ask("db.corp.example", "A").edns(1232));
    assert!(fresh.edes().is_empty(), "fresh again:\n{fresh}");
}
