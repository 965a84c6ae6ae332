//! CNAMEs out of a private zone: to the cluster, to the outside, into each other.

use std::fmt::Write as _;

use nearpath_tests::mode;
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::super::TABLE;
use super::{CORP, STOCK};

/// Two private zones, the cluster and the outside.
struct Place {
    corp: Upstream,
    lab: Upstream,
    centre: Upstream,
    daemon: Daemon,
}

#[track_caller]
fn place(corp: &[&str], lab: &[&str]) -> Place {
    let lab_soa = ["lab.example. 300 SOA ns.lab.example. admin.lab.example. 1 7200 900 1209600 60"];
    let (corp, lab) = (Upstream::with(&[CORP, corp].concat()), Upstream::with(&[&lab_soa, lab].concat()));
    let centre = Upstream::with(TABLE);
    let corefile = "cluster.local:PORT {\n bind IP\n errors\n cache\n forward . CENTRE\n}\n\
                    lab.example:PORT {\n bind IP\n errors\n cache\n privatezone {\n  to LAB\n  max_qps 0\n }\n}\n"
        .to_owned()
        + STOCK;
    let words = [("ZONE", corp.address()), ("LAB", lab.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::given(&corefile, &words);
    Place { corp, lab, centre, daemon }
}

#[test]
fn a_chain_that_leads_out_is_followed_by_our_own_blocks() {
    let place = place(
        &[
            "in.corp.example. 60 CNAME db.shop.svc.cluster.local.",
            "out.corp.example. 60 CNAME web.example.com.",
            "dead.corp.example. 60 CNAME none.shop.svc.cluster.local.",
            "near.corp.example. 60 CNAME db.corp.example.",
        ],
        &[],
    );
    for _ in 0..2 {
        let reply = place.daemon.asked(&ask("in.corp.example", "A"));
        let chain = ["in.corp.example. CNAME db.shop.svc.cluster.local.", "db.shop.svc.cluster.local. A 10.96.0.7"];
        reply.is("NOERROR").answers_in_order(&chain);
        assert_eq!(reply.flags & 0x0400, 0, "{reply}");
        place.daemon.asked(&ask("out.corp.example", "A")).is("NOERROR").answers_in_order(&[
            "out.corp.example. CNAME web.example.com.",
            "web.example.com. CNAME www.example.com.",
            "www.example.com. A 192.0.2.1",
        ]);
        let dead = place.daemon.asked(&ask("dead.corp.example", "A"));
        dead.is("NXDOMAIN").answers_in_order(&["dead.corp.example. CNAME none.shop.svc.cluster.local."]).has_soa();
        let near = ["near.corp.example. CNAME db.corp.example.", "db.corp.example. A 10.20.0.1"];
        place.daemon.asked(&ask("near.corp.example", "A")).answers_in_order(&near);
        // the CNAME itself is followed by nobody
        let alone = ["out.corp.example. CNAME web.example.com."];
        place.daemon.asked(&ask("out.corp.example", "CNAME")).answers_in_order(&alone);
    }
    assert_eq!(place.corp.asked_for("in.corp.example."), 1, "the whole chain is memorised");
    assert_eq!(place.centre.asked_for("db.shop.svc.cluster.local."), 1);
    assert_eq!(place.centre.asked_for("in.corp.example."), 0);
}

#[test]
fn a_chain_through_two_private_zones_is_whole_and_a_loop_of_them_fails() {
    let place = place(
        &["one.corp.example. 60 CNAME two.lab.example.", "round.corp.example. 60 CNAME about.lab.example."],
        &["two.lab.example. 60 CNAME db.corp.example.", "about.lab.example. 60 CNAME round.corp.example."],
    );
    place.daemon.asked(&ask("one.corp.example", "A")).is("NOERROR").answers_in_order(&[
        "one.corp.example. CNAME two.lab.example.",
        "two.lab.example. CNAME db.corp.example.",
        "db.corp.example. A 10.20.0.1",
    ]);
    place.daemon.asked(&ask("round.corp.example", "A").edns(1232)).is("SERVFAIL").ede(&[0, 13]);
    place.daemon.asked(&ask("about.lab.example", "A").edns(1232)).is("SERVFAIL").ede(&[0, 13]);
    assert!(place.lab.asked_for("about.lab.example.") < 5);
}

#[test]
fn both_ends_of_a_loop_asked_at_once_do_not_wait_for_each_other() {
    let place = place(
        &["round.corp.example. 60 CNAME about.lab.example."],
        &["about.lab.example. 60 CNAME round.corp.example."],
    );
    place.corp.behaves(Behaviour::Slow(std::time::Duration::from_millis(100)));
    place.lab.behaves(Behaviour::Slow(std::time::Duration::from_millis(100)));
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for name in ["round.corp.example", "about.lab.example"] {
            let daemon = &place.daemon;
            scope.spawn(move || daemon.asked(&ask(name, "A")).is("SERVFAIL").rcode);
        }
    });
    mode::note(&format!("  both ends of a loop: {:?}", begun.elapsed()));
}

#[test]
fn eight_links_are_followed_and_nine_are_not() {
    let mut lines = Vec::new();
    for link in 0..9 {
        let mut line = String::new();
        let to = if link == 8 { "db.corp.example.".to_owned() } else { format!("l{}.corp.example.", link + 1) };
        write!(line, "l{link}.corp.example. 60 CNAME {to}").expect("a String takes all");
        lines.push(line);
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let in_zone = place(&lines, &[]);
    in_zone.daemon.asked(&ask("l0.corp.example", "A").edns(1232)).is("SERVFAIL").ede(&[0]);
    let eight = in_zone.daemon.asked(&ask("l1.corp.example", "A").edns(1232));
    assert_eq!(eight.is("NOERROR").answers().len(), 9, "{eight}");

    // the same from zone to zone, each link asked of another server
    let zigzag: Vec<String> = (0..9)
        .map(|link| {
            let zone = |link: usize| if link.is_multiple_of(2) { "corp" } else { "lab" };
            let to = if link == 8 {
                "www.example.com.".to_owned()
            } else {
                format!("z{}.{}.example.", link + 1, zone(link + 1))
            };
            format!("z{link}.{}.example. 60 CNAME {to}", zone(link))
        })
        .collect();
    let of = |zone: &str| {
        zigzag
            .iter()
            .filter(|line| line.contains(&format!(".{zone}.example. 60")))
            .map(String::as_str)
            .collect::<Vec<_>>()
    };
    let across = place(&of("corp"), &of("lab"));
    across.daemon.asked(&ask("z0.corp.example", "A").edns(1232)).is("SERVFAIL").ede(&[0]);
    let eight = across.daemon.asked(&ask("z1.lab.example", "A").edns(1232));
    assert_eq!(
        eight.is("NOERROR").answers().len(),
        9,
        "what failed behind nine links is not remembered of these:\n{eight}"
    );
    across.daemon.asked(&ask("z0.corp.example", "A").edns(1232)).is("SERVFAIL");
}

#[test]
fn a_chain_that_breaks_off_is_a_failure_and_is_not_memorised_as_an_answer() {
    let place = place(&["out.corp.example. 60 CNAME www.example.com."], &[]);
    place.centre.behaves(Behaviour::Rcode(2));
    place.daemon.asked(&ask("out.corp.example", "A").edns(1232)).is("SERVFAIL").answers_are(&[]);
    place.centre.behaves(Behaviour::Normal);
    std::thread::sleep(std::time::Duration::from_millis(5_200)); // failures are remembered for 5 s
    place
        .daemon
        .asked(&ask("out.corp.example", "A"))
        .is("NOERROR")
        .answers_in_order(&["out.corp.example. CNAME www.example.com.", "www.example.com. A 192.0.2.1"]);
}

#[test]
fn what_others_say_behind_a_link_is_not_believed_about_a_private_name() {
    let place = place(
        &[
            "x.corp.example. 60 CNAME cdn.example.com.",
            "o.corp.example. 60 A 10.20.0.9",
            "y.corp.example. 60 CNAME cdn2.example.com.",
            "p.corp.example. 60 CNAME q.example.com.",
        ],
        &[],
    );
    let public = [
        "cdn.example.com. 60 CNAME o.corp.example.",
        "o.corp.example. 60 A 203.0.113.66",
        "cdn2.example.com. 60 CNAME api.eu.corp.example.",
        "q.example.com. 60 CNAME p.corp.example.",
        "p.corp.example. 60 A 203.0.113.67",
    ];
    place.centre.knows(&[TABLE, &public].concat());
    for _ in 0..2 {
        place.daemon.asked(&ask("x.corp.example", "A")).is("NOERROR").answers_in_order(&[
            "x.corp.example. CNAME cdn.example.com.",
            "cdn.example.com. CNAME o.corp.example.",
            "o.corp.example. A 10.20.0.9",
        ]);
        place.daemon.asked(&ask("y.corp.example", "A")).is("NOERROR").answers_in_order(&[
            "y.corp.example. CNAME cdn2.example.com.",
            "cdn2.example.com. CNAME api.eu.corp.example.",
            "api.eu.corp.example. A 10.30.0.1",
        ]);
        place.daemon.asked(&ask("p.corp.example", "A").edns(1232)).is("SERVFAIL").ede(&[0, 13]);
    }
}

#[test]
fn an_acl_of_the_target_speaks_for_each_client_by_itself() {
    let corefile = "lab.example:PORT {\n bind IP\n acl {\n  block net 127.6.0.2/32\n }\n cache\n forward . CENTRE\n}\n"
        .to_owned()
        + STOCK;
    let corp = Upstream::with(&[CORP, &["alias.corp.example. 300 CNAME x.lab.example."]].concat());
    let centre = Upstream::with(&[TABLE, &["x.lab.example. 300 A 192.0.2.70"]].concat());
    let words = [("ZONE", corp.address()), ("CENTRE", centre.address())];
    let daemon = Daemon::given(&corefile, &words);
    let at = |last: u8| daemon.client_at(std::net::IpAddr::from([127, 6, 0, last]));
    for _ in 0..2 {
        at(1).asks(&ask("alias.corp.example", "A")).is("NOERROR");
        at(2).asks(&ask("x.lab.example", "A")).is("REFUSED");
        at(2).asks(&ask("alias.corp.example", "A")).is("REFUSED");
    }
    // at once, both ways round
    corp.behaves(Behaviour::Slow(std::time::Duration::from_millis(150)));
    std::thread::scope(|scope| {
        for last in [2, 1, 2, 1] {
            let client = at(last);
            let rcode = if last == 1 { "NOERROR" } else { "REFUSED" };
            scope.spawn(move || client.asks(&ask("alias.corp.example", "A")).is(rcode).rcode);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
}

#[test]
fn many_names_of_one_slow_target_ask_for_it_together() {
    let lines: Vec<String> = (0..40).map(|index| format!("a{index}.corp.example. 300 CNAME lb.example.com.")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let place = place(&lines, &[]);
    place.centre.knows(&[TABLE, &["lb.example.com. 300 A 192.0.2.80"]].concat());
    place.centre.behaves(Behaviour::Slow(std::time::Duration::from_millis(1_000)));
    std::thread::scope(|scope| {
        for index in 0..40 {
            let daemon = &place.daemon;
            scope.spawn(move || daemon.asked(&ask(&format!("a{index}.corp.example"), "A")).is("NOERROR").rcode);
        }
    });
    let asked = place.centre.asked_for("lb.example.com.");
    assert!(asked <= 6, "{asked} questions for one target"); // two flights, each may be hedged or sent again
}

#[test]
fn a_target_that_is_stale_leaves_the_alias_in_memory() {
    let mut place = place(&["out.corp.example. 300 CNAME short.example.com."], &[]);
    place.daemon.asked(&ask("out.corp.example", "A")).is("NOERROR");
    place.centre.dies();
    std::thread::sleep(std::time::Duration::from_millis(5_200));
    for _ in 0..20 {
        place.daemon.asked(&ask("out.corp.example", "A").edns(1232)).is("NOERROR").ede(&[3]);
    }
    let asked = place.corp.asked_for("out.corp.example.");
    assert!(asked <= 4, "the zone was asked {asked} times");
    place.corp.dies();
    std::thread::sleep(std::time::Duration::from_millis(5_200));
    place.daemon.asked(&ask("out.corp.example", "A").edns(1232)).is("NOERROR").ede(&[3]);
}
