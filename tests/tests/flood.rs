//! Tier `flood`: a million random and mutated packets into the running daemon.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nearpath_fuzz::Mutator;
use nearpath_tests::mode::{self, note};
use nearpath_tests::{Daemon, Reply, Upstream, ask};

use crate::packets::queries;

/// What the daemon may hold, KiB: the store's 32 MiB twice over (keys, indices and the allocator's slack), the bound of
/// outstanding questions with their buffers, and a debug build's code.
const RESIDENT_MAX: u64 = 160 * 1024;

/// Packets that must reach the daemon.
const PACKETS: usize = 1_000_000;

/// How often a stub sends a question that is not answered.
const SENT: usize = 3;

/// How many datagrams for an address the kernel has dropped because the daemon's queue was full.
fn dropped(server: SocketAddr) -> usize {
    let IpAddr::V4(ip) = server.ip() else { panic!("an IPv4 address") };
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), server.port());
    let sockets = std::fs::read_to_string("/proc/net/udp").expect("Linux");
    let ours = sockets.lines().filter(|line| line.split_whitespace().nth(1) == Some(local.as_str()));
    ours.filter_map(|line| line.split_whitespace().last()?.parse::<usize>().ok()).sum()
}

#[test]
fn hits_are_answered_during_and_after_a_flood_and_memory_is_bounded() {
    let centre = Upstream::with(super::scenario::TABLE);
    let mut daemon = Daemon::given(
        ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n",
        &[("CENTRE", centre.address())],
    );
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    let before = daemon.resident();
    let (seed, server, done) = (mode::seed(), daemon.address(), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&done);
    let flood = std::thread::spawn(move || {
        let clients: Vec<_> =
            (1..=20).map(|last| nearpath_tests::Udp::from([127, 0, 66, last].into(), server)).collect();
        let mut mutator = Mutator::new(seed, queries());
        let mut packet = Vec::new();
        let mut number = 0;
        // the kernel drops what does not fit the daemon's queue: so many must get through
        while number % 32 != 0 || number < PACKETS + dropped(server) {
            mutator.next_packet(&mut packet);
            packet.truncate(1400);
            clients[number % clients.len()].send(&packet);
            if number % 32 == 31 {
                std::thread::sleep(Duration::from_micros(300)); // so that the kernel's queue is not all that is tested
            }
            number += 1;
        }
        flag.store(true, Ordering::SeqCst);
    });
    let (mut asked, mut answered, mut peak, start) = (0, 0, before, Instant::now());
    let client = daemon.client();
    while !done.load(Ordering::SeqCst) {
        let question = ask("www.example.com", "A");
        asked += 1;
        // a question finds the queue full while the daemon is given no time: stubs send theirs again
        for _ in 0..SENT {
            client.send(&question.wire());
            let replies = std::iter::from_fn(|| client.receive(Duration::from_millis(500)));
            let mut replies = replies.map(|octets| Reply::read(&octets).unwrap());
            if let Some(reply) = replies.find(|reply| reply.id == question.id) {
                reply.is("NOERROR").answers_are(&["www.example.com. A 192.0.2.1"]);
                answered += 1;
                break;
            }
        }
        peak = peak.max(daemon.resident());
        std::thread::sleep(Duration::from_millis(5));
    }
    flood.join().unwrap();
    note(&format!(
        "{PACKETS} packets taken ({} more dropped by the kernel) in {:.1} s; {answered} of {asked} hits answered meanwhile; resident {before} KiB before, {peak} KiB at most",
        dropped(server),
        start.elapsed().as_secs_f64()
    ));
    daemon.is_well();
    assert!(answered * 10 >= asked * 9, "{answered} of {asked} hits answered during the flood");
    assert!(peak < RESIDENT_MAX, "{peak} KiB resident");
    std::thread::sleep(Duration::from_secs(1));
    for _ in 0..20 {
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    }
    daemon.asked(&ask("text.example.com", "TXT")).is("NOERROR"); // misses too
    daemon.connection().asks(&ask("www.example.com", "AAAA")).is("NOERROR");
}
