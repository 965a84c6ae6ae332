//! The answer store as clients see it: hits, ages, negative answers, failures that are remembered, coalescing.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::message::Reply;
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::{TABLE, centre, plain};

#[test]
fn the_second_question_is_answered_from_memory_and_ages() {
    let centre = centre();
    let daemon = plain(&centre);
    daemon.asked(&ask("www.example.com", "A")).ttls_within(299..=300);
    let first = daemon.asked(&ask("mixed.example.com", "A"));
    let before: Vec<u32> = first.lines.iter().map(|line| line.ttl).collect();
    sleep(Duration::from_millis(2_100));
    let second = daemon.asked(&ask("mixed.example.com", "A"));
    let after: Vec<u32> = second.lines.iter().map(|line| line.ttl).collect();
    assert_eq!(before.len(), 2);
    assert!(before[0] <= 7 && before[1] > 290, "each record set keeps its own TTL:\n{first}");
    for (before, after) in before.iter().zip(&after) {
        assert!(before - after >= 2, "TTLs age: {before} then {after}");
    }
    assert_eq!(centre.asked_for("mixed.example.com."), 1);
}

#[test]
fn an_answer_ends_with_its_ttl() {
    let centre = centre();
    let daemon = plain(&centre);
    daemon.asked(&ask("six.example.com", "A")).ttls_within(5..=6);
    sleep(Duration::from_millis(6_200));
    daemon.asked(&ask("six.example.com", "A")).is("NOERROR").ttls_within(5..=6);
    assert_eq!(centre.asked_for("six.example.com."), 2);
}

#[test]
fn negative_answers_are_memorised_as_their_soa_says() {
    let centre = centre();
    let daemon = plain(&centre);
    for _ in 0..3 {
        daemon.asked(&ask("nothing.example.com", "A")).is("NXDOMAIN").has_soa();
        daemon.asked(&ask("text.example.com", "A")).is("NOERROR").answers_are(&[]).has_soa();
    }
    assert_eq!(centre.asked_for("nothing.example.com."), 1);
    assert_eq!(centre.asked_for("text.example.com."), 1);
    // a type of its own, a question of its own
    daemon.asked(&ask("text.example.com", "TXT")).answers_are(&["text.example.com. TXT one two"]);
}

#[test]
fn do_and_cd_are_asked_apart() {
    let centre = centre();
    let daemon = plain(&centre);
    daemon.asked(&ask("www.example.com", "A"));
    daemon.asked(&ask("www.example.com", "A").dnssec());
    daemon.asked(&ask("www.example.com", "A").flag(0x0010));
    assert_eq!(centre.asked_for("www.example.com."), 3, "an answer for one must not serve the other");
}

#[test]
fn a_servfail_of_the_upstream_is_remembered_for_five_seconds() {
    let centre = centre();
    centre.behaves(Behaviour::Rcode(2));
    let daemon = plain(&centre);
    let start = Instant::now();
    daemon.asked(&ask("www.example.com", "A")).is("SERVFAIL");
    let first = centre.asked_for("www.example.com.");
    centre.behaves(Behaviour::Normal);
    daemon.asked(&ask("www.example.com", "A")).is("SERVFAIL");
    assert!(start.elapsed() < Duration::from_secs(4), "the machine is too busy for this test");
    assert_eq!(centre.asked_for("www.example.com."), first, "RFC 9520: not asked again within 5 s");
    sleep(Duration::from_millis(5_500));
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn refused_and_other_failures_reach_the_client_as_they_are() {
    let centre = centre();
    let daemon = plain(&centre);
    for (rcode, name) in [(5, "REFUSED"), (4, "NOTIMP"), (3, "NXDOMAIN")] {
        centre.behaves(Behaviour::Rcode(rcode));
        daemon.asked(&ask(&format!("rcode{rcode}.example.com"), "A")).is(name);
    }
}

#[test]
fn a_hundred_clients_with_one_question_are_one_question() {
    let centre = centre();
    centre.behaves(Behaviour::Slow(Duration::from_millis(500)));
    let daemon = plain(&centre);
    let clients: Vec<_> = (1..=100).map(|last| daemon.client_at([127, 0, 9, last].into())).collect();
    let asks: Vec<_> = clients.iter().map(|_| ask("www.example.com", "A")).collect();
    clients.iter().zip(&asks).for_each(|(client, asked)| client.send(&asked.wire()));
    for (client, asked) in clients.iter().zip(&asks) {
        let reply = Reply::read(&client.receive(Duration::from_secs(6)).expect("a reply")).unwrap();
        assert_eq!(reply.id, asked.id, "each gets its own id");
        reply.is("NOERROR").answers_are(&["www.example.com. A 192.0.2.1"]);
    }
    assert_eq!(centre.asked_for("www.example.com."), 1);
}

#[test]
fn one_client_cannot_use_up_what_all_share() {
    let centre = centre();
    centre.behaves(Behaviour::Hang);
    let fast = Upstream::with(&["www.fast.example. 60 A 192.0.2.3"]);
    let daemon = Daemon::given(
        ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n\
         fast.example:PORT {\n bind IP\n forward . FAST\n}\n",
        &[("CENTRE", centre.address()), ("FAST", fast.address())],
    );
    let greedy = daemon.client_at([127, 0, 9, 200].into());
    // twice its bound, at a pace that no socket buffer loses
    for number in 0..2 * contract::limits::MISSES_PER_CLIENT_MAX {
        greedy.send(&ask(&format!("n{number}.example.com"), "A").edns(1232).wire());
        if number % 64 == 63 {
            sleep(Duration::from_millis(3));
        }
    }
    let modest = daemon.client_at([127, 0, 9, 201].into());
    modest.asks(&ask("www.fast.example", "A")).is("NOERROR");
    let refused = Reply::read(&greedy.receive(Duration::from_secs(3)).expect("what is over the bound is told at once"));
    refused.unwrap().is("SERVFAIL").ede(&[0]);
}

#[test]
fn keepttl_and_disable_do_what_they_say() {
    let centre = Upstream::with(TABLE);
    let daemon = Daemon::given(
        ".:PORT {\n bind IP\n cache 3600 {\n  disable denial\n  keepttl\n }\n forward . CENTRE\n}\n",
        &[("CENTRE", centre.address())],
    );
    daemon.asked(&ask("six.example.com", "A")).ttls_within(6..=6);
    sleep(Duration::from_millis(1_500));
    daemon.asked(&ask("six.example.com", "A")).ttls_within(6..=6);
    assert_eq!(centre.asked_for("six.example.com."), 1);
    daemon.asked(&ask("nothing.example.com", "A")).is("NXDOMAIN");
    daemon.asked(&ask("nothing.example.com", "A")).is("NXDOMAIN");
    assert_eq!(centre.asked_for("nothing.example.com."), 2);
}

#[test]
fn without_the_directive_nothing_is_memorised() {
    let centre = centre();
    let daemon = Daemon::given(".:PORT {\n bind IP\n forward . CENTRE\n}\n", &[("CENTRE", centre.address())]);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert_eq!(centre.asked_for("www.example.com."), 2);
}

#[test]
fn records_outside_the_question_s_chain_are_cut() {
    let centre = Upstream::with(&["a.example. 60 CNAME b.example.", "b.example. 60 A 192.0.2.1"]);
    let daemon = plain(&centre);
    let expected = ["a.example. CNAME b.example.", "b.example. A 192.0.2.1"];
    daemon.asked(&ask("a.example", "A")).answers_in_order(&expected);
    // what was learnt on the way to another name is not served as an answer of its own
    daemon.asked(&ask("b.example", "A")).is("NOERROR");
    assert_eq!(centre.asked_for("b.example."), 1);
}
