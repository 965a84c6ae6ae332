//! Random names and types of a zone, asked through the daemon and straight at knotd: the same records.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use nearpath_tests::message::{Ask, Reply};
use nearpath_tests::mode::{self, note};
use nearpath_tests::random::Random;
use nearpath_tests::zone::{self, ORIGIN};
use nearpath_tests::{Daemon, Knot, Tcp, Udp, ask, place};

const NAMES: usize = 5_000;
/// The types that are asked for beside those that the zone has at a name.
const TYPES: [&str; 8] = ["A", "AAAA", "CNAME", "MX", "TXT", "SRV", "NS", "CAA"];

const COREFILE: &str = "\
zone.example:PORT {
    bind IP
    cache 3600
    privatezone {
        to KNOT
        max_qps 0
    }
}
.:PORT {
    bind IP
    forward . 127.0.0.1:9
}
";

/// A stub resolver: UDP, and TCP when the reply is cut.
struct Client {
    udp: Udp,
    from: IpAddr,
    server: std::net::SocketAddr,
}

impl Client {
    fn new(server: std::net::SocketAddr) -> Self {
        let from = place::address();
        Self { udp: Udp::from(from, server), from, server }
    }

    fn asks(&self, asked: &Ask) -> Reply {
        let reply = self.udp.asks(asked);
        if reply.is_truncated() { Tcp::from(self.from, self.server).asks(asked) } else { reply }
    }
}

#[test]
fn a_private_zone_is_told_as_its_server_tells_it() {
    if !mode::have("cluster", &["knotd", nearpath_tests::program::NEEDS]) {
        return;
    }
    let mut random = Random::new(mode::seed());
    let zone = zone::make(&mut random, NAMES);
    let knot = Knot::with_master_file(ORIGIN, &zone.text);
    let mut daemon = Daemon::given(COREFILE, &[("KNOT", knot.address().to_string())]);
    let questions: Vec<Ask> = zone.questions.iter().map(|(name, rtype)| question(&mut random, name, rtype)).collect();
    let (direct, through) = (Client::new(knot.address()), Client::new(daemon.address()));
    let begun = Instant::now();
    let expected: Vec<Reply> = questions.iter().map(|asked| direct.asks(asked)).collect();
    for pass in ["cold", "cached"] {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for (asked, expected) in questions.iter().zip(&expected) {
            let got = through.asks(asked);
            if let Some(difference) = difference(expected, &got) {
                panic!("{pass}: {difference} for {asked:?}\ndirectly:\n{expected}\nthrough the daemon:\n{got}");
            }
            *kinds.entry(kind(&got)).or_default() += 1;
        }
        note(&format!("{pass}: {NAMES} equal: {kinds:?}, after {:.1} s", begun.elapsed().as_secs_f64()));
        assert!(kinds["records"] > 1_000 && kinds["NODATA"] > 100 && kinds["NXDOMAIN"] > 100, "a mixture: {kinds:?}");
    }
    daemon.is_well();
}

/// What the zone has at a name, or anything.
fn question(random: &mut Random, name: &str, rtype: &'static str) -> Ask {
    let rtype = if random.once_in(4) { random.word(&TYPES) } else { rtype };
    let asked = ask(name, rtype);
    if random.once_in(2) { asked.edns(1232) } else { asked }
}

fn kind(reply: &Reply) -> &'static str {
    match (reply.rcode, reply.answers().len()) {
        (0, 0) => "NODATA",
        (0, _) => "records",
        (3, _) => "NXDOMAIN",
        _ => "other",
    }
}

/// What differs, beyond TTLs, RA and AA.
fn difference(expected: &Reply, got: &Reply) -> Option<&'static str> {
    let soas = |reply: &Reply| -> Vec<String> {
        reply.section(1).into_iter().filter(|line| line.contains(" SOA ")).map(str::to_owned).collect()
    };
    let cases = [
        (expected.rcode != got.rcode, "another RCODE"),
        (expected.section(0) != got.section(0), "other records"),
        (soas(expected) != soas(got), "another SOA"),
        (got.flags & 0x0080 == 0, "no RA"),
        (got.flags & 0x0400 != 0, "AA"),
    ];
    cases.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
}
