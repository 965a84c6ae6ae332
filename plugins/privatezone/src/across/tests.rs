//! Server blocks side by side: what is told of them, and what is right.

mod rates;
mod reverse;

use contract::corefile::{Memory, parse};

use super::*;

/// What is said of a Corefile whose private zones are right each for itself.
fn said_on(port: u16, text: &str) -> String {
    let mut report = Report::new();
    let corefile = parse("Corefile", text, &Memory::new(), &mut report);
    assert!(!report.has_errors(), "{report}");
    check_blocks(&corefile, port, &mut report);
    report.to_string()
}

fn said(text: &str) -> String {
    said_on(53, text)
}

/// A block with a cache, a way out, and these lines.
fn block(keys: &str, lines: &str) -> String {
    format!("{keys} {{\n{lines}\ncache\nforward . 10.0.0.1\n}}\n")
}

/// One private zone.
fn zone(zones: &str) -> String {
    format!("privatezone {zones} {{\nto 10.0.0.53\n}}")
}

#[track_caller]
fn only(text: &str, wanted: &str, part: &str) {
    let said = said(text);
    let heads: Vec<&str> = said.lines().filter(|line| line.starts_with("Corefile:")).collect();
    assert_eq!(heads, [format!("Corefile:{wanted}")], "{text}\n{said}");
    assert!(said.contains(part), "{text}\n{said}");
}

#[test]
fn private_zones_beside_the_clusters_and_each_other_are_right() {
    let cluster = block("cluster.local in-addr.arpa", "autopath @kubernetes");
    for text in [
        block(".", &zone("corp.example")) + &cluster,
        block(".", &format!("{}\n{}", zone("corp.example"), zone("a.corp.example"))) + &cluster,
        block(".", "errors") + &block("corp.example", &zone("")) + &cluster,
        block(".", &zone("192.0.2.0/24 2001:db8::/32")) + &block("cluster.local", "autopath @kubernetes"),
        // `example.org` is the whole of one block; `a.example.org` of another: the rest stays
        block(".", &zone("example.org")) + &block("a.example.org", "errors"),
        // the cluster's names go to a block of their own
        block(".", &zone("local")) + &cluster,
        block("cluster.local", "autopath @kubernetes") + &block("corp.cluster.org", &zone("")),
        block(".", "errors"),
    ] {
        assert_eq!(said(&text), "", "{text}");
    }
}

#[test]
fn a_zone_twice_in_a_block_is_an_error() {
    let text = block(".", &format!("{}\n{}", zone("a.example b.example"), zone("B.example.")));
    only(&text, "5:13: error: the private zone b.example. stands twice in this server block", "first at Corefile:2:23");
    let text = block("a.example", &format!("{}\n{}", zone(""), zone("")));
    only(&text, "5:1: error: the private zone a.example. stands twice in this server block", "first at Corefile:2:1");
}

#[test]
fn a_zone_that_hides_the_clusters_own_names_is_a_warning() {
    let hides =
        "2:13: warning: the private zone local. hides the cluster's own names: those of cluster.local. are asked of it";
    only(&block(".", &zone("local")), hides, "serve cluster.local. in a server block of its own");
    let own = "2:13: warning: the private zone cluster.local. hides the cluster's own names: those of cluster.local. are asked of it";
    only(&block("cluster.local", &zone("cluster.local")), own, "");
    let lies = "2:13: warning: the private zone svc.cluster.local. lies among the cluster's own names, cluster.local., and hides some";
    only(&block(".", &zone("svc.cluster.local")), lies, "no longer found");
}

#[test]
fn the_clusters_domain_is_what_autopath_expands() {
    let lies =
        "2:13: warning: the private zone corp.k8s.test. lies among the cluster's own names, k8s.test., and hides some";
    for autopath in [
        "autopath @kubernetes",
        "autopath /etc/resolv.conf",
        "autopath {\npods file\n}",
        "autopath k8s.test @kubernetes",
        "autopath k8s.test {\npods file\n}",
    ] {
        only(&block("k8s.test", &format!("{}\n{autopath}", zone("corp.k8s.test"))), lies, "");
    }
    // then the usual name is nobody's
    assert_eq!(said(&(block(".", &zone("corp.cluster.local")) + &block("k8s.test", "autopath @kubernetes"))), "");
    // a block for everything says nothing of the domain
    let everything = block(".", &format!("{}\nautopath @kubernetes", zone("svc.cluster.local")));
    assert!(said(&everything).contains("cluster.local., and hides some"));
}

#[test]
fn a_zone_that_another_block_takes_the_names_of_is_a_warning() {
    let taken = "2:13: warning: nobody is asked here for corp.example.org.: the server block of example.org. takes its names first";
    for keys in [".", "org"] {
        let text = block(keys, &zone("corp.example.org")) + &block("example.org", "errors");
        only(&text, taken, "that block is at Corefile:8:1; write this `privatezone` there");
    }
    let same = block(".", &zone("example.org")) + &block("example.org", "errors");
    only(
        &same,
        "2:13: warning: nobody is asked here for example.org.: the server block of example.org. takes its names first",
        "",
    );
    // one of two ports
    let text = block(".:53 .:54", &zone("corp.example.org")) + &block("example.org:54", "errors");
    only(&text, taken, "8:1");
}

#[test]
fn a_block_elsewhere_takes_nothing() {
    for (one, other) in
        [(".:53", "example.org:54"), ("tls://.", "example.org"), (".", "tls://example.org"), (".:5300", "example.org")]
    {
        assert_eq!(said(&(block(one, &zone("corp.example.org")) + &block(other, "errors"))), "", "{one} {other}");
    }
    let bound = |address: &str| format!("bind {address}\n{}", zone("corp.example.org"));
    assert_eq!(said(&(block(".", &bound("127.0.0.1")) + &block("example.org", "bind 127.0.0.2"))), "");
    // who asks at 127.0.0.1 never comes to a block for all addresses: that one has a socket of its own
    assert_eq!(said(&(block(".", &bound("127.0.0.1")) + &block("example.org", "errors"))), "");
    let shared = block(".", &bound("127.0.0.1")) + &block("example.org", "bind 127.0.0.2 127.0.0.1");
    assert!(said(&shared).contains("takes its names first"));
    let on_5300 = block(".:5300", &zone("corp.example.org")) + &block("example.org", "errors");
    assert!(said_on(5300, &on_5300).contains("takes its names first"), "keys without a port have the daemon's");
}

#[test]
fn a_block_that_takes_the_names_and_asks_the_same_way_is_right() {
    let snippet = "(private) {\nprivatezone corp.example.org {\nto 10.0.0.53\n}\n}\n";
    let text = block(".", "import private") + &block("example.org", "import private");
    assert_eq!(said(&format!("{snippet}{text}")), "");
}

#[test]
fn fallthrough_with_nothing_behind_it_is_a_warning() {
    let through = |line: &str, rest: &str| {
        format!(". {{\nprivatezone corp.example {{\nto 10.0.0.53\n{line}\n}}\ncache\n{rest}\n}}\n")
    };
    let nowhere = "4:1: warning: `fallthrough` leads nowhere: nothing behind it answers for corp.example.";
    for rest in ["errors", "hosts", "forward b.example 10.0.0.1", "privatezone a.corp.example {\nto 10.0.0.1\n}"] {
        only(&through("fallthrough", rest), nowhere, "or leave `fallthrough` out");
    }
    for rest in
        ["forward . 10.0.0.1", "forward corp.example 10.0.0.1", "whoami", "privatezone example {\nto 10.0.0.1\n}"]
    {
        assert_eq!(said(&through("fallthrough", rest)), "", "{rest}");
    }
    let part = "4:1: warning: `fallthrough` leads nowhere: nothing behind it answers for a.corp.example.";
    only(&through("fallthrough a.corp.example", "forward b.corp.example 10.0.0.1"), part, "");
    assert_eq!(said(&through("negative_ttl_max 1s", "errors")), "", "nobody asked for it");
}

#[test]
fn a_private_zone_without_memory_is_a_warning() {
    let text = "corp.example {\nprivatezone {\nto 10.0.0.53\n}\n}\n";
    only(
        text,
        "2:1: warning: a private zone without `cache` has no memory",
        "`vanish_grace`, stale answers and `watch`",
    );
}
