//! The log as JSON: one object per line, with what the text has; and the same trouble once.

use std::time::Duration;

use nearpath_tests::{Daemon, ask, place};
use serde_json::Value;

const COREFILE: &str = ".:PORT {\n bind IP\n errors\n log\n forward . NOBODY\n}\n";
const SOON: Duration = Duration::from_secs(30);

fn objects(lines: &[String]) -> Vec<Value> {
    let object = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines.iter().map(object).collect()
}

#[test]
fn every_line_is_an_object_and_the_same_trouble_is_said_once() {
    let nobody = place::socket().to_string();
    let daemon = Daemon::with(COREFILE, &[("NOBODY", nobody)], &[], &["-log-format", "json"]);
    let client = daemon.client();
    for _ in 0..20 {
        client.asks(&ask("www.example.com", "A")).is("SERVFAIL");
    }
    client.asks(&ask("last.example.com", "A")).is("SERVFAIL");
    assert!(daemon.has_logged(0, "A IN last.example.com.", SOON), "queries are logged");
    assert!(daemon.has_logged(0, "2 last.example.com. A:", SOON), "failures are logged");
    let log = objects(&daemon.log_since(0));
    for line in &log {
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no {key}: {line}"));
        assert!(["info", "warn", "error"].contains(&text("level")) && !text("message").is_empty());
        assert!(!text("target").is_empty() && text("time").ends_with('Z'), "{line}");
    }
    let of = |target: &str, name: &str| {
        let said = log.iter().filter(|line| line["target"] == target);
        said.filter(|line| line["message"].as_str().is_some_and(|text| text.contains(name))).count()
    };
    assert_eq!(of("log", "www.example.com."), 20, "each query has its line");
    // what went wrong may be told in two or three ways, each once
    assert!((1..=6).contains(&of("errors", "www.example.com.")), "{log:#?}");
}
