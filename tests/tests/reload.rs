//! Tier `reload`: ten reloads under dnsperf's load, three of them with a broken file; no query is lost.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nearpath_tests::mode::{self, note};
use nearpath_tests::{Daemon, Upstream, ask};

const FIRST: &str = ".:PORT {\n bind IP\n cache 3600\n forward . CENTRE {\n  force_tcp\n }\n}\n";
const SECOND: &str = ".:PORT {\n bind IP\n errors\n cache 1800\n forward . CENTRE\n}\n\
                      other.example:PORT {\n bind IP\n whoami\n}\n";
const BROKEN: [&str; 3] = [".:PORT {\n bind IP\n cahce\n}\n", ".:PORT {\n", ".:PORT {\n bind 192.0.2.1\n whoami\n}\n"];

#[test]
fn ten_reloads_under_load_lose_no_query() {
    if !mode::have("reload: dnsperf", &["dnsperf"]) {
        return;
    }
    let names: String = (0..500).map(|number| format!("n{number}.wild.example.com A\n")).collect();
    let centre = Upstream::with(super::scenario::TABLE);
    let mut daemon = Daemon::with(FIRST, &[("CENTRE", centre.address())], &[("names", &names)], &[]);
    let seconds = 25;
    let load = mode::command("dnsperf")
        .args(["-s", &daemon.address().ip().to_string(), "-p", &daemon.address().port().to_string()])
        .args(["-a", "127.0.0.1", "-d", &daemon.folder().file("names").display().to_string()])
        .args(["-l", &seconds.to_string(), "-Q", "3000", "-c", "8", "-t", "5", "-q", "400"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dnsperf starts");
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    for round in 0..10 {
        let (corefile, good) = match round {
            2 | 5 | 8 => (BROKEN[round / 3], false),
            _ if round % 2 == 0 => (SECOND, true),
            _ => (FIRST, true),
        };
        assert_eq!(daemon.reloads(corefile), good, "round {round}");
        std::thread::sleep(Duration::from_millis(700));
    }
    assert!(start.elapsed() < Duration::from_secs(seconds), "the ten reloads fell into the load");
    let output = load.wait_with_output().expect("dnsperf ends by itself");
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = |label: &str| -> u64 {
        let line = text.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{label}:\n{text}"));
        line.split(':').nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a count")
    };
    let (sent, completed) = (figure("Queries sent"), figure("Queries completed"));
    note(&format!("{sent} queries sent, {completed} completed"));
    assert!(sent > 10_000, "{sent} queries are no load");
    assert_eq!(sent, completed, "queries lost:\n{text}");
    assert!(text.contains("NOERROR") && !text.contains("SERVFAIL") && !text.contains("REFUSED"), "{text}");
    daemon.is_well();
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
}
