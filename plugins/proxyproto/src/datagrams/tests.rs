//! Each policy with each kind of datagram.

use std::time::Duration;

use contract::testing;

use super::*;
use crate::check;

const MESSAGE: &[u8] = b"\x12\x34 a message";
const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.10 40212 53\r\n";

/// A header of version 2 for a datagram from 192.0.2.7 port 40212, unless the family is another.
fn header(command: u8, family: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 10, 0, 0, 10, 0x9d, 0x14, 0, 53];
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family, 0, 12], &addresses].concat()
}

fn datagrams(body: &str) -> Datagrams {
    Datagrams::new(testing::checked(&format!("proxyproto {{\n{body}\n}}"), check).0.unwrap())
}

fn sender() -> SocketAddr {
    "10.0.0.1:7000".parse().unwrap()
}

fn client() -> SocketAddr {
    "192.0.2.7:40212".parse().unwrap()
}

#[test]
fn each_policy_has_its_way_with_headers() {
    let of_client = [header(0x21, 0x12), MESSAGE.to_vec()].concat();
    let of_proxy = [header(0x20, 0x12), MESSAGE.to_vec()].concat();
    let of_stream = [header(0x21, 0x11), MESSAGE.to_vec()].concat();
    let line = [LINE, MESSAGE].concat();
    let whole = |datagram| Ok(Some((datagram, sender())));
    let rows: [(&str, &[u8], _); 16] = [
        ("default use", &of_client, Ok(Some((MESSAGE, client())))),
        ("default use", MESSAGE, whole(MESSAGE)),
        ("default use", &of_proxy, whole(MESSAGE)),
        ("default use", &of_stream, Err(Wrong::NotOfDatagram)),
        ("default use", &line, Err(Wrong::NotOfDatagram)),
        ("default use", &of_client[..20], Err(Wrong::Cut)),
        ("default use", b"\r\n", whole(b"\r\n")),
        ("default use", b"", whole(b"")),
        ("default ignore", &of_client, whole(MESSAGE)),
        ("default ignore", MESSAGE, whole(MESSAGE)),
        ("default ignore", &line, Err(Wrong::NotOfDatagram)),
        ("default reject", &of_client, Err(Wrong::Unwanted)),
        ("default reject", MESSAGE, whole(MESSAGE)),
        ("default skip", &of_client, whole(&of_client)),
        ("allow 10.0.0.0/8\ndefault reject", &of_client, Ok(Some((MESSAGE, client())))),
        ("allow 11.0.0.0/8", &of_client, whole(MESSAGE)),
    ];
    for (body, datagram, read) in rows {
        assert_eq!(datagrams(body).read(datagram, sender(), Moment(0)), read, "{body}: {}", datagram.escape_ascii());
    }
}

#[test]
fn a_session_is_its_senders_alone() {
    let datagrams = datagrams("udp_session_tracking 1s 2");
    let other: SocketAddr = "10.0.0.1:7001".parse().unwrap();
    let alone = header(0x21, 0x12);
    let at = |seconds: u64| Moment(0).after(Duration::from_millis(900 * seconds));
    assert_eq!(datagrams.read(MESSAGE, sender(), at(0)), Ok(Some((MESSAGE, sender()))));
    assert_eq!(datagrams.read(&alone, sender(), at(0)), Ok(None));
    for steps in 1..4 {
        assert_eq!(datagrams.read(MESSAGE, sender(), at(steps)), Ok(Some((MESSAGE, client()))));
    }
    assert_eq!(datagrams.read(MESSAGE, other, at(3)), Ok(Some((MESSAGE, other))));
    assert_eq!(datagrams.read(MESSAGE, sender(), at(5)), Ok(Some((MESSAGE, sender()))));
    let both = [alone, MESSAGE.to_vec()].concat();
    assert_eq!(datagrams.read(&both, other, at(5)), Ok(Some((MESSAGE, client()))));
    assert_eq!(datagrams.read(MESSAGE, other, at(5)), Ok(Some((MESSAGE, client()))));
}
