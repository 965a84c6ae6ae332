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

struct Secured {
    daemon: Daemon,
    _centre: Upstream,
    files: Certificate,
    tls: u16,
    https: u16,
}

#[track_caller]
fn secured() -> Secured {
    let centre = centre();
    let folder = Folder::new();
    let ports = place::address();
    let (tls, https) = (place::port(ports), place::port(ports) + 1);
    let files = certificate::make(&folder, "node.example", ports);
    let words = [
        ("CENTRE", centre.address()),
        ("TLS", tls.to_string()),
        ("HTTPS", https.to_string()),
        ("CERT", files.certificate.display().to_string()),
        ("KEY", files.key.display().to_string()),
    ];
    let common = "bind IP\n cache\n forward . CENTRE\n";
    let corefile = format!(
        ". {{\n {common}}}\ntls://.:TLS {{\n {common} tls CERT KEY\n}}\nhttps://.:HTTPS {{\n {common} tls CERT KEY\n}}\n"
    );
    let daemon = Daemon::given(&corefile, &words);
    Secured { daemon, _centre: centre, files, tls, https }
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
    let text = says("kdig", &[&at, "-p", &tls, "+tls", "+noedns", "example.com", "TYPE252"]);
    assert!(text.contains("REFUSED"), "{text}");
    let text = says("kdig", &[&at, "-p", &https, "+https", "nothing.example.com", "A"]);
    assert!(text.contains("NXDOMAIN"), "{text}");
}
