//! Spans as a collector of OpenTelemetry gets them.

mod collector;

use std::net::IpAddr;
use std::time::Duration;

use nearpath_tests::{Behaviour, Daemon, Upstream, ask, http, metrics, place};

use self::collector::{Collector, Span};
use super::TABLE;

const COREFILE: &str = ".:PORT {\n bind IP\n prometheus IP:9153\n trace otlp COLLECTOR {\n  every EVERY\n  \
                        zipkin_max_batch_interval 50ms\n }\n cache\n forward . CENTRE\n}\n";

#[track_caller]
fn traced(centre: &Upstream, collector: &str, every: &str) -> Daemon {
    let words = [("CENTRE", centre.address()), ("COLLECTOR", collector.to_owned()), ("EVERY", every.to_owned())];
    Daemon::given(COREFILE, &words)
}

/// Sent and dropped.
#[track_caller]
fn counts(daemon: &Daemon) -> [f64; 2] {
    let (_, page) = http::fetch(&format!("{}:9153", daemon.address().ip()), "/metrics");
    ["nearpath_trace_spans_sent_total", "nearpath_trace_spans_dropped_total"].map(|name| metrics::sum(&page, name, &[]))
}

/// Panics unless every span but the query's lies within its parent, in the tree and in time.
#[track_caller]
fn is_a_tree(spans: &[Span]) {
    for span in spans {
        assert!(span.start <= span.end, "{span:?}");
        if span.name == "query" {
            assert!(span.parent.is_empty(), "{span:?}");
            continue;
        }
        let parent = spans.iter().find(|other| other.id == span.parent);
        let parent = parent.unwrap_or_else(|| panic!("{span:?} without its parent"));
        assert_eq!(parent.trace, span.trace);
        assert!(parent.start <= span.start && span.end <= parent.end, "{span:?} within {parent:?}");
    }
}

#[test]
fn a_miss_through_autopath_has_a_span_for_each_step_below_what_it_was_for() {
    const FIRST: &str = "www.example.com.shop.svc.cluster.local";
    let corefile = "cluster.local:PORT {\n bind IP\n trace COLLECTOR {\n  service node\n  zipkin_max_batch_interval 50ms\n }\n \
                    autopath {\n  pods FOLDER/pods\n }\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n.:PORT {\n bind IP\n \
                    cache\n forward . OUTSIDE\n}\n";
    let pods = "shop/web 127.3.0.1 search shop.svc.cluster.local svc.cluster.local cluster.local\n";
    let (centre, outside, collector) = (Upstream::with(TABLE), Upstream::with(TABLE), Collector::start());
    centre.behaves(Behaviour::Slow(Duration::from_millis(20)));
    let words = [("CENTRE", centre.address()), ("OUTSIDE", outside.address()), ("COLLECTOR", collector.url())];
    let daemon = Daemon::with(corefile, &words, &[("pods", pods)], &[]);
    daemon.client_at(IpAddr::from([127, 3, 0, 1])).asks(&ask(FIRST, "A")).is("NOERROR");
    let spans = collector.traces(1);
    is_a_tree(&spans);
    let root = spans.iter().find(|span| span.name == "query").expect("the query's span");
    for (attribute, value) in [
        ("dns.question.name", format!("{FIRST}.")),
        ("dns.question.type", "A".to_owned()),
        ("dns.response.code", "NOERROR".to_owned()),
        ("client.address", "127.3.0.1".to_owned()),
        ("nearpath.transport", "udp".to_owned()),
        ("nearpath.server", format!("dns://{}", daemon.address())),
    ] {
        assert_eq!(root.attributes.get(attribute), Some(&value), "{root:?}");
    }
    assert_eq!(collector.services(), ["node"]);
    // as many candidates as the walk has, each a part of the query
    let candidates: Vec<&Span> = spans.iter().filter(|span| span.name == "candidate").collect();
    assert!(candidates.iter().all(|span| span.parent == root.id), "{candidates:?}");
    let told = |what: &str| candidates.iter().find(|span| span.attributes["nearpath.text"].contains(what));
    let last = told("4 of 4: www.example.com. answers").unwrap_or_else(|| panic!("{candidates:#?}"));
    // an upstream was asked for each candidate, and that is a part of the candidate
    let asked: Vec<&Span> = spans.iter().filter(|span| span.name == "upstream").collect();
    let of = |at: String, parent: &Span| {
        asked.iter().any(|span| span.parent == parent.id && span.attributes["nearpath.text"].contains(&at))
    };
    assert!(of(outside.address(), last), "{asked:#?}");
    let missing: Vec<&&Span> =
        candidates.iter().filter(|span| span.attributes["nearpath.text"].contains("does not exist")).collect();
    assert!(!missing.is_empty() && missing.iter().all(|candidate| of(centre.address(), candidate)), "{spans:#?}");
    let slow = asked.iter().filter(|span| span.attributes["nearpath.text"].contains(&centre.address()));
    for span in slow {
        assert!(span.end - span.start >= 20_000_000, "the centre took 20 ms: {span:?}");
    }
    let blocks = spans.iter().filter(|span| span.name == "block").map(|span| span.attributes["nearpath.text"].as_str());
    let blocks: Vec<&str> = blocks.collect();
    assert!(blocks.contains(&"block cluster.local") && blocks.contains(&"block ."), "{blocks:?}");
}

#[test]
fn hits_have_no_trace() {
    let (centre, collector) = (Upstream::with(TABLE), Collector::start());
    let daemon = traced(&centre, &collector.url(), "1");
    for _ in 0..20 {
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
    daemon.asked(&ask("six.example.com", "A")).is("NOERROR");
    let spans = collector.traces(2);
    is_a_tree(&spans);
    let names: Vec<&str> = spans
        .iter()
        .filter(|span| span.name == "query")
        .map(|span| span.attributes["dns.question.name"].as_str())
        .collect();
    assert_eq!(names, ["www.example.com.", "six.example.com."], "nineteen hits between them");
}

#[test]
fn a_tenth_of_the_misses_is_a_tenth() {
    let (centre, collector) = (Upstream::with(TABLE), Collector::start());
    let daemon = traced(&centre, &collector.url(), "10");
    for number in 0..100 {
        daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
    let spans = collector.traces(10);
    assert_eq!(spans.iter().filter(|span| span.name == "query").count(), 10);
    let names = |number: usize| format!("n{number}.wild.example.com.");
    for number in (9..100).step_by(10) {
        let name = names(number);
        assert!(
            spans.iter().any(|span| span.attributes.get("dns.question.name") == Some(&name)),
            "the tenth of each ten: {name}"
        );
    }
}

#[test]
fn a_failure_is_marked() {
    let (centre, collector) = (Upstream::with(TABLE), Collector::start());
    centre.behaves(Behaviour::Rcode(5));
    let daemon = traced(&centre, &collector.url(), "1");
    let rcode = daemon.asked(&ask("www.example.com", "A")).rcode;
    let spans = collector.traces(1);
    is_a_tree(&spans);
    let root = spans.iter().find(|span| span.name == "query").expect("the query's span");
    assert_ne!(root.attributes["dns.response.code"], "NOERROR");
    assert_eq!(root.failed, rcode == 2, "SERVFAIL is a failure, a refusal is an answer: {root:?}");
}

#[test]
fn a_collector_that_is_away_costs_queries_nothing_and_is_said_once() {
    let centre = Upstream::with(TABLE);
    let away = place::socket();
    let daemon = traced(&centre, &away.to_string(), "1");
    for number in 0..50 {
        daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
    let line = format!("trace: http://{away}/v1/traces: ");
    assert!(daemon.has_logged(0, &line, Duration::from_secs(20)));
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while counts(&daemon)[1] < 2.0 {
        assert!(std::time::Instant::now() < patience, "{:?}", counts(&daemon));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        daemon.log_since(0).iter().filter(|said| said.contains("trace: ")).count(),
        1,
        "{:?}",
        daemon.log_since(0)
    );
}
