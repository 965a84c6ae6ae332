//! Tier `peers`: the same questions to a real knotd and a real unbound, directly and through the daemon, over each
//! transport. RCODE, records and flags must be the same, RA and AA by their rules.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nearpath_tests::message::{Ask, Reply};
use nearpath_tests::mode::{self, note};
use nearpath_tests::peer::{Peer, TLS_NAME};
use nearpath_tests::random::Random;
use nearpath_tests::zone::{self, Zone};
use nearpath_tests::{Daemon, Tcp, Udp, ask};

/// Names asked for, each plain and with DO: in the ordinary run, and in the long one.
const NAMES: (usize, usize) = (6_000, 20_000);
/// Clients that ask at the same time.
const CLIENTS: usize = 4;

struct Peers {
    zone: Zone,
    knotd: Peer,
    unbound: Peer,
}

/// One test for all transports: the zone is signed and the servers are started once.
#[test]
fn through_the_daemon_and_directly_the_answers_are_the_same() {
    if !mode::have("peers", &["knotd", "unbound", "kdig"]) {
        return;
    }
    let names = mode::of(NAMES.0, NAMES.1);
    let zone = zone::make(&mut Random::new(mode::seed()), names);
    assert_eq!(zone.questions.len(), names);
    let start = Instant::now();
    let knotd = Peer::knotd(&zone);
    let unbound = Peer::unbound(&knotd);
    note(&format!("{names} names served and signed after {:.1} s", start.elapsed().as_secs_f64()));
    let peers = Peers { zone, knotd, unbound };
    peers.compare("knotd over UDP", peers.knotd.address(), "forward . PEER");
    peers.compare("knotd over TCP", peers.knotd.address(), "forward . PEER {\n  force_tcp\n }");
    peers.compare("unbound over UDP", peers.unbound.address(), "forward . PEER");
    peers.compare("unbound over TCP", peers.unbound.address(), "forward . PEER {\n  force_tcp\n }");
    peers.compare(
        "unbound over TLS",
        peers.unbound.address(),
        "forward . tls://SECURE {\n  tls_servername NAME\n  tls AUTHORITY\n }",
    );
}

impl Peers {
    fn compare(&self, what: &str, peer: SocketAddr, forward: &str) {
        let (secure, certificate) = self.unbound.tls();
        let words = [
            ("PEER", peer.to_string()),
            ("SECURE", secure.to_string()),
            ("NAME", TLS_NAME.to_owned()),
            ("AUTHORITY", certificate.authority.display().to_string()),
        ];
        let corefile = format!(".:PORT {{\n bind IP\n cache 3600\n {forward}\n}}\n");
        let mut daemon = Daemon::given(&corefile, &words);
        let (start, next, datagrams) = (Instant::now(), AtomicUsize::new(0), what.ends_with("UDP"));
        let counts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (next, daemon) = (&next, daemon.address());
                    scope.spawn(move || {
                        let address = IpAddr::from([127, 0, 44, number as u8 + 1]);
                        let mut direct = Client::new(address, peer, datagrams);
                        let mut through = Client::new(address, daemon, true);
                        let mut counts = BTreeMap::new();
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            let Some((name, rtype)) = self.zone.questions.get(index) else { return counts };
                            one(what, &mut direct, &mut through, &ask(name, rtype), &mut counts);
                            one(what, &mut direct, &mut through, &ask(name, rtype).dnssec(), &mut counts);
                        }
                    })
                })
                .collect();
            let mut sum: BTreeMap<&'static str, usize> = BTreeMap::new();
            for thread in threads {
                let counts = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                counts.into_iter().for_each(|(what, count)| *sum.entry(what).or_default() += count);
            }
            sum
        });
        daemon.is_well();
        let total: usize = ["NOERROR", "NXDOMAIN", "NODATA"].iter().filter_map(|kind| counts.get(kind)).sum();
        note(&format!("{what}: {total} equal in {:.1} s: {counts:?}", start.elapsed().as_secs_f64()));
        assert!(
            total == 2 * self.zone.questions.len() && counts["NXDOMAIN"] > 100 && counts["NODATA"] > 100,
            "a mixture was compared: {counts:?}"
        );
    }
}

struct Client {
    udp: Udp,
    tcp: OnceLock<Tcp>,
    address: IpAddr,
    server: SocketAddr,
    datagrams: bool,
}

impl Client {
    fn new(address: IpAddr, server: SocketAddr, datagrams: bool) -> Self {
        Self { udp: Udp::from(address, server), tcp: OnceLock::new(), address, server, datagrams }
    }

    /// Asks as a stub resolver does: over UDP, and over TCP if the reply was cut.
    fn asks(&mut self, asked: &Ask) -> Reply {
        if self.datagrams {
            let reply = self.udp.asks(asked);
            if !reply.is_truncated() {
                return reply;
            }
        }
        let (address, server) = (self.address, self.server);
        self.tcp.get_or_init(|| Tcp::from(address, server));
        let connection = self.tcp.get_mut().expect("just made");
        connection.send(&asked.wire());
        if let Some(octets) = connection.receive() {
            return Reply::read(&octets).expect("a whole message");
        }
        // the server may close a connection that was idle
        self.tcp = OnceLock::from(Tcp::from(address, server));
        let connection = self.tcp.get_mut().expect("just made");
        connection.send(&asked.wire());
        connection.reply()
    }
}

fn one(what: &str, direct: &mut Client, through: &mut Client, asked: &Ask, counts: &mut BTreeMap<&'static str, usize>) {
    let (expected, got) = (direct.asks(asked), through.asks(asked));
    if let Err(difference) = same(&expected, &got, direct.datagrams) {
        panic!("{what}: {difference} differ for {asked:?}\ndirectly:\n{expected}\nthrough the daemon:\n{got}");
    }
    let kind = match (got.rcode, got.answers().len()) {
        (0, 0) => "NODATA",
        (0, _) => "NOERROR",
        (3, _) => "NXDOMAIN",
        _ => "other",
    };
    *counts.entry(kind).or_default() += 1;
    if got.lines.iter().any(|line| line.text.contains(" RRSIG ")) {
        *counts.entry("signed").or_default() += 1;
    }
}

const AA: u16 = 0x0400;
const RA: u16 = 0x0080;

fn same(expected: &Reply, got: &Reply, datagrams: bool) -> Result<(), &'static str> {
    let check = |good: bool, what: &'static str| if good { Ok(()) } else { Err(what) };
    check(expected.rcode == got.rcode, "RCODEs")?;
    check(got.flags & RA != 0, "RA: it is always set;")?;
    check(expected.flags & AA == got.flags & AA, "AA: it is as upstream gave it;")?;
    check(expected.flags & !(RA | AA) == got.flags & !(RA | AA), "the other flags")?;
    let dnssec = |reply: &Reply| reply.opt.as_ref().map(|opt| opt.dnssec_ok);
    check(dnssec(expected) == dnssec(got), "OPT and DO")?;
    check(expected.section(0) == got.section(0), "answers")?;
    check(expected.section(1) == got.section(1), "authority records")?;
    // over UDP a server may leave additional records out to fit the size that this or that client said
    let (more, less) = (expected.section(2), got.section(2));
    let within = |one: &[&str], other: &[&str]| one.iter().all(|line| other.contains(line));
    check(more == less || datagrams && (within(&more, &less) || within(&less, &more)), "additional records")?;
    let age = |text: &str, reply: &Reply| reply.lines.iter().find(|line| line.text == text).map(|line| line.ttl);
    let young = expected.lines.iter().all(|line| match age(&line.text, got) {
        Some(ttl) => ttl <= line.ttl + 1 && ttl + 120 >= line.ttl,
        None => true, // an additional record that is missing
    });
    check(young, "TTLs")
}
