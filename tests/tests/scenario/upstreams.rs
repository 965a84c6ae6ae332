//! How upstreams are spoken to: transports, connections that are kept or closed, truncation.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::certificate::{self, Authority};
use nearpath_tests::place::{self, Folder};
use nearpath_tests::{Behaviour, Daemon, Reply, Upstream, ask};

use super::{TABLE, centre};

const OVER_TCP: &str = ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  force_tcp\n }\n}\n";
const OVER_UDP: &str = ".:PORT {\n bind IP\n cache\n forward . CENTRE\n}\n";

#[track_caller]
fn over(corefile: &str, centre: &Upstream) -> Daemon {
    Daemon::given(corefile, &[("CENTRE", centre.address())])
}

#[test]
fn each_upstream_is_asked_over_its_own_transport() {
    let centre = centre();
    over(OVER_UDP, &centre).asked(&ask("www.example.com", "A")).is("NOERROR");
    assert!(centre.seen().iter().all(|seen| !seen.tcp));
    centre.forgets();
    over(OVER_TCP, &centre).asked(&ask("www.example.com", "A")).is("NOERROR");
    assert!(centre.seen().iter().all(|seen| seen.tcp) && centre.seen().len() == 1);
    centre.forgets();
    // a client over TCP takes the upstream over TCP with it, as in CoreDNS, unless prefer_udp is said
    let prefer = ".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  prefer_udp\n }\n}\n";
    over(prefer, &centre).connection().asks(&ask("www.example.com", "A")).is("NOERROR");
    assert!(centre.seen().iter().all(|seen| !seen.tcp), "{:?}", centre.seen());
}

#[test]
fn a_connection_carries_many_questions_at_once() {
    let centre = centre();
    let daemon = over(OVER_TCP, &centre);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    centre.behaves(Behaviour::Slow(Duration::from_millis(700)));
    let client = daemon.client();
    let start = Instant::now();
    let asks: Vec<_> = (0..200).map(|number| ask(&format!("n{number}.wild.example.com"), "A")).collect();
    asks.iter().for_each(|asked| client.send(&asked.wire()));
    for _ in &asks {
        let reply = client.receive(Duration::from_secs(6)).expect("each question has its reply");
        Reply::read(&reply).unwrap().is("NOERROR");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "200 questions wait together: {:?}", start.elapsed());
    // such as come late find all connections held up, and get another: how many come late is the machine's affair
    assert!(centre.connections() <= contract::limits::UPSTREAM_HELD_UP_MAX, "{}", centre.connections());
}

#[test]
fn a_slow_answer_holds_up_no_other() {
    let centre = centre();
    centre.behaves_for("slow.wild.example.com.", Behaviour::Slow(Duration::from_millis(1_500)));
    let daemon = over(OVER_TCP, &centre);
    let client = daemon.client();
    let (slow, quick) = (ask("slow.wild.example.com", "A"), ask("quick.wild.example.com", "A"));
    client.send(&slow.wire());
    while centre.asked_for("slow.wild.example.com.") == 0 {
        sleep(Duration::from_millis(5));
    }
    client.send(&quick.wire());
    let replies = [(); 2].map(|()| client.receive(Duration::from_secs(5)).expect("both are answered"));
    assert_eq!(replies.map(|octets| Reply::read(&octets).unwrap().id), [quick.id, slow.id], "in this order");
}

#[test]
fn a_peer_that_closes_after_each_answer_works() {
    let centre = centre();
    centre.behaves(Behaviour::CloseEach);
    let daemon = over(OVER_TCP, &centre);
    let client = daemon.client();
    for number in 0..30 {
        client.asks(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
    // several at a time: what is outstanding as the connection dies is asked again
    let asks: Vec<_> = (0..5).map(|number| ask(&format!("m{number}.wild.example.com"), "A")).collect();
    for asked in asks {
        client.asks(&asked).is("NOERROR");
    }
}

#[test]
fn a_peer_that_closes_idle_connections_works() {
    let centre = centre();
    centre.behaves(Behaviour::CloseIdle(Duration::from_secs(1)));
    let daemon = over(OVER_TCP, &centre);
    for (number, wait) in [0, 900, 1_000, 1_050, 1_300, 2_100].into_iter().enumerate() {
        sleep(Duration::from_millis(wait));
        daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
}

#[test]
fn a_peer_that_answers_one_at_a_time_works() {
    let centre = centre();
    centre.behaves(Behaviour::OneAtATime(Duration::from_millis(10)));
    let daemon = over(OVER_TCP, &centre);
    let client = daemon.client();
    let asks: Vec<_> = (0..50).map(|number| ask(&format!("n{number}.wild.example.com"), "A")).collect();
    asks.iter().for_each(|asked| client.send(&asked.wire()));
    for _ in &asks {
        let reply = client.receive(Duration::from_secs(6)).expect("each question has its reply");
        Reply::read(&reply).unwrap().is("NOERROR");
    }
}

#[test]
fn a_connection_that_dies_with_a_question_outstanding_is_asked_again_once() {
    let centre = centre();
    let daemon = over(OVER_TCP, &centre);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    centre.behaves_for("cut.wild.example.com.", Behaviour::CloseUnanswered);
    daemon.asked(&ask("cut.wild.example.com", "A").edns(1232)).is("SERVFAIL").ede(&[22, 23, 24]);
    let asked = centre.asked_for("cut.wild.example.com.");
    assert!((2..=4).contains(&asked), "asked again, but not for ever: {asked}");
    daemon.asked(&ask("text.example.com", "TXT")).is("NOERROR");
}

#[test]
fn a_truncated_datagram_leads_to_tcp() {
    let centre = centre();
    centre.behaves(Behaviour::Truncate);
    let daemon = over(OVER_UDP, &centre);
    let reply = daemon.asked(&ask("www.example.com", "A"));
    reply.is("NOERROR").answers_are(&["www.example.com. A 192.0.2.1"]);
    assert!(!reply.is_truncated());
    let transports: Vec<bool> = centre.seen().iter().map(|seen| seen.tcp).collect();
    assert_eq!(transports, [false, true]);
}

#[test]
fn truncation_over_tcp_is_a_failure() {
    let centre = centre();
    centre.behaves(Behaviour::TruncateBoth);
    let daemon = over(OVER_TCP, &centre);
    daemon.asked(&ask("www.example.com", "A").edns(1232)).is("SERVFAIL").ede(&[22, 23, 24]);
}

#[test]
fn names_that_are_excepted_are_not_forwarded() {
    let centre = Upstream::with(TABLE);
    let daemon = over(".:PORT {\n bind IP\n cache\n forward . CENTRE {\n  except sub.example.com\n }\n}\n", &centre);
    daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
    assert_ne!(daemon.asked(&ask("x.sub.example.com", "A")).rcode, 0);
    assert_eq!(centre.asked_for("x.sub.example.com."), 0);
}

#[test]
fn ids_and_ports_towards_the_upstream_cannot_be_guessed() {
    // what the upstream sees is taken from the wire by a socket of our own
    let address = nearpath_tests::place::socket();
    let socket = std::net::UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let daemon = Daemon::given(OVER_UDP, &[("CENTRE", address.to_string())]);
    let client = daemon.client();
    let (mut ids, mut ports) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    for number in 0..40 {
        client.send(&ask(&format!("n{number}.example.com"), "A").wire());
        let mut buffer = [0; 1500];
        let (length, source) = socket.recv_from(&mut buffer).expect("the question is forwarded");
        if length > 20 {
            ids.insert(u16::from_be_bytes([buffer[0], buffer[1]]));
            ports.insert(source.port());
        }
    }
    assert!(ids.len() > 30, "{} ids in 40 questions", ids.len());
    assert!(ports.len() > 20, "{} ports in 40 questions", ports.len());
}

#[test]
fn an_upstream_over_tls_is_trusted_if_the_systems_authorities_signed_for_it() {
    let (folder, address) = (Folder::new(), place::socket());
    let files = certificate::make(&folder, "ns.example", address.ip());
    std::fs::create_dir(folder.file("certificates")).unwrap();
    let stranger = folder.write("certificates/stranger.pem", Authority::new().pem());
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let port = address.port() + 1;
    let over_tls = format!("tls://.:{port} {{\n bind IP\n tls {certificate} {key}\n whoami\n}}\n");
    let _upstream = Daemon::at(address, &over_tls, &[], &[], &[]);
    let corefile = format!(".:PORT {{\n bind IP\n forward . tls://{}:{port}\n}}\n", address.ip());
    let [authority, stranger] = [&files.authority, &stranger].map(|path| path.display().to_string());
    let folders = folder.path().display().to_string();
    for (variable, place, expected) in [
        ("SSL_CERT_FILE", &authority, "NOERROR"),
        ("SSL_CERT_FILE", &stranger, "SERVFAIL"),
        ("SSL_CERT_DIR", &format!("/nowhere:{folders}"), "NOERROR"),
        ("SSL_CERT_DIR", &format!("{folders}/certificates"), "SERVFAIL"),
    ] {
        let daemon = Daemon::given_variables(&corefile, &[(variable, place)]);
        daemon.asked(&ask("www.example.com", "A")).is(expected);
    }
}
