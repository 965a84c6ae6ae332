//! The page's listener without a browser: what it says of itself, whom it refuses, and that it never costs an answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nearpath_tests::Tcp;

use super::*;

/// Sends a request with these lines for its head, and reads all that comes.
fn said(page: SocketAddr, first: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(page).expect("the page listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a wait above zero");
    write!(stream, "{first} HTTP/1.1\r\n{lines}\r\n").expect("the daemon reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok();
    reply
}

#[test]
fn it_is_shown_to_whom_it_is_for() {
    let node = Node::start();
    let page = node.page();
    let own = format!("Host: {page}\r\n");
    let reply = said(page, "GET /", &own);
    let (head, body) = reply.split_once("\r\n\r\n").expect("a whole reply");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && body.ends_with("</html>\n"), "{head}");
    for line in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'; script-src 'sha256-",
    ] {
        assert!(head.contains(line), "{line} in:\n{head}");
    }
    for (first, lines, status) in [
        ("GET /v1/overview", own.clone(), 200),
        ("GET /v1/overview", "Host: rebound.example\r\n".to_owned(), 403),
        ("GET /v1/top", format!("{own}Origin: http://other.example\r\n"), 403),
        ("GET /v1/stream", format!("{own}Sec-Fetch-Site: cross-site\r\n"), 403),
        ("POST /v1/overview", own.clone(), 405),
        ("GET /v1/explain", own.clone(), 400),
        ("GET /favicon.ico", own.clone(), 404),
    ] {
        let reply = said(page, first, &lines);
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{first} {lines}: {reply}");
    }
}

#[test]
fn it_is_nowhere_unless_it_is_asked_for() {
    let centre = Upstream::with(TABLE);
    let words = [("CENTRE", centre.address())];
    let corefile = ".:PORT {\n bind IP\n forward . CENTRE\n}\n";
    for flags in [&[][..], &["-status-listen-address="]] {
        let daemon = Daemon::at(place::socket(), corefile, &words, &[], flags);
        daemon.asked(&ask("www.example.com", "A")).is("NOERROR");
        assert!(!daemon.log_since(0).iter().any(|line| line.contains("status page")), "{flags:?}");
    }
}

#[test]
fn it_stays_over_a_reload_and_a_thousand_slow_clients_cost_no_answer() {
    let mut node = Node::start();
    let page = node.page();
    let held: Vec<_> = (0..1_000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            Tcp::from(IpAddr::from([127, 9, high, low]), page)
        })
        .collect();
    for number in 0..300 {
        node.daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
    drop(held);
    assert!(node.daemon.reloads(&COREFILE.replace("cache 30", "cache 20")));
    // places come back as slow clients are cut
    let own = format!("Host: {page}\r\n");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !said(page, "GET /v1/overview", &own).starts_with("HTTP/1.1 200 ") {
        assert!(std::time::Instant::now() < deadline, "the page is not shown again");
        std::thread::sleep(Duration::from_millis(50));
    }
    node.daemon.is_well();
}
