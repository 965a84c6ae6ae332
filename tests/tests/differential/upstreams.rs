//! What both servers forward to: one knotd with zones of every kind, plain and signed.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::place::{self, Folder};
use nearpath_tests::program::Program;
use nearpath_tests::{Reply, Udp, ask};

/// How long knotd may take to start and to sign.
const PATIENCE: Duration = Duration::from_secs(60);

/// Zones: the name, whether it is signed, the records beside SOA and NS.
fn zones() -> Vec<(&'static str, bool, String)> {
    let mut plain = String::from(
        "www 300 A 192.0.2.1\nwww 300 A 192.0.2.2\nwww 300 AAAA 2001:db8::1\none 60 A 192.0.2.3\none 60 TXT \"one\"\n\
         mixed 7 CNAME www\nc1 100 CNAME c2\nc2 90 CNAME c3\nc3 80 CNAME www\ncgone 70 CNAME nowhere\n\
         cout 70 CNAME www.other.example.\n*.wild 120 A 192.0.2.77\n*.wild 120 TXT \"wild\"\nredirected DNAME target\n\
         x.target 50 A 192.0.2.8\nbelow.ent 60 A 192.0.2.9\nsrv 60 SRV 0 5 80 www\nsrv 60 SRV 0 5 81 one\n\
         mx 60 MX 10 www\nmx 60 MX 20 one\nshort 2 A 192.0.2.10\nzero 0 A 192.0.2.11\nthree 3 A 192.0.2.12\n\
         six 6 A 192.0.2.13\nsix 6 AAAA 2001:db8::6\nv4 60 A 192.0.2.14\nv6 60 AAAA 2001:db8::14\nlong 90000 A 192.0.2.15\n\
         deleg NS ns1.deleg\nns1.deleg A 192.0.2.53\nwww.a A 192.0.2.16\nwww.b A 192.0.2.17\ntxt TXT \"a\" \"b c\"\n",
    );
    for number in 0..40 {
        writeln!(plain, "many 60 A 198.51.100.{number}").expect("a String takes all");
    }
    for part in 0..9 {
        writeln!(plain, "large 60 TXT \"{part:02} {}\"", "x".repeat(210)).expect("a String takes all");
    }
    for part in 0..18 {
        for name in ["big", "big2"] {
            writeln!(plain, "{name} 60 TXT \"{part:02} {}\"", "x".repeat(210)).expect("a String takes all");
        }
    }
    let other = "www 300 A 192.0.2.201\nwww 300 AAAA 2001:db8::201\n*.wild A 192.0.2.202\n".to_owned();
    let signed = "www 300 A 192.0.2.101\nwww 300 AAAA 2001:db8::101\nc1 CNAME www\n*.wild A 192.0.2.102\n".to_owned();
    let reverse = "1 PTR www.plain.example.\n3 PTR one.plain.example.\n".to_owned();
    let cluster = "kubernetes.default.svc 5 A 10.96.0.1\ndb.shop.svc 5 A 10.96.0.7\nweb.default.svc 5 A 10.96.0.8\n\
                   www.plain.example.svc 5 A 10.96.0.9\n"
        .to_owned();
    vec![
        ("plain.example.", false, plain),
        ("other.example.", false, other),
        ("signed.example.", true, signed),
        ("2.0.192.in-addr.arpa.", false, reverse),
        ("cluster.local.", false, cluster),
    ]
}

/// The knotd; ends with its owner.
#[derive(Debug)]
pub(crate) struct Knot {
    _program: Program,
    _folder: Folder,
    /// Where it serves UDP and TCP.
    pub address: SocketAddr,
}

impl Knot {
    /// Starts it and waits until the signed zone is signed.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let (folder, address) = (Folder::new(), place::socket());
        let path = folder.path().display().to_string();
        let mut text = format!(
            "server:\n    rundir: \"{path}\"\n    listen: {}@{}\n    udp-workers: 1\n    tcp-workers: 2\n    \
             background-workers: 1\n    tcp-max-clients: 4000\n    udp-max-payload: 4096\nlog:\n  - target: stderr\n    any: \
             warning\ndatabase:\n    storage: \"{path}\"\ntemplate:\n  - id: default\n    storage: \"{path}\"\n    \
             zonefile-sync: -1\nzone:\n",
            address.ip(),
            address.port()
        );
        for (number, (origin, signed, lines)) in zones().into_iter().enumerate() {
            let head = format!(
                "$ORIGIN {origin}\n$TTL 300\n@ 300 SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
            );
            folder.write(&format!("zone-{number}"), &format!("{head}{lines}"));
            let signing = if signed { "on" } else { "off" };
            writeln!(text, "  - domain: {origin}\n    file: \"{path}/zone-{number}\"\n    dnssec-signing: {signing}")
                .expect("a String takes all");
        }
        let configuration = folder.write("knot.conf", &text);
        let flags = ["-c".to_owned(), configuration.display().to_string()];
        let binary = mode::find("knotd").expect("knotd is installed");
        let mut program = Program::start(&binary, &flags, &[], &folder.file("log"));
        let client = Udp::from(IpAddr::from([127, 0, 0, 1]), address);
        let deadline = Instant::now() + PATIENCE;
        loop {
            client.send(&ask("signed.example", "SOA").dnssec().wire());
            let reply = client.receive(Duration::from_millis(100)).and_then(|octets| Reply::read(&octets).ok());
            if reply.is_some_and(|reply| reply.answers().iter().any(|line| line.contains(" RRSIG "))) {
                return Self { _program: program, _folder: folder, address };
            }
            let ended = program.ended();
            assert!(ended.is_none() && Instant::now() < deadline, "knotd: {ended:?}\n{}", program.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
