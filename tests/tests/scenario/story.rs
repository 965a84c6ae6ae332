//! The line that `dig +nsid` shows, and the Extended DNS Errors beside it: by which way a reply came, and what to do where
//! there is none.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::{Ask, Behaviour, Daemon, Reply, Upstream, ask, mode};

use super::{TABLE, centre, plain};

const OVER_TCP: &str = ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n";

/// A question that asks who answers (NSID), as `dig +nsid` does.
fn why(name: &str) -> Ask {
    ask(name, "A").option(3, b"")
}

/// The Extended DNS Errors of a reply: code and text.
fn told(reply: &Reply) -> Vec<(u16, String)> {
    let options = reply.opt.iter().flat_map(|opt| &opt.options).filter(|(code, _)| *code == 15);
    let read =
        |octets: &[u8]| (u16::from_be_bytes([octets[0], octets[1]]), String::from_utf8_lossy(&octets[2..]).into());
    options.map(|(_, octets)| read(octets)).collect()
}

/// The way of a reply: the last of its Extended DNS Errors.
#[track_caller]
fn way(reply: &Reply) -> String {
    let told = told(reply);
    let Some((0, way)) = told.last() else { panic!("no way is told:\n{reply}") };
    way.clone()
}

/// The failure that a reply tells of, beside its way.
#[track_caller]
fn failure(reply: &Reply) -> (u16, String) {
    let mut told = told(reply);
    assert_eq!(told.len(), 2, "a failure and a way: {told:?}\n{reply}");
    let told = told.remove(0);
    assert!(told.1.len() <= contract::limits::EDE_TEXT_MAX, "{told:?}");
    told
}

#[test]
fn a_miss_tells_whom_it_asked_over_what_and_a_hit_how_old_it_is() {
    for (corefile, protocol) in [(OVER_TCP, "tcp"), (".:PORT {\n bind IP\n cache\n forward . CENTRE\n}\n", "udp")] {
        let centre = centre();
        let daemon = Daemon::given(corefile, &[("CENTRE", centre.address())]);
        let miss = way(daemon.asked(&why("www.example.com")).is("NOERROR"));
        assert!(miss.starts_with(&format!("miss {protocol} {} ", centre.address())), "{miss}");
        assert!(miss.ends_with("; block ."), "{miss}");
        let hit = way(daemon.asked(&why("www.example.com")).is("NOERROR"));
        assert!(hit.starts_with("hit age ") && hit.contains(&format!("; from {}; block .", centre.address())), "{hit}");
        let minimal = daemon.asked(&ask("www.example.com", "A").edns(1232));
        assert!(told(&minimal).is_empty(), "nobody asked why:\n{minimal}");
    }
}

#[test]
fn dig_shows_it() {
    if !mode::have("scenario", &["dig"]) {
        return;
    }
    let centre = centre();
    let daemon = plain(&centre);
    let at = daemon.address();
    let output = mode::command("dig")
        .args([&format!("@{}", at.ip()), "-p", &at.port().to_string(), "+nsid", "+time=6", "www.example.com", "A"])
        .output()
        .expect("dig runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("NSID: ") && text.contains("EDE: 0 (Other"), "{text}");
    assert!(text.contains(&format!("(miss udp {} ", centre.address())), "{text}");
}

#[test]
fn an_upstream_that_is_down_is_named_with_how_long() {
    let mut centre = centre();
    centre.dies();
    let daemon = plain(&centre);
    let address = centre.address();
    let reply = daemon.asked(&why("a.example.com"));
    let (code, text) = failure(reply.is("SERVFAIL"));
    assert_eq!(code, 23, "{text}");
    assert!(text.starts_with(&format!("{address} cannot be reached: ")), "{text}");
    let line = way(&reply);
    assert!(line.starts_with(&format!("failed udp {address} ")), "{line}");
    // asked again at once: memory tells of the same
    let reply = daemon.asked(&why("a.example.com"));
    let (code, again) = failure(reply.is("SERVFAIL"));
    assert_eq!((code, again), (13, text));
    assert!(way(&reply).starts_with("failed a moment ago age 0s of 5"), "{reply}");

    let deadline = Instant::now() + Duration::from_secs(30);
    let mut number = 0;
    let text = loop {
        number += 1;
        let reply = daemon.asked(&why(&format!("n{number}.example.com")));
        let (code, text) = failure(reply.is("SERVFAIL"));
        if code == 22 && !text.contains(" for 0 s") {
            break text;
        }
        assert!(Instant::now() < deadline, "its health checks fail: {text}");
        sleep(Duration::from_millis(200));
    };
    assert!(text.starts_with(&format!("all 1 upstreams are down, {address} for ")), "{text}");
    assert!(text.contains(" s; health checks go on"), "{text}");
}

#[test]
fn a_timeout_says_who_did_not_answer() {
    let centre = centre();
    centre.behaves(Behaviour::Hang);
    let daemon = plain(&centre);
    let reply = daemon.asked(&why("www.example.com"));
    let (code, text) = failure(reply.is("SERVFAIL"));
    assert_eq!(code, 22);
    assert!(text.starts_with(&format!("{} did not answer within ", centre.address())), "{text}");
    let line = way(&reply);
    assert!(line.starts_with(&format!("failed udp {} ", centre.address())), "{line}");
}

#[test]
fn a_bound_is_told_with_its_number_and_what_raises_it() {
    let centre = centre();
    let corefile = ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  max_concurrent 1\n }\n}\n";
    let daemon = Daemon::given(corefile, &[("CENTRE", centre.address())]);
    centre.behaves_for("slow.wild.example.com.", Behaviour::Slow(Duration::from_secs(2)));
    let first = daemon.client();
    first.send(&ask("slow.wild.example.com", "A").wire());
    let deadline = Instant::now() + Duration::from_secs(5);
    while centre.asked_for("slow.wild.example.com.") == 0 {
        assert!(Instant::now() < deadline, "the first question is under way");
        sleep(Duration::from_millis(10));
    }
    let reply = daemon.asked(&why("www.example.com"));
    let (code, text) = failure(reply.is("REFUSED"));
    assert_eq!(code, 0);
    assert!(text.starts_with("max_concurrent 1 of forward is reached: raise it"), "{text}");
    assert_eq!(way(&reply), "refused; block .");
    assert!(first.receive(Duration::from_secs(6)).is_some());
}

/// A private zone that is sent a message a second.
const PRIVATE: &str = "corp.example:PORT {\n bind IP\n cache\n privatezone corp.example {\n  to ZONE\n  max_qps 1\n  \
                       burst 1\n }\n}\n.:PORT {\n bind IP\n forward . CENTRE\n}\n";

#[test]
fn a_private_zone_tells_its_resolver_and_its_rate() {
    let zone = Upstream::with(&[
        "corp.example. 300 SOA ns.corp.example. admin.corp.example. 1 7200 900 1209600 60",
        "*.corp.example. 300 A 10.20.0.1",
    ]);
    let centre = Upstream::with(TABLE);
    let daemon = Daemon::given(PRIVATE, &[("ZONE", zone.address()), ("CENTRE", centre.address())]);
    let line = way(daemon.asked(&why("db.corp.example")).is("NOERROR"));
    let expected = format!("miss udp {} ", zone.address());
    assert!(line.starts_with(&expected) && line.ends_with("; block corp.example"), "{line}");
    let client = daemon.client();
    let asks: Vec<_> = (0..8).map(|number| why(&format!("n{number}.corp.example"))).collect();
    asks.iter().for_each(|asked| client.send(&asked.wire()));
    let replies: Vec<_> = asks.iter().map(|_| client.receive(Duration::from_secs(6)).expect("a reply")).collect();
    let refused = replies.iter().map(|wire| Reply::read(wire).unwrap()).find(|reply| reply.rcode == 2);
    let refused = refused.expect("not all of them had a turn in time");
    let (code, text) = failure(&refused);
    assert_eq!(code, 0);
    assert!(text.starts_with(&format!("{} is sent max_qps 1, ", zone.address())), "{text}");
    assert!(text.contains("raise max_qps or burst"), "{text}");
    assert!(way(&refused).starts_with("failed "), "{refused}");
}

#[test]
fn an_answer_of_a_hosts_file_says_so() {
    let corefile = ".:PORT {\n bind IP\n hosts FOLDER/hosts {\n  fallthrough\n }\n forward . CENTRE\n}\n";
    let centre = centre();
    let daemon =
        Daemon::with(corefile, &[("CENTRE", centre.address())], &[("hosts", "192.0.2.9 nas.example.com\n")], &[]);
    let line = way(daemon.asked(&why("nas.example.com")).answers_are(&["nas.example.com. A 192.0.2.9"]));
    assert_eq!(line, "miss, made by hosts; block .");
    let line = way(daemon.asked(&why("www.example.com")).is("NOERROR"));
    assert!(line.starts_with(&format!("miss udp {} ", centre.address())), "{line}");
}

#[test]
fn who_waited_for_somebody_elses_question_is_told_so() {
    let centre = centre();
    let daemon = plain(&centre);
    centre.behaves(Behaviour::Slow(Duration::from_millis(1_500)));
    let first = daemon.client();
    first.send(&why("www.example.com").wire());
    let deadline = Instant::now() + Duration::from_secs(5);
    while centre.seen().is_empty() {
        assert!(Instant::now() < deadline, "the first question is under way");
        sleep(Duration::from_millis(10));
    }
    let shared = way(daemon.asked(&why("www.example.com")).is("NOERROR"));
    assert!(shared.starts_with("miss, shared with others who asked the same, "), "{shared}");
    let led = way(&Reply::read(&first.receive(Duration::from_secs(6)).expect("a reply")).unwrap());
    assert!(led.starts_with(&format!("miss udp {} ", centre.address())), "{led}");
}
