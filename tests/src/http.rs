//! The smallest HTTP client: one GET, the status and the body.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Fetches `path` from `IP:PORT`.
#[track_caller]
pub fn fetch(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a wait above zero");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("the server reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server answers in UTF-8 and closes");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole HTTP response");
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, body.to_owned())
}
