//! Why a name gets its answer, as dig shows it: every reason against AutoPath, who a client is, and what its walk comes to.

use std::fmt::Write as _;
use std::net::IpAddr;

use nearpath_tests::{Behaviour, Daemon, Upstream, ask, http, metrics, mode, place};

use super::TABLE;

const SEARCH: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local";

const COREFILE: &str = "cluster.local:PORT {\n bind IP\n errors\n prometheus IP:METRICS\n autopath {\n  pods FOLDER/pods\n }\n cache {\n  \
                        success 9984 30\n  denial 9984 30\n }\n forward . CENTRE\n}\n\
                        .:PORT {\n bind IP\n errors\n acl example.com {\n  block net 127.3.0.6/32\n }\n cache 30\n forward . OUTSIDE\n}\n";

const FIRST: &str = "www.example.com.shop.svc.cluster.local";

struct Node {
    daemon: Daemon,
    centre: Upstream,
    _outside: Upstream,
    metrics: u16,
}

#[track_caller]
fn node_with(corefile: &str, flags: &[&str]) -> Node {
    let (centre, outside) = (Upstream::with(TABLE), Upstream::with(TABLE));
    let metrics = place::port();
    let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address()), ("METRICS", (metrics + 1).to_string())];
    let long: String = (0..7).fold(String::new(), |mut text, number| {
        write!(text, " {}.example", "x".repeat(55 + number)).expect("a string takes all");
        text
    });
    let pods = format!(
        "shop/web 127.3.0.1 {SEARCH}\nshop/few 127.3.0.2 {SEARCH} ndots 2\nshop/one 127.3.0.3 {SEARCH}\n\
         shop/two 127.3.0.3 {SEARCH}\nshop/barred 127.3.0.6 {SEARCH}\nshop/long 127.3.0.7 {SEARCH}{long}\n"
    );
    let daemon = Daemon::with(corefile, &words, &[("pods", &pods)], flags);
    Node { daemon, centre, _outside: outside, metrics: metrics + 1 }
}

fn node() -> Node {
    node_with(COREFILE, &[])
}

impl Node {
    /// What dig prints for a client at 127.3.0.`last`.
    #[track_caller]
    fn dig(&self, last: u8, arguments: &[&str]) -> String {
        let at = self.daemon.address();
        let (server, port, from) = (format!("@{}", at.ip()), at.port().to_string(), format!("127.3.0.{last}"));
        let mut all = vec![server.as_str(), "-p", &port, "-b", &from, "+time=5", "+tries=1"];
        all.extend(arguments);
        let output = mode::command("dig").args(&all).output().expect("an installed program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "dig {all:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// The texts of a TXT, in the order of their numbers, without them.
    #[track_caller]
    fn texts(&self, last: u8, name: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec!["+short", "CH", "TXT", name];
        arguments.extend(more);
        let text = self.dig(last, &arguments);
        let mut lines: Vec<&str> = text.lines().map(|line| line.trim_matches('"')).collect();
        lines.sort_unstable();
        let numbered = lines.iter().enumerate().map(|(at, line)| {
            let expected = format!("{:02} ", at + 1);
            line.strip_prefix(&expected).unwrap_or_else(|| panic!("`{expected}` begins {line:?} of\n{text}")).to_owned()
        });
        numbered.collect()
    }

    fn counted(&self, reason: &str) -> f64 {
        let (status, page) = http::fetch(&format!("{}:{}", self.daemon.address().ip(), self.metrics), "/metrics");
        assert_eq!(status, 200);
        metrics::sum(&page, "nearpath_autopath_plain_total", &[("zone", "cluster.local."), ("reason", reason)])
    }
}

#[test]
fn each_reason_against_autopath_is_told_and_counted() {
    if !mode::have("scenario: dig", &["dig"]) {
        return;
    }
    let node = node();
    for (reason, last, arguments, told) in [
        ("type", 1, vec![FIRST, "SOA"], "no autopath: nobody searches for this type"),
        ("dnssec", 1, vec!["+dnssec", FIRST, "A"], "no autopath: the client wants signatures (DO)"),
        ("dots", 2, vec![FIRST, "A"], "no autopath: as many dots as the client's ndots"),
        (
            "name",
            1,
            vec!["web.other.svc.cluster.local", "A"],
            "no autopath: not below the client's first search domain",
        ),
        ("unknown", 9, vec![FIRST, "A"], "no autopath: no pod is known to have the client's address"),
        ("conflict", 3, vec![FIRST, "A"], "no autopath: two pods claim the client's address"),
        ("gate", 6, vec![FIRST, "A"], "autopath past memory: acl stands in the way of a candidate"),
    ] {
        assert_eq!(node.counted(reason), 0.0, "{reason}");
        for times in 1..=3 {
            let mut arguments = arguments.clone();
            arguments.insert(0, "+nsid");
            let text = node.dig(last, &arguments);
            assert!(text.contains(told), "{reason}, {times}: `{told}` in\n{text}");
            assert_eq!(node.counted(reason), f64::from(times), "{reason}");
        }
    }
    // a search is no refusal, and neither is a question to a block without autopath
    let before: f64 = node.counted_all();
    let text = node.dig(1, &["+nsid", FIRST, "A"]);
    assert!(text.contains("autopath 4 candidates, 4th") && !text.contains("no autopath"), "{text}");
    assert!(!node.dig(9, &["+nsid", "www.example.com", "A"]).contains("autopath"));
    assert_eq!(node.counted_all(), before);
}

impl Node {
    fn counted_all(&self) -> f64 {
        let (_, page) = http::fetch(&format!("{}:{}", self.daemon.address().ip(), self.metrics), "/metrics");
        metrics::sum(&page, "nearpath_autopath_plain_total", &[])
    }
}

#[test]
fn a_client_is_told_who_it_is() {
    if !mode::have("scenario: dig", &["dig"]) {
        return;
    }
    let node = node();
    let told = node.texts(1, "whoami.nearpath", &[]);
    let (age, rest): (Vec<_>, Vec<_>) = told.iter().partition(|line| line.starts_with("index age "));
    let search = "search shop.svc.cluster.local. svc.cluster.local. cluster.local.";
    assert_eq!(rest, ["client 127.3.0.1", "pod web", "namespace shop", search, "ndots 5"]);
    let age: u64 = age[0].trim_start_matches("index age ").trim_end_matches('s').parse().expect("whole seconds");
    assert!(age <= 60, "the file is looked at each second: {age}");
    assert!(node.texts(2, "WhoAmI.NearPath", &[]).contains(&"ndots 2".to_owned()));
    for (last, why) in [(9, "no pod is known to have the client's address"), (3, "two pods claim the client's address")]
    {
        let told = node.texts(last, "whoami.nearpath", &["+tcp"]);
        assert_eq!(told[..2], [format!("client 127.3.0.{last}"), "pod unknown".to_owned()]);
        assert_eq!(told.last(), Some(&format!("no autopath: {why}")));
    }
    // a long list comes over TCP, in pieces, and over UDP only as far as there is room
    let long = node.texts(7, "whoami.nearpath", &[]).concat();
    assert!((0..7).all(|number| long.replace("... ", "").contains(&format!("{}.example.", "x".repeat(55 + number)))));
    let cut = node.dig(7, &["+ignore", "+noedns", "CH", "TXT", "whoami.nearpath"]);
    assert!(cut.lines().any(|line| line.contains("flags:") && line.contains(" tc")), "{cut}");
}

#[test]
fn a_client_is_told_what_its_walk_comes_to() {
    if !mode::have("scenario: dig", &["dig"]) {
        return;
    }
    let node = node();
    let fresh = node.texts(1, "www.example.com.explain.nearpath", &[]);
    assert_eq!(fresh[0], format!("asked {FIRST}. A"));
    let candidate = |told: &[String], place: usize| -> String {
        let head = format!("candidate {place} of 4 ");
        told.iter()
            .find_map(|line| line.strip_prefix(&head))
            .unwrap_or_else(|| panic!("{head} in {told:#?}"))
            .to_owned()
    };
    assert!(candidate(&fresh, 1).starts_with(&format!("{FIRST}.: does not exist; asked")), "{fresh:#?}");
    assert!(candidate(&fresh, 4).starts_with("www.example.com.: answers; asked"), "{fresh:#?}");
    assert!(fresh.iter().any(|line| line == "reply NOERROR"), "{fresh:#?}");
    assert!(fresh.iter().any(|line| line.starts_with("way miss") && line.contains("4 candidates, 4th")), "{fresh:#?}");
    // the same out of memory: the answer as a whole, and what it is made of
    node.daemon.client_at(IpAddr::from([127, 3, 0, 1])).asks(&ask(FIRST, "A")).is("NOERROR");
    // what autopath learns of the names above them, it asks for by itself
    let walked = || node.centre.seen().iter().filter(|seen| seen.name.starts_with("www.example.com.")).count();
    let asked = walked();
    for more in [&[][..], &["+tcp"]] {
        let known = node.texts(1, "www.example.com.explain.nearpath", more);
        assert!((1..=3).all(|place| candidate(&known, place).contains("does not exist")), "{known:#?}");
        assert!(candidate(&known, 4).starts_with("www.example.com.: answers; memory, age "), "{known:#?}");
        assert!(known.iter().any(|line| line.starts_with("way hit age ")), "{known:#?}");
    }
    assert_eq!(walked(), asked, "memory knew it all: {:?}", node.centre.seen());
}

#[test]
fn ndots_decides_what_is_asked_first_and_who_is_unknown_asks_it_as_it_is() {
    if !mode::have("scenario: dig", &["dig"]) {
        return;
    }
    let node = node();
    let told = |last, name: &str| node.texts(last, &format!("{name}.explain.nearpath"), &[]);
    let own = told(2, "db");
    assert_eq!(own[0], "asked db.shop.svc.cluster.local. A");
    assert!(
        own.iter().any(|line| line.starts_with("candidate 1 of 4 db.shop.svc.cluster.local.: answers")),
        "{own:#?}"
    );
    let dotted = told(2, "www.example.com");
    assert_eq!(dotted[0], "asked www.example.com. A");
    assert!(dotted[1].contains("its dots are 2 and ndots is 2"), "{dotted:#?}");
    assert!(!dotted.iter().any(|line| line.starts_with("candidate")), "{dotted:#?}");
    let unknown = told(9, "www.example.com");
    assert_eq!(unknown[0], "no autopath: no pod is known to have the client's address");
    assert_eq!(unknown[1], "asked www.example.com. A");
    // an access list speaks of the client that asks
    let barred = told(6, "www.example.com");
    let fourth = barred.iter().find(|line| line.starts_with("candidate 4 of 4 ")).expect("the walk comes to it");
    assert!(fourth.contains("failed; acl block"), "{barred:#?}");
}

#[test]
fn other_classes_and_types_and_a_daemon_that_is_told_not_to_are_as_before() {
    if !mode::have("scenario: dig", &["dig"]) {
        return;
    }
    let silent = node_with(COREFILE, &["-dig-explain=false"]);
    for name in ["whoami.nearpath", "www.example.com.explain.nearpath"] {
        let text = silent.dig(1, &["CH", "TXT", name]);
        assert!(text.contains("status: REFUSED"), "{name}\n{text}");
    }
    assert!(silent.dig(1, &["+short", "CH", "TXT", "version.bind"]).contains("nearpath"));
    let node = node();
    for (name, class, rtype) in [
        ("whoami.nearpath", "CH", "A"),
        ("whoami.nearpath", "HS", "TXT"),
        ("www.example.com.explain.nearpath", "HS", "TXT"),
        ("explain.nearpath", "CH", "TXT"),
        ("other.nearpath", "CH", "TXT"),
    ] {
        let text = node.dig(1, &["-c", class, "-t", rtype, name]);
        assert!(text.contains("status: REFUSED"), "{name} {class} {rtype}\n{text}");
    }
    let text = node.dig(1, &["-c", "IN", "-t", "TXT", "whoami.nearpath"]);
    assert!(text.contains("status: NXDOMAIN"), "in class IN it is a name like any other:\n{text}");
    // a walk that hangs ends in time: dig waits for 5 s, once
    node.centre.behaves(Behaviour::Hang);
    let told = node.texts(1, "never.asked.before.explain.nearpath", &[]);
    assert!(told.iter().any(|line| line.starts_with("reply SERVFAIL")), "{told:#?}");
}
