//! Which server block answers, and who may ask.

use nearpath_tests::{Daemon, Upstream, ask};

use super::centre;

#[test]
fn the_longest_zone_wins_whatever_the_order_in_the_file() {
    let general = Upstream::with(&["www.example.com. 60 A 192.0.2.10", "www.sub.example.com. 60 A 192.0.2.10"]);
    let special = Upstream::with(&["www.sub.example.com. 60 A 192.0.2.20", "sub.example.com. 60 A 192.0.2.20"]);
    let root = Upstream::with(&["www.example.net. 60 A 192.0.2.30", "wwwexample.com. 60 A 192.0.2.30"]);
    let blocks = [
        ".:PORT {\n bind IP\n cache\n forward . ROOT\n}\n",
        "example.com:PORT {\n bind IP\n cache\n forward . GENERAL\n}\n",
        "sub.EXAMPLE.com:PORT {\n bind IP\n cache\n forward . SPECIAL\n}\n",
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let corefile: String = order.iter().map(|&index| blocks[index]).collect();
        let words = [("ROOT", root.address()), ("GENERAL", general.address()), ("SPECIAL", special.address())];
        let daemon = Daemon::given(&corefile, &words);
        daemon.asked(&ask("www.example.com", "A")).answers_are(&["www.example.com. A 192.0.2.10"]);
        daemon.asked(&ask("www.sub.example.com", "A")).answers_are(&["www.sub.example.com. A 192.0.2.20"]);
        daemon.asked(&ask("SUB.example.com", "A")).answers_are(&["sub.example.com. A 192.0.2.20"]);
        daemon.asked(&ask("wwwexample.com", "A")).answers_are(&["wwwexample.com. A 192.0.2.30"]);
    }
}

#[test]
fn a_name_without_a_block_is_refused() {
    let centre = centre();
    let daemon =
        Daemon::given("example.com:PORT {\n bind IP\n cache\n forward . CENTRE\n}\n", &[("CENTRE", centre.address())]);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    for name in ["www.example.net", "com", ".", "anexample.com"] {
        daemon.asked(&ask(name, "A").edns(1232)).is("REFUSED").ede(&[20]);
    }
    assert_eq!(centre.seen().len(), 1);
}

#[test]
fn a_reverse_zone_is_written_as_a_prefix() {
    let centre = Upstream::with(&["9.2.0.10.in-addr.arpa. 60 PTR host.example.com."]);
    let daemon =
        Daemon::given("10.0.0.0/14:PORT {\n bind IP\n cache\n forward . CENTRE\n}\n", &[("CENTRE", centre.address())]);
    let found = ["9.2.0.10.in-addr.arpa. PTR host.example.com."];
    daemon.asked(&ask("9.2.0.10.in-addr.arpa", "PTR")).is("NOERROR").answers_are(&found);
    daemon.asked(&ask("9.2.3.10.in-addr.arpa", "PTR")).is("NXDOMAIN");
    daemon.asked(&ask("9.2.4.10.in-addr.arpa", "PTR")).is("REFUSED");
}

#[test]
fn acl_decides_by_client_on_hits_too() {
    let centre = centre();
    let daemon = Daemon::given(
        ".:PORT {\n bind IP\n acl {\n  block net 127.9.0.0/24\n  filter net 127.9.1.0/24\n  drop net 127.9.2.0/24\n }\n \
         cache\n forward . CENTRE\n}\n",
        &[("CENTRE", centre.address())],
    );
    let asked = ask("www.example.com", "A").edns(1232);
    for _ in 0..2 {
        daemon.client_at([127, 9, 0, 1].into()).asks(&asked).is("REFUSED").answers_are(&[]).ede(&[18]);
        daemon.client_at([127, 9, 1, 1].into()).asks(&asked).is("NOERROR").answers_are(&[]).ede(&[17]);
        daemon.client_at([127, 9, 2, 1].into()).gets_silence(&asked.wire());
        daemon.client_at([127, 9, 3, 1].into()).asks(&asked).is("NOERROR").ttls_within(200..=300);
    }
    assert_eq!(centre.seen().len(), 1, "only who is allowed reaches the upstream");
}

#[test]
fn hosts_answers_from_its_file_and_hands_on_the_rest() {
    let centre = centre();
    let daemon = Daemon::with(
        ".:PORT {\n bind IP\n hosts FOLDER/hosts {\n  ttl 77\n  fallthrough\n }\n cache\n forward . CENTRE\n}\n",
        &[("CENTRE", centre.address())],
        &[("hosts", "192.0.2.50 printer.example.com printer\n2001:db8::50 printer.example.com\n")],
        &[],
    );
    let reply = daemon.asked(&ask("printer.example.com", "A"));
    reply.is("NOERROR").answers_are(&["printer.example.com. A 192.0.2.50"]).ttls_within(77..=77);
    daemon.asked(&ask("printer.example.com", "AAAA")).answers_are(&["printer.example.com. AAAA 2001:db8::50"]);
    let found = ["50.2.0.192.in-addr.arpa. PTR printer.", "50.2.0.192.in-addr.arpa. PTR printer.example.com."];
    daemon.asked(&ask("50.2.0.192.in-addr.arpa", "PTR")).answers_are(&found);
    daemon.asked(&ask("www.example.com", "A")).answers_are(&["www.example.com. A 192.0.2.1"]);
    assert_eq!(centre.asked_for("printer.example.com."), 0);
}

#[test]
fn whoami_is_never_memorised() {
    let daemon = Daemon::given(".:PORT {\n bind IP\n cache\n whoami\n}\n", &[]);
    for last in [1, 2, 1] {
        let reply = daemon.client_at([127, 0, 8, last].into()).asks(&ask("x.example.com", "A"));
        reply.is("NOERROR");
        let own = format!("x.example.com. A 127.0.8.{last}");
        assert!(reply.section(2).contains(&own.as_str()), "the client's own address:\n{reply}");
    }
}

#[test]
fn one_address_may_serve_one_zone_and_another_address_another() {
    let (one, two) = (Upstream::with(&["a. 9 A 192.0.2.1"]), Upstream::with(&["a. 9 A 192.0.2.2"]));
    let other = nearpath_tests::place::address();
    let daemon = Daemon::given(
        ".:PORT {\n bind IP\n forward . ONE\n}\n.:PORT {\n bind OTHER\n forward . TWO\n}\n",
        &[("ONE", one.address()), ("TWO", two.address()), ("OTHER", other.to_string())],
    );
    daemon.asked(&ask("a", "A")).answers_are(&["a. A 192.0.2.1"]);
    let there = std::net::SocketAddr::new(other, daemon.address().port());
    let client = nearpath_tests::Udp::from([127, 0, 0, 1].into(), there);
    client.asks(&ask("a", "A")).answers_are(&["a. A 192.0.2.2"]);
}

#[test]
fn a_wildcard_bind_replies_from_the_address_that_was_asked() {
    let centre = centre();
    // no `bind`: every address of the machine, on a port of its own
    let daemon = Daemon::given(".:PORT {\n cache\n forward . CENTRE\n}\n", &[("CENTRE", centre.address())]);
    for last in [1, 7, 9] {
        let there = std::net::SocketAddr::new([127, 77, 0, last].into(), daemon.address().port());
        // the client's socket takes nothing from another source
        nearpath_tests::Udp::from([127, 0, 0, 1].into(), there).asks(&ask("www.example.com", "A")).is("NOERROR");
    }
}
