//! Ports that instances share, pages whose port somebody else has, and what readiness waits for.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nearpath_tests::mode::{self, note};
use nearpath_tests::{Behaviour, Upstream, ask};

use super::*;
use crate::scenario;

/// Every page of the daemon of a node.
const PAGES: [(&str, &str); 4] = [
    ("127.0.0.1:9253", "/metrics"),
    ("127.0.0.1:9353", "/metrics"),
    ("127.0.0.1:8080", "/health"),
    ("127.0.0.1:8181", "/ready"),
];

fn is_told(address: &str, path: &str) -> bool {
    page(address, path).is_some_and(|(status, _)| status == 200)
}

#[test]
fn two_instances_share_every_port_and_either_may_go() {
    alone(|| {
        let centre = scenario::centre();
        let first = on_node(COREFILE, &centre, &[]);
        let second = on_node(COREFILE, &centre, &[]);
        for (address, path) in PAGES {
            assert!(within(15, || (0..8).all(|_| is_told(address, path))), "{address}{path}");
        }
        for _ in 0..20 {
            first.asked(&ask("www.example.com", "A")).is("NOERROR");
            first.connection().asks(&ask("www.example.com", "A")).is("NOERROR");
        }
        let (_, text) = page("127.0.0.1:9353", "/metrics").unwrap();
        for kind in ["iptables", "iptables_lock", "interface_add", "interface_check", "configmap"] {
            let line = format!("coredns_nodecache_setup_errors_total{{errortype=\"{kind}\"}} ");
            assert!(text.contains(&line), "{kind}:\n{text}");
        }
        assert_eq!(first.terminates(), Some(0));
        for (address, path) in PAGES {
            assert!(is_told(address, path), "{address}{path} after one has gone");
        }
        for _ in 0..20 {
            second.asked(&ask("www.example.com", "A")).is("NOERROR");
            second.connection().asks(&ask("www.example.com", "A")).is("NOERROR");
        }
    });
}

#[test]
fn a_page_whose_port_a_foreign_program_has_comes_when_that_leaves() {
    alone(|| {
        let centre = scenario::centre();
        let foreign = TcpListener::bind("127.0.0.1:9353").unwrap();
        let daemon = on_node(COREFILE, &centre, &[]);
        assert!(daemon.has_logged(0, "127.0.0.1:9353", Duration::from_secs(5)), "it is told");
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
        std::thread::sleep(Duration::from_secs(3));
        let lines = daemon.log_since(0);
        assert_eq!(lines.iter().filter(|line| line.contains("127.0.0.1:9353")).count(), 1, "and not again");
        drop(foreign);
        assert!(within(10, || is_told("127.0.0.1:9353", "/metrics")));
        assert!(daemon.has_logged(0, "at last", Duration::from_secs(1)));
    });
}

#[test]
fn readiness_waits_for_the_first_word_of_an_upstream() {
    alone(|| {
        let centre = scenario::centre();
        centre.behaves(Behaviour::Hang);
        let is_waited_for = || {
            page("127.0.0.1:8181", "/ready").is_some_and(|(status, text)| status == 503 && text.contains("upstream"))
        };
        let daemon = on_node(COREFILE, &centre, &[]);
        assert!(is_waited_for());
        centre.behaves(Behaviour::Normal);
        assert!(within(9, || is_told("127.0.0.1:8181", "/ready")), "without any question of a client");
        drop(daemon);
        let silent = Upstream::with(scenario::TABLE);
        silent.behaves(Behaviour::Hang);
        let _daemon = on_node(COREFILE, &silent, &[]);
        assert!(is_waited_for());
        assert!(within(20, || is_told("127.0.0.1:8181", "/ready")), "nobody is waited for without end");
    });
}

#[test]
fn connections_that_are_opened_while_an_instance_leaves_are_not_reset() {
    alone(|| {
        let centre = scenario::centre();
        let mut leaving = on_node(COREFILE, &centre, &[]);
        leaving.asked(&ask("www.example.com", "A")).is("NOERROR");
        let done = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..4).map(|_| connect_again_and_again(Arc::clone(&done))).collect();
        let switches = mode::of(4, 20);
        for _ in 0..switches {
            let next = on_node(COREFILE, &centre, &[]);
            assert_eq!(leaving.terminates(), Some(0));
            leaving = next;
        }
        done.store(true, Ordering::SeqCst);
        let counts: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let (answered, broken) = counts.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        note(&format!("{switches} hand-overs: {answered} connections answered, {broken} reset or refused"));
        assert!(answered > 100, "{answered}");
        assert_eq!(broken, 0, "of {answered}");
        assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req").unwrap().trim(), "0");
    });
}

/// Opens a connection, asks, and closes, until told: how often it was answered, and how often not.
fn connect_again_and_again(done: Arc<AtomicBool>) -> std::thread::JoinHandle<(u64, u64)> {
    std::thread::spawn(move || {
        let (mut answered, mut broken) = (0, 0);
        while !done.load(Ordering::Relaxed) {
            match ask_once() {
                Ok(()) => answered += 1,
                Err(error) => {
                    note(&format!("broken: {error}"));
                    broken += 1;
                }
            }
        }
        (answered, broken)
    })
}

fn ask_once() -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};
    let packet = ask("www.example.com", "A").wire();
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&[&(packet.len() as u16).to_be_bytes()[..], &packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes(length))])
}
