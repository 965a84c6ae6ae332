//! CNAME records that lead out of a private zone: its server does not follow them, the daemon does, and says the whole chain.

use nearpath_tests::mode::note;
use nearpath_tests::objects::{ClusterIp, Port};
use nearpath_tests::{Reply, Upstream, ask};

use super::house::House;
use super::plane;
use std::fmt::Write as _;

const CORP: &str = "corp.example.";
const LAB: &str = "lab.example.";

const PRIVATE: &str = "\
corp.example:53 {
    bind IP
    cache
    privatezone {
        to KNOT
        max_qps 0
    }
    prometheus IP:9153
}
lab.example:53 {
    bind IP
    cache
    privatezone {
        to KNOT
        max_qps 0
    }
    prometheus IP:9153
}
outside.example:53 {
    bind IP
    cache
    forward . OUTSIDE
    prometheus IP:9153
}";

/// A chain that goes from one zone to the other with each link: `NAME-0` is in corp.example, and the last name has an address.
fn to_and_fro(name: &str, links: usize) -> [Vec<String>; 2] {
    let mut lines = [Vec::new(), Vec::new()];
    for link in 0..links {
        lines[link % 2].push(format!("{name}-{link} CNAME {name}-{}.{}", link + 1, zone_of(link + 1)));
    }
    lines[links % 2].push(format!("{name}-{links} A 203.0.113.{links}"));
    lines
}

fn zone_of(link: usize) -> &'static str {
    [CORP, LAB][link % 2]
}

/// What a reply to the first name of such a chain says.
fn expected(name: &str, links: usize) -> Vec<String> {
    let owner = |link: usize| format!("{name}-{link}.{}", zone_of(link));
    let link = |link: usize| format!("{} CNAME {}", owner(link), owner(link + 1));
    let end = format!("{} A 203.0.113.{links}", owner(links));
    (0..links).map(link).chain([end]).collect()
}

fn zones() -> [String; 2] {
    let mut texts = [String::new(), String::new()];
    let mut put = |zone: usize, line: &str| writeln!(texts[zone], "{line}").expect("a String takes all");
    for line in [
        "in-cluster CNAME web.pz-chains.svc.cluster.local.",
        "nowhere-in-cluster CNAME missing.pz-chains.svc.cluster.local.",
        "outside CNAME www.outside.example.",
        "nowhere-outside CNAME missing.outside.example.",
        "near CNAME here",
        "here A 203.0.113.100",
        "loop CNAME pool",
        "pool CNAME loop",
        "self CNAME self",
        "cross CNAME cross.lab.example.",
    ] {
        put(0, line);
    }
    put(1, "cross CNAME cross.corp.example.");
    for (name, links) in [("inner-eight", 8), ("inner-nine", 9)] {
        (0..links).for_each(|link| put(0, &format!("{name}-{link} CNAME {name}-{}", link + 1)));
        put(0, &format!("{name}-{links} A 203.0.113.{links}"));
    }
    for (name, links) in [("one", 1), ("eight", 8), ("nine", 9), ("twelve", 12)] {
        let lines = to_and_fro(name, links);
        lines.iter().enumerate().for_each(|(zone, lines)| lines.iter().for_each(|line| put(zone, line)));
    }
    texts
}

#[test]
fn a_chain_is_followed_wherever_it_leads() {
    let Some(plane) = plane() else { return };
    let outside = Upstream::with(&[
        "outside.example. 60 SOA ns.outside.example. root.outside.example. 1 60 60 60 60",
        "www.outside.example. 60 A 203.0.113.200",
    ]);
    let [corp, lab] = zones();
    let private = PRIVATE.replace("OUTSIDE", &outside.address());
    let mut house = House::new(plane, "chains", &[(CORP, &corp), (LAB, &lab)], &private);
    let service = house.api.service("pz-chains", "web", &[Port::tcp("http", 80)], ClusterIp::Any);
    let address = service["spec"]["clusterIP"].as_str().expect("an address").to_owned();
    let web = "web.pz-chains.svc.cluster.local.";
    crate::cluster::soon("the centre knows the Service", || house.daemon.asked(&ask(web, "A")).rcode == 0);

    for turn in ["cold", "cached"] {
        let asked = |name: &str| house.daemon.asked(&ask(&format!("{name}.{CORP}"), "A").edns(1232));
        let to_web = format!("in-cluster.{CORP} CNAME {web}");
        says(turn, &asked("in-cluster"), &[to_web, format!("{web} A {address}")]);
        let to_www = format!("outside.{CORP} CNAME www.outside.example.");
        says(turn, &asked("outside"), &[to_www, "www.outside.example. A 203.0.113.200".to_owned()]);
        says(turn, &asked("near"), &[format!("near.{CORP} CNAME here.{CORP}"), format!("here.{CORP} A 203.0.113.100")]);
        for (name, links) in [("one", 1), ("eight", 8)] {
            says(turn, &asked(&format!("{name}-0")), &expected(name, links));
        }
        let inner = |link: usize| format!("inner-eight-{link}.{CORP}");
        let links = (0..8).map(|link| format!("{} CNAME {}", inner(link), inner(link + 1)));
        let whole: Vec<_> = links.chain([format!("{} A 203.0.113.8", inner(8))]).collect();
        says(turn, &asked("inner-eight-0"), &whole);
        for (name, target) in [
            ("nowhere-in-cluster", "missing.pz-chains.svc.cluster.local."),
            ("nowhere-outside", "missing.outside.example."),
        ] {
            let reply = asked(name);
            reply.is("NXDOMAIN").answers_are(&[&format!("{name}.{CORP} CNAME {target}")]).has_soa();
        }
        for name in ["loop", "self", "cross", "nine-0", "twelve-0", "inner-nine-0"] {
            let reply = asked(name);
            reply.is("SERVFAIL");
            assert!(!reply.edes().is_empty(), "{turn}: {name}: an Extended DNS Error says why\n{reply}");
            note(&format!("{turn}: {name}: SERVFAIL with EDE {:?}", reply.edes()));
        }
    }
    // part of a chain is an answer of its own, whole or not: the last eight links of the nine
    let reply = house.daemon.asked(&ask(&format!("nine-1.{LAB}"), "A"));
    says("from its second link", &reply, &expected("nine", 9)[1..]);
    // the type that is asked for decides: a CNAME that is asked for is the answer
    let reply = house.daemon.asked(&ask(&format!("outside.{CORP}"), "CNAME"));
    says("asked for itself", &reply, &[format!("outside.{CORP} CNAME www.outside.example.")]);
    house.daemon.is_well();
}

/// The answer is these records in this order, from a resolver and not from an authority.
#[track_caller]
fn says(turn: &str, reply: &Reply, records: &[String]) {
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    reply.is("NOERROR").answers_in_order(&records);
    assert!(reply.flags & 0x0400 == 0, "{turn}: AA is not kept\n{reply}");
}
