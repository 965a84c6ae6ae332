//! Clients behind a proxy, over loopback: connections plain and encrypted, datagrams, seats.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use proxyproto::{Policy, ProxyprotoSpec};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Behind;
use crate::serve::accept::Listener;
use crate::serve::connections::Connections;
use crate::serve::desk::{TestDoor, apology, packet};
use crate::serve::stream::{StreamOptions, StreamSocket, Timeouts};
use crate::serve::tls_pair::pair;
use crate::serve::udp::{UdpSockets, UdpWorkers};

/// Only against hanging for ever.
const HANG: Duration = Duration::from_secs(30);
const PATIENT: Timeouts = Timeouts { read: HANG, write: HANG, idle: HANG, questions_max: None };
const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.10 40212 53\r\n";

/// A header of version 2: 192.0.2.7 port 40212 asks 10.0.0.10 port 53. 0x11 is TCP, 0x12 UDP.
fn binary(family: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 10, 0, 0, 10, 0x9d, 0x14, 0, 53];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21"[..], &[family, 0, 12], &addresses].concat()
}

fn spec(default: Policy) -> Arc<ProxyprotoSpec> {
    Arc::new(ProxyprotoSpec { default: Some(default), ..ProxyprotoSpec::default() })
}

fn listen(spec: &Arc<ProxyprotoSpec>, timeouts: Timeouts, connections: &Arc<Connections>) -> Listener {
    let proxy = Some(Arc::clone(spec));
    let options = StreamOptions { timeouts, connections: Arc::clone(connections), tls: None, proxy };
    let socket = StreamSocket::bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
    socket.serve(&Arc::new(TestDoor::default()), options, &Handle::current()).unwrap()
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&(packet.len() as u16).to_be_bytes()[..], packet].concat()
}

/// The next reply; `None` at the end of the connection.
async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = timeout(HANG, stream.read_u16()).await.expect("no hang").ok()?;
    let mut reply = vec![0; length.into()];
    timeout(HANG, stream.read_exact(&mut reply)).await.expect("no hang").ok()?;
    Some(reply)
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) {
    // a connection may be closed already
    let _ = stream.write_all(octets).await;
    let _ = stream.flush().await;
}

/// Who asks, and which address of ours, by a connection that begins so.
async fn ends(spec: &Arc<ProxyprotoSpec>, begins: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let connections = Arc::default();
    let listener = listen(spec, PATIENT, &connections);
    let mut stream = TcpStream::connect(listener.local()).await.unwrap();
    let (client, local) = (framed(&packet(1, b'C', 0)), framed(&packet(2, b'A', 0)));
    say(&mut stream, &[begins, &client, &local].concat()).await;
    let told = (reply(&mut stream).await?[2..].to_vec(), reply(&mut stream).await?[2..].to_vec());
    Some(told)
}

#[tokio::test]
async fn a_connection_comes_from_whom_its_header_tells_of() {
    let own = Some((vec![127, 0, 0, 1], vec![127, 0, 0, 1]));
    let told = Some((vec![192, 0, 2, 7], vec![10, 0, 0, 10]));
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for (policy, begins, expected) in [
        (Policy::Use, LINE, &told),
        (Policy::Use, &binary(0x11), &told),
        (Policy::Use, b"", &own),
        (Policy::Use, local, &own),
        (Policy::Use, b"PROXY UNKNOWN\r\n", &own),
        (Policy::Use, b"PROXY NONSENSE\r\n", &None),
        (Policy::Ignore, LINE, &own),
        (Policy::Ignore, &binary(0x11), &own),
        (Policy::Reject, LINE, &None),
        (Policy::Reject, b"", &own),
        (Policy::Skip, b"", &own),
    ] {
        assert_eq!(ends(&spec(policy), begins).await, *expected, "{policy:?} {}", begins.escape_ascii());
    }
}

#[tokio::test]
async fn a_header_may_come_octet_by_octet_but_not_too_slowly() {
    let connections = Arc::default();
    let listener = listen(&spec(Policy::Use), PATIENT, &connections);
    let mut stream = TcpStream::connect(listener.local()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for octet in [&binary(0x11)[..], &framed(&packet(1, b'C', 0))].concat() {
        say(&mut stream, &[octet]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(reply(&mut stream).await, Some(vec![0, 1, 192, 0, 2, 7]));

    let brief = Timeouts { read: Duration::from_millis(50), ..PATIENT };
    let listener = listen(&spec(Policy::Use), brief, &connections);
    let mut stream = TcpStream::connect(listener.local()).await.unwrap();
    say(&mut stream, &LINE[..10]).await;
    assert_eq!(reply(&mut stream).await, None);
    assert_eq!(connections.counts().failed, 1);

    let brief = Timeouts { idle: Duration::from_millis(50), ..PATIENT };
    let listener = listen(&spec(Policy::Use), brief, &connections);
    let mut stream = TcpStream::connect(listener.local()).await.unwrap();
    assert_eq!(reply(&mut stream).await, None, "who says nothing is idle");
    assert_eq!(connections.counts().failed, 1);
}

#[tokio::test]
async fn a_listener_that_ends_does_not_wait_for_headers() {
    let listener = listen(&spec(Policy::Use), PATIENT, &Arc::default());
    let _silent = TcpStream::connect(listener.local()).await.unwrap();
    let mut beginning = TcpStream::connect(listener.local()).await.unwrap();
    say(&mut beginning, &LINE[..10]).await;
    assert!(listener.drain(HANG).await);
}

#[tokio::test]
async fn each_client_behind_a_proxy_has_a_share_of_its_own() {
    let connections = Arc::new(Connections::new(8, 1));
    let listener = listen(&spec(Policy::Use), PATIENT, &connections);
    let connect = async |client: u8| {
        let mut stream = TcpStream::connect(listener.local()).await.unwrap();
        let line = format!("PROXY TCP4 192.0.2.{client} 10.0.0.10 40212 53\r\n");
        say(&mut stream, &[line.as_bytes(), &framed(&packet(1, b'C', 0))].concat()).await;
        assert_eq!(reply(&mut stream).await, Some(vec![0, 1, 192, 0, 2, client]));
        stream
    };
    let mut seven = connect(7).await;
    let _eight = connect(8).await;
    assert_eq!(connections.counts().open, 2);
    let _again = connect(7).await;
    assert_eq!(reply(&mut seven).await, None, "a client's own connections make room for each other");
    assert_eq!((connections.counts().open, connections.counts().displaced), (2, 1));
}

#[tokio::test]
async fn the_header_stands_before_the_handshake() {
    let (server, client) = pair(&[]);
    let proxy = Some(spec(Policy::Use));
    let options = StreamOptions { timeouts: PATIENT, connections: Arc::default(), tls: Some(server), proxy };
    let socket = StreamSocket::bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
    let listener = socket.serve(&Arc::new(TestDoor::default()), options, &Handle::current()).unwrap();
    for (begins, expected) in [(LINE, [192, 0, 2, 7]), (b"", [127, 0, 0, 1])] {
        let mut stream = TcpStream::connect(listener.local()).await.unwrap();
        say(&mut stream, begins).await;
        let connector = TlsConnector::from(Arc::clone(&client));
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        say(&mut stream, &framed(&packet(1, b'C', 0))).await;
        assert_eq!(reply(&mut stream).await, Some([&[0, 1], &expected[..]].concat()));
    }
}

/// Workers that serve one address so, and that address.
fn datagrams(spec: &ProxyprotoSpec) -> (Runtime, UdpWorkers, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut workers = UdpWorkers::start(2, runtime.handle().clone()).unwrap();
    let sockets = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    let door = Arc::new(Behind::new(&Arc::new(TestDoor::default()), spec));
    let server = workers.serve(sockets, &door).unwrap().local;
    (runtime, workers, server)
}

fn client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket.connect(server).unwrap();
    socket
}

fn ask(socket: &UdpSocket, datagram: &[u8]) -> Vec<u8> {
    socket.send(datagram).unwrap();
    let mut buffer = [0; 2_048];
    let length = socket.recv(&mut buffer).expect("a reply");
    buffer[..length].to_vec()
}

#[test]
fn datagrams_are_answered_to_the_proxy_and_come_from_whom_they_tell_of() {
    let (_runtime, _workers, server) = datagrams(&spec(Policy::Use));
    let socket = client(server);
    let with = |packet: Vec<u8>| [binary(0x12), packet].concat();
    assert_eq!(ask(&socket, &with(packet(1, b'C', 0))), [0, 1, 192, 0, 2, 7]);
    assert_eq!(ask(&socket, &packet(2, b'C', 0)), [0, 2, 127, 0, 0, 1]);
    assert_eq!(ask(&socket, &with(packet(3, b'D', 5))), packet(3, b'D', 5), "late");
    assert_eq!(ask(&socket, &with(packet(4, b'P', 0))), apology(&packet(4, b'P', 0)), "the message's own id");
    assert_eq!(ask(&socket, &with(packet(5, b'L', 0))), apology(&packet(5, b'L', 0)), "the message's own id");
    // What is dropped has no reply, so the next reply is that of the next question.
    for dropped in [[LINE, &packet(6, b'E', 0)].concat(), [binary(0x11), packet(7, b'E', 0)].concat()] {
        socket.send(&dropped).unwrap();
    }
    assert_eq!(ask(&socket, &packet(8, b'E', 0)), packet(8, b'E', 0));
}

#[test]
fn who_is_not_to_send_headers_has_no_reply_to_them() {
    let (_runtime, _workers, server) = datagrams(&spec(Policy::Reject));
    let socket = client(server);
    socket.send(&[binary(0x12), packet(1, b'E', 0)].concat()).unwrap();
    assert_eq!(ask(&socket, &packet(2, b'C', 0)), [0, 2, 127, 0, 0, 1]);
}

#[test]
fn a_header_alone_holds_for_the_datagrams_behind_it() {
    let spec = ProxyprotoSpec { lasts: Some(HANG), senders: Some(2), ..ProxyprotoSpec::default() };
    let (_runtime, _workers, server) = datagrams(&spec);
    let (socket, other) = (client(server), client(server));
    socket.send(&binary(0x12)).unwrap();
    for id in 1..4 {
        assert_eq!(ask(&socket, &packet(id, b'C', 0)), [0, id as u8, 192, 0, 2, 7]);
    }
    assert_eq!(ask(&other, &packet(4, b'C', 0)), [0, 4, 127, 0, 0, 1]);
}
