//! TCP, TLS and HTTPS: pipelining, bounds, and other people's clients.

use std::time::Duration;

use nearpath_tests::certificate::{self, Certificate};
use nearpath_tests::mode;
use nearpath_tests::place::{self, Folder};
use nearpath_tests::{Behaviour, Daemon, Upstream, ask};

use super::{centre, plain};

#[test]
fn pipelined_questions_are_answered_as_they_are_ready() {
    let centre = centre();
    centre.behaves_for("slow.wild.example.com.", Behaviour::Slow(Duration::from_millis(1_000)));
    let daemon = plain(&centre);
    let mut connection = daemon.connection();
    let slow = ask("slow.wild.example.com", "A");
    let quick = ask("www.example.com", "A");
    connection.send(&slow.wire());
    connection.send(&quick.wire());
    assert_eq!(connection.reply().id, quick.id, "the quick one first");
    assert_eq!(connection.reply().id, slow.id);
}

#[test]
fn many_questions_in_one_write_each_get_a_reply() {
    let centre = centre();
    let daemon = plain(&centre);
    let mut connection = daemon.connection();
    let mut open: std::collections::HashSet<u16> = (0..300)
        .map(|number| {
            let asked = ask(&format!("n{}.wild.example.com", number % 40), "A");
            connection.send(&asked.wire());
            asked.id
        })
        .collect();
    while !open.is_empty() {
        let reply = connection.reply();
        reply.is("NOERROR");
        assert!(open.remove(&reply.id), "each id once");
    }
}

#[test]
fn a_message_in_pieces_is_put_together() {
    use std::io::{Read as _, Write as _};
    let centre = centre();
    let daemon = plain(&centre);
    let mut stream = std::net::TcpStream::connect(daemon.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    let wire = ask("www.example.com", "A").wire();
    let framed = [&(wire.len() as u16).to_be_bytes(), wire.as_slice()].concat();
    for octet in framed {
        stream.write_all(&[octet]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    assert!(u16::from_be_bytes(length) > 12);
}

#[test]
fn the_front_door_is_the_same_over_tcp() {
    let centre = centre();
    let daemon = plain(&centre);
    let mut connection = daemon.connection();
    let mut notimp = ask("www.example.com", "A");
    notimp.flags |= 4 << 11;
    connection.send(&notimp.wire());
    connection.reply().is("NOTIMP");
    let mut trailing = ask("www.example.com", "A").wire();
    trailing.push(0);
    connection.send(&trailing);
    connection.reply().is("FORMERR");
    connection.asks(&ask("version.bind", "TXT").class(3)).is("NOERROR");
    connection.asks(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn two_transports_at_one_address_and_port_cannot_start() {
    // each connection would go to one of them by chance
    let (folder, address) = (Folder::new(), place::socket());
    let files = certificate::make(&folder, "node.example", address.ip());
    let (ip, port) = (address.ip(), address.port());
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let corefile = format!(
        ".:{port} {{\n bind {ip}\n whoami\n}}\ntls://.:{port} {{\n bind {ip}\n tls {certificate} {key}\n whoami\n}}\n"
    );
    let path = folder.write("Corefile", &corefile).display().to_string();
    let output = nearpath_tests::daemon::run(&["-conf", &path], Duration::from_secs(10));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains(&port.to_string()), "{text}");
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_kept() {
    let centre = centre();
    let daemon = plain(&centre);
    let (mut idle, mut busy) = (daemon.connection(), daemon.connection());
    idle.asks(&ask("www.example.com", "A")).is("NOERROR");
    for _ in 0..8 {
        busy.asks(&ask("www.example.com", "A")).is("NOERROR");
        std::thread::sleep(contract::limits::CONNECTION_IDLE / 5);
    }
    assert_eq!(idle.receive(), None, "closed");
    busy.asks(&ask("www.example.com", "A")).is("NOERROR");
}

#[test]
fn what_is_no_question_does_not_end_the_connection() {
    let centre = centre();
    let daemon = plain(&centre);
    let mut connection = daemon.connection();
    connection.send(&[]);
    connection.send(&[1, 2, 3]);
    connection.send(&ask("www.example.com", "A").flag(0x8000).wire());
    connection.asks(&ask("www.example.com", "A")).is("NOERROR");
    // the same id twice: both are answered
    let asked = ask("text.example.com", "TXT");
    connection.send(&asked.wire());
    connection.send(&asked.wire());
    assert_eq!((connection.reply().id, connection.reply().id), (asked.id, asked.id));
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let many: Vec<String> =
        (0..200).map(|number| format!("many.example.com. 300 A 192.0.2.{}", number % 250)).collect();
    let centre = Upstream::with(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let daemon = Daemon::given(
        ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n",
        &[("CENTRE", centre.address())],
    );
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            use std::io::Write as _;
            let mut stream = std::net::TcpStream::connect(daemon.address()).unwrap();
            stream.set_nonblocking(true).unwrap();
            let wire = ask("many.example.com", "A").wire();
            let framed = [&(wire.len() as u16).to_be_bytes(), wire.as_slice()].concat();
            // until the daemon reads no more, or has read enough
            (0..20_000).take_while(|_| stream.write_all(&framed).is_ok()).count();
            stream
        })
        .collect();
    let mut other = daemon.connection();
    for _ in 0..20 {
        other.asks(&ask("many.example.com", "A")).is("NOERROR");
        daemon.asked(&ask("many.example.com", "A")).is("NOERROR");
    }
    assert!(daemon.resident() < 200 * 1024, "{} KiB for clients that do not read", daemon.resident());
    drop(deaf);
}

struct Secured {
    daemon: Daemon,
    _centre: Upstream,
    files: Certificate,
    _folder: Folder,
    tls: u16,
    https: u16,
}

/// The stock Corefile of NodeLocal DNSCache with this test's addresses, its keys without ports, and blocks for TLS and HTTPS.
#[track_caller]
fn secured() -> Secured {
    let centre = centre();
    let folder = Folder::new();
    let files = certificate::make(&folder, "node.example", place::address());
    let port = |offset: u16| (place::port() + offset).to_string();
    let words = [
        ("CENTRE", centre.address()),
        ("TLS", port(1)),
        ("HTTPS", port(2)),
        ("METRICS", port(3)),
        ("HEALTH", port(4)),
        ("CERT", files.certificate.display().to_string()),
        ("KEY", files.key.display().to_string()),
    ];
    let stock = mode::root().join("Corefile-compat/corpus/node-local-iptables.Corefile");
    let mut corefile = std::fs::read_to_string(stock).expect("the corpus has the stock Corefile");
    for (from, to) in [
        (":53 {", " {"),
        ("169.254.20.10 10.96.0.10", "IP"),
        ("169.254.20.10:8080", "IP:HEALTH"),
        (":9253", "IP:METRICS"),
        ("10.103.54.21", "CENTRE"),
        ("192.0.2.53", "CENTRE"),
    ] {
        assert!(corefile.contains(from), "the stock Corefile has {from}");
        corefile = corefile.replace(from, to);
    }
    let common = "bind IP\n cache\n forward . CENTRE\n";
    corefile.push_str(&format!(
        "tls://.:TLS {{\n {common} tls CERT KEY\n}}\nhttps://.:HTTPS {{\n {common} tls CERT KEY\n}}\n"
    ));
    let daemon = Daemon::given(&corefile, &words);
    let (tls, https) = (place::port() + 1, place::port() + 2);
    Secured { daemon, _centre: centre, files, _folder: folder, tls, https }
}

/// What a client program prints, and whether it was content.
#[track_caller]
fn says(program: &str, arguments: &[&str]) -> String {
    let output = mode::command(program).args(arguments).output().expect("an installed program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn dig_and_kdig_are_answered_over_every_transport() {
    if !mode::have("scenario: dig and kdig", &["dig", "kdig"]) {
        return;
    }
    let node = secured();
    let (ip, port) = (node.daemon.address().ip().to_string(), node.daemon.address().port().to_string());
    let (at, tls, https) = (format!("@{ip}"), node.tls.to_string(), node.https.to_string());
    let short = |program: &str, more: &[&str]| {
        let mut arguments = vec![at.as_str(), "+short", "+time=5"];
        arguments.extend(more);
        says(program, &arguments)
    };
    let name = ["www.example.com", "A"];
    assert_eq!(short("dig", &["-p", &port, name[0], name[1]]).trim(), "192.0.2.1");
    assert_eq!(short("dig", &["-p", &port, "+tcp", name[0], name[1]]).trim(), "192.0.2.1");
    assert_eq!(short("kdig", &["-p", &port, "+tcp", name[0], name[1]]).trim(), "192.0.2.1");
    let ca = format!("+tls-ca={}", node.files.authority.display());
    // kdig checks the certificate against our authority
    let host = "+tls-hostname=node.example";
    assert_eq!(short("kdig", &["-p", &tls, "+tls", &ca, host, name[0], name[1]]).trim(), "192.0.2.1");
    assert_eq!(short("kdig", &["-p", &https, "+https", &ca, host, name[0], name[1]]).trim(), "192.0.2.1");
    assert_eq!(short("kdig", &["-p", &https, "+https-get", &ca, host, name[0], name[1]]).trim(), "192.0.2.1");
    let text = says("dig", &[&at, "-p", &port, "+nsid", name[0], name[1]]);
    assert!(text.contains("NSID"), "{text}");
    let version = short("dig", &["-p", &port, "CH", "TXT", "version.bind"]);
    assert!(version.contains("nearpath"), "{version}");
    // the front door behind TLS and HTTPS too
    let text = says("kdig", &[&at, "-p", &tls, "+tls", "-c", "CH", "something.bind", "TXT"]);
    assert!(text.contains("REFUSED"), "{text}");
    let text = says("kdig", &[&at, "-p", &https, "+https", "nothing.example.com", "A"]);
    assert!(text.contains("NXDOMAIN"), "{text}");
}
