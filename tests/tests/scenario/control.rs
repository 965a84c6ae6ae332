//! The daemon as its operator meets it: reload, health, ready, metrics, errors before anything is bound, the end.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::{Behaviour, Daemon, Tcp, Upstream, ask, daemon, http, place};

use super::{centre, plain};

const GOOD: &str = ".:PORT {\n bind IP\n errors\n cache 3600\n forward . CENTRE\n}\n";

#[test]
fn a_good_reload_takes_over_and_keeps_the_memory() {
    let (centre, other) = (centre(), Upstream::with(&["www.example.net. 60 A 192.0.2.60"]));
    let words = [("CENTRE", centre.address()), ("OTHER", other.address())];
    let mut daemon = Daemon::given(GOOD, &words);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    let with_stub = format!("{GOOD}example.net:PORT {{\n bind IP\n forward . OTHER\n}}\n");
    assert!(daemon.reloads(&with_stub));
    daemon.asked(&ask("www.example.net", "A")).answers_are(&["www.example.net. A 192.0.2.60"]);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert_eq!(centre.asked_for("www.example.com."), 1, "what was memorised is still there");
    assert!(daemon.reloads(GOOD));
    daemon.asked(&ask("www.example.net", "A")).is("NXDOMAIN");
}

#[test]
fn a_broken_reload_changes_nothing() {
    let centre = centre();
    let mut daemon = Daemon::given(GOOD, &[("CENTRE", centre.address())]);
    for broken in
        [".:PORT {\n bind IP\n forwrad . CENTRE\n}\n", ".:PORT {", "", ".:PORT {\n bind 192.0.2.1\n whoami\n}\n"]
    {
        assert!(!daemon.reloads(broken), "taken: {broken:?}");
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
    assert_eq!(centre.asked_for("www.example.com."), 1);
    assert!(daemon.reloads(GOOD));
}

#[test]
fn files_that_are_not_there_are_an_error_wherever_they_are_named() {
    let centre = centre();
    let mut daemon = Daemon::given(GOOD, &[("CENTRE", centre.address())]);
    assert!(!daemon.reloads(".:PORT {\n bind IP\n tls no.pem no.key\n whoami\n}\n"));
    assert!(!daemon.reloads(".:PORT {\n bind IP\n forward . tls://127.0.0.1 {\n  tls no.pem\n }\n}\n"));
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn without_its_hosts_file_the_daemon_starts_and_says_so_at_the_place() {
    let centre = centre();
    for (file, reload) in [("FOLDER/none", "0s"), ("FOLDER", "0s"), ("FOLDER", "5s")] {
        let corefile = format!(
            ".:PORT {{\n bind IP\n hosts {file} {{\n  192.0.2.9 own.example\n  reload {reload}\n  fallthrough\n }}\n \
             forward . CENTRE\n}}\n"
        );
        let daemon = Daemon::given(&corefile, &[("CENTRE", centre.address())]);
        let warning = format!("Corefile:3:8: hosts: {}", daemon.folder().path().display());
        assert!(daemon.has_logged(0, &warning, Duration::ZERO), "{file} {reload}");
        daemon.asked(&ask("own.example", "A")).answers_are(&["own.example. A 192.0.2.9"]);
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
}

#[test]
fn being_told_to_reload_does_so_even_if_the_corefile_is_the_same() {
    // certificates and what else the Corefile names may have changed
    let centre = centre();
    let mut daemon = Daemon::given(GOOD, &[("CENTRE", centre.address())]);
    assert!(daemon.reloads(GOOD));
    assert!(daemon.reloads(GOOD));
}

#[test]
fn the_reload_directive_sees_a_changed_file() {
    let centre = centre();
    let corefile = GOOD.replace("errors", "errors\n reload 2s 1s");
    let daemon = Daemon::given(&corefile, &[("CENTRE", centre.address())]);
    daemon.asked(&ask("who.example.com", "A")).is("NXDOMAIN");
    let changed =
        format!(".:{} {{\n bind {}\n reload 2s 1s\n whoami\n}}\n", daemon.address().port(), daemon.address().ip());
    daemon.folder().write("Corefile", &changed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while daemon.asked(&ask("who.example.com", "A")).rcode != 0 {
        assert!(Instant::now() < deadline, "the changed file is read");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn health_ready_and_metrics_are_served() {
    let centre = centre();
    let corefile = ".:PORT {\n bind IP\n errors\n cache\n forward . CENTRE\n health IP:HEALTH\n ready IP:READY\n prometheus IP:METRICS\n}\n";
    let ports = place::port();
    let words = [
        ("CENTRE", centre.address()),
        ("HEALTH", (ports + 1).to_string()),
        ("READY", (ports + 2).to_string()),
        ("METRICS", (ports + 3).to_string()),
    ];
    let daemon = Daemon::given(corefile, &words);
    let at = |port: u16| format!("{}:{port}", daemon.address().ip());
    let (status, body) = http::fetch(&at(ports + 1), "/health");
    assert_eq!((status, body.trim()), (200, "OK"));
    let (status, _) = http::fetch(&at(ports + 2), "/ready");
    assert_eq!(status, 200);
    (0..5).for_each(|_| drop(daemon.asked(&ask("www.example.com", "A"))));
    daemon.asked(&ask("nothing.example.com", "A"));
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let (status, body) = http::fetch(&at(ports + 3), "/metrics");
        assert_eq!(status, 200);
        let sum = |name: &str| -> f64 {
            let lines = body
                .lines()
                .filter(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let seen =
            (sum("coredns_dns_requests_total"), sum("coredns_cache_hits_total"), sum("coredns_cache_misses_total"));
        if seen == (6.0, 4.0, 2.0) {
            break;
        }
        assert!(Instant::now() < deadline, "6 requests, 4 hits, 2 misses; {seen:?} in\n{body}");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn what_cannot_start_says_so_in_a_line() {
    let folder = place::Folder::new();
    let address = place::socket();
    let fails = |corefile: &str, expected: &[&str]| {
        let path = folder.write("Corefile", corefile);
        let arguments = ["-conf", &path.display().to_string(), "-p", &address.port().to_string()];
        let output = daemon::run(&arguments, Duration::from_secs(10));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code != 0), "exit code of {corefile:?}: {text}");
        assert!(expected.iter().any(|word| text.contains(word)), "expected one of {expected:?} in:\n{text}");
        assert!(!text.contains("panicked"), "{text}");
    };
    let ip = address.ip();
    let _taken = std::net::UdpSocket::bind(address).unwrap();
    let _listener = std::net::TcpListener::bind(address).unwrap();
    fails(&format!(".:{} {{\n bind {ip}\n whoami\n}}\n", address.port()), &["in use", "use"]);
    fails(&format!(". {{\n bind {ip}\n whomai\n}}\n"), &["whoami"]);
    fails(
        &format!("tls://.:{} {{\n bind {ip}\n tls nowhere.pem nowhere.key\n whoami\n}}\n", address.port() + 1),
        &["nowhere.pem"],
    );
    fails(". {\n bind 192.0.2.1\n whoami\n}\n", &["192.0.2.1"]);
    let output = daemon::run(&["-conf", "/nonexistent/Corefile"], Duration::from_secs(10));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/Corefile"));
}

#[test]
fn sigterm_ends_it_with_success() {
    let centre = centre();
    let daemon = plain(&centre);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert_eq!(daemon.terminates(), Some(0));
}

#[test]
fn questions_under_way_are_answered_through_a_reload_and_through_the_end() {
    let centre = centre();
    centre.behaves(Behaviour::Slow(Duration::from_secs(1)));
    let mut daemon = Daemon::given(GOOD, &[("CENTRE", centre.address())]);
    daemon.asked(&ask("first.wild.example.com", "A")).is("NOERROR");
    let (client, mut connection) = (daemon.client(), daemon.connection());
    let send = |name: &str, connection: &mut Tcp| {
        let names = ["a", "b"].map(|first| format!("{first}{name}.wild.example.com"));
        client.send(&ask(&names[0], "A").wire());
        connection.send(&ask(&names[1], "A").wire());
        while names.iter().any(|name| centre.asked_for(&format!("{name}.")) == 0) {
            sleep(Duration::from_millis(5));
        }
    };
    let receive = |connection: &mut Tcp| {
        let reply = client.receive(Duration::from_secs(5)).expect("the datagram is answered");
        nearpath_tests::Reply::read(&reply).unwrap().is("NOERROR");
        connection.reply().is("NOERROR");
    };
    send("reload", &mut connection);
    assert!(daemon.reloads(&GOOD.replace("3600", "1800")));
    receive(&mut connection);
    send("end", &mut connection);
    let ended = std::thread::spawn(move || daemon.terminates());
    receive(&mut connection);
    assert_eq!(ended.join().unwrap(), Some(0));
}

#[test]
fn a_loop_is_noticed() {
    // forwards to itself: `loop` must end it, as in CoreDNS, or say so
    let address = place::socket();
    let folder = place::Folder::new();
    let (ip, port) = (address.ip(), address.port());
    let path = folder.write("Corefile", &format!(".:{port} {{\n bind {ip}\n loop\n forward . {ip}:{port}\n}}\n"));
    let output = daemon::run(&["-conf", &path.display().to_string()], Duration::from_secs(60));
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(text.contains("loop"), "{text}");
}
