//! The document and its policy fit each other, and the listener is bounded and goes with its value.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::door::tests::nobody;
use super::*;

#[test]
fn a_hash_is_what_others_say() {
    // FIPS 180-2, appendix B.1, in base64
    assert_eq!(sha256("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

#[test]
fn the_document_is_whole_and_brings_all_that_it_shows() {
    let page = document();
    let html = std::str::from_utf8(&page.html).unwrap();
    assert!(!html.contains("{{"), "every mark is replaced");
    assert!(html.contains(&format!("<style>{STYLE}</style>")), "what is hashed is what stands between the tags");
    assert!(html.contains(&format!("<script>{SCRIPT}</script>")), "what is hashed is what stands between the tags");
    for ends in ["</script", "</style", "<!--"] {
        assert!(!SCRIPT.contains(ends) && !STYLE.contains(ends), "{ends} would end it early");
    }
    let addresses: Vec<_> = html.match_indices("http").map(|(at, _)| &html[at..html.len().min(at + 26)]).collect();
    assert!(
        addresses.iter().all(|address| address.starts_with("http://www.w3.org/2000/svg")),
        "nothing is fetched elsewhere: {addresses:?}"
    );
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", " onclick="] {
        assert!(!html.contains(markup), "no text becomes markup or script: {markup}");
    }
}

#[test]
fn a_browser_runs_nothing_but_its_own_script() {
    let policy = document().policy;
    let policy = policy.to_str().unwrap();
    for word in
        ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(word), "{policy}");
    }
    assert!(policy.contains(&sha256(SCRIPT)) && policy.contains(&sha256(STYLE)), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// An address that nobody has.
fn free() -> SocketAddr {
    let probe = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    probe.local_addr().unwrap()
}

/// What is replied; nothing where the connection is closed.
async fn asked(address: SocketAddr) -> String {
    let mut reply = String::new();
    if let Ok(mut stream) = TcpStream::connect(address).await {
        let request = format!("GET /v1/overview HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_string(&mut reply).await;
    }
    reply
}

/// Asks until it is answered, or until it is not.
async fn asked_until(address: SocketAddr, answered: bool) {
    let asking = async { while asked(address).await.starts_with("HTTP/1.1 200 ") != answered {} };
    timeout(Duration::from_secs(30), asking).await.unwrap();
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_no_more() {
    let address = free();
    let page = StatusPage::open(address, Ports::Own, nobody()).unwrap();
    let mut held = Vec::new();
    for _ in 0..SEE_CONNECTIONS_PER_CLIENT_MAX {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    assert_eq!(asked(address).await, "", "the next one is closed without a word");
    drop(held);
    asked_until(address, true).await;
    drop(page);
    asked_until(address, false).await;
}

#[tokio::test]
async fn an_address_is_had_alone_or_shared_with_another_instance() {
    let address = free();
    let alone = StatusPage::open(address, Ports::Own, nobody()).unwrap();
    let error = StatusPage::open(address, Ports::Own, nobody()).err().unwrap().to_string();
    assert!(error.contains("-status-listen-address") && error.contains(&address.to_string()), "{error}");
    drop(alone);

    let address = free();
    let first = StatusPage::open(address, Ports::Shared, nobody()).unwrap();
    let second = StatusPage::open(address, Ports::Shared, nobody()).unwrap();
    assert!(asked(address).await.starts_with("HTTP/1.1 200 "));
    drop(first);
    asked_until(address, true).await; // by the one that stays
    drop(second);
}
