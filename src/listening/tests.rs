//! Sockets over a start and a reload: whose port it is, what is kept, what is renewed.

use std::io::Read as _;

use rustls::{ClientConfig, ServerConfig};
use timeouts::TimeoutsSpec;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;
use crate::daemon::{Options, without_sockets};
use crate::serve::tls_pair::pair;
use crate::serve::zones::Zones;

/// Only against hanging for ever.
const HANG: Duration = Duration::from_secs(30);
/// A question for `example.`, A.
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01";
const NOERROR: u8 = 0;
const REFUSED: u8 = 5;

fn blocks(text: &str) -> Arc<Zones> {
    without_sockets(text, &Options::default(), &Handle::current()).unwrap().0
}

fn assembly(listeners: Vec<assembly::Listener>) -> Assembly {
    Assembly { listeners, plugins: Vec::new(), enabled: Vec::new() }
}

fn listener(at: Endpoint, zones: &Arc<Zones>, idle: Duration, tls: Option<&Arc<ServerConfig>>) -> assembly::Listener {
    let timeouts = TimeoutsSpec { read: HANG, write: HANG, idle, max_tcp_queries: None };
    assembly::Listener { at, zones: Arc::clone(zones), tls: tls.cloned(), timeouts, opening: Opening::default() }
}

/// An endpoint whose port is free. Each test has an address of its own, so that none takes another's.
fn free(scheme: Scheme, ip: &str) -> Endpoint {
    let socket = std::net::UdpSocket::bind((ip, 0)).unwrap();
    Endpoint { scheme, address: socket.local_addr().unwrap() }
}

async fn ask_udp(at: Endpoint) -> u8 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at.address).await.unwrap();
    socket.send(QUERY).await.unwrap();
    let mut reply = [0; 512];
    timeout(HANG, socket.recv(&mut reply)).await.expect("no hang").unwrap();
    reply[3] & 15
}

/// The RCODE; `None` at the end of the connection.
async fn ask<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S) -> Option<u8> {
    let framed = [&(QUERY.len() as u16).to_be_bytes()[..], QUERY].concat();
    stream.write_all(&framed).await.ok()?;
    stream.flush().await.ok()?;
    let length = timeout(HANG, stream.read_u16()).await.expect("no hang").ok()?;
    let mut reply = vec![0; length.into()];
    timeout(HANG, stream.read_exact(&mut reply)).await.expect("no hang").ok()?;
    Some(reply[3] & 15)
}

async fn shake(at: Endpoint, client: &Arc<ClientConfig>) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(at.address).await?;
    TlsConnector::from(Arc::clone(client)).connect("localhost".try_into().unwrap(), stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_reload_sockets_and_connections_stay_and_terms_are_renewed() {
    let ip = "127.0.0.81";
    let [dns, tls, https] = [Scheme::Dns, Scheme::Tls, Scheme::Https].map(|scheme| free(scheme, ip));
    let ((old, trusts_old), (new, trusts_new)) = (pair(&[b"h2"]), pair(&[b"h2"]));
    let of = |text, idle, config: &Arc<ServerConfig>| {
        let zones = blocks(text);
        let with = |at, config| listener(at, &zones, idle, config);
        assembly(vec![with(dns, None), with(tls, Some(config)), with(https, Some(config))])
    };
    let first = of(".:53 {\n whoami\n}\n", HANG, &old);
    let mut listening = Listening::start(2, &Bounds::default(), Handle::current()).unwrap();
    listening.serve(&first, Sockets::bind(&first, 2, false).unwrap()).unwrap();
    let mut plain = TcpStream::connect(dns.address).await.unwrap();
    let mut encrypted = shake(tls, &trusts_old).await.unwrap();
    let mut http = shake(https, &trusts_old).await.unwrap();
    assert_eq!((ask_udp(dns).await, ask(&mut plain).await), (NOERROR, Some(NOERROR)));
    assert_eq!(ask(&mut encrypted).await, Some(NOERROR));

    listening.reconcile(&of("other.:53 {\n whoami\n}\n", Duration::from_millis(50), &new)).unwrap();
    assert_eq!((ask_udp(dns).await, ask(&mut plain).await), (REFUSED, Some(REFUSED)), "by the new blocks");
    assert_eq!(ask(&mut encrypted).await, Some(REFUSED));
    let mut idle = TcpStream::connect(dns.address).await.unwrap();
    assert_eq!(timeout(HANG, idle.read(&mut [0])).await.expect("no hang").unwrap(), 0, "the new patience");
    for at in [tls, https] {
        assert!(shake(at, &trusts_old).await.is_err());
        shake(at, &trusts_new).await.unwrap();
    }
    // HTTP/2's preface and SETTINGS, and theirs.
    http.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    http.flush().await.unwrap();
    assert!(timeout(HANG, http.read(&mut [0; 9])).await.expect("no hang").unwrap() > 0, "it came before");
    drop(http); // it would be waited for, since HTTP/2 lets both ends say that they close
    assert!(listening.drain(HANG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_goes_through_or_changes_nothing() {
    let ip = "127.0.0.82";
    let (stays, goes, comes) = (free(Scheme::Dns, ip), free(Scheme::Dns, ip), free(Scheme::Dns, ip));
    let nowhere = Endpoint { scheme: Scheme::Tls, address: "192.0.2.1:853".parse().unwrap() };
    let of = |text, endpoints: &[Endpoint]| {
        let zones = blocks(text);
        assembly(endpoints.iter().map(|&at| listener(at, &zones, HANG, None)).collect())
    };
    let first = of(".:53 {\n whoami\n}\n", &[stays, goes]);
    let mut listening = Listening::start(1, &Bounds::default(), Handle::current()).unwrap();
    listening.serve(&first, Sockets::bind(&first, 1, false).unwrap()).unwrap();
    let other = "other.:53 {\n whoami\n}\n";
    assert!(listening.reconcile(&of(other, &[stays, comes, nowhere])).is_err());
    assert!(listening.endpoints().eq([stays, goes].iter().collect::<std::collections::BTreeSet<_>>()));
    assert_eq!((ask_udp(stays).await, ask_udp(goes).await), (NOERROR, NOERROR));
    // Sockets that do not close as they should.
    listening.udp.remove(goes.address).unwrap();
    listening.reconcile(&of(other, &[stays, comes])).unwrap();
    assert!(listening.endpoints().eq([stays, comes].iter().collect::<std::collections::BTreeSet<_>>()));
    assert_eq!((ask_udp(stays).await, ask_udp(comes).await), (REFUSED, REFUSED));
    assert!(listening.drain(HANG).await);
}

#[tokio::test]
async fn a_port_is_shared_on_purpose_only() {
    let zones = blocks(".:53 {\n whoami\n}\n");
    for (scheme, datagrams) in [(Scheme::Dns, true), (Scheme::Dns, false), (Scheme::Tls, false), (Scheme::Https, false)]
    {
        let at = free(scheme, "127.0.0.83");
        let free_before = free(Scheme::Dns, "127.0.0.83");
        // As another process of this user would have it.
        let _held: Box<dyn std::any::Any> = match datagrams {
            true => Box::new(sockets::datagram(at.address).unwrap()),
            false => Box::new(sockets::listener(at.address, true).unwrap()),
        };
        let both = assembly([free_before, at].map(|at| listener(at, &zones, HANG, None)).into());
        let refused = Sockets::bind(&both, 1, false).err().expect("it is held").to_string();
        assert!(refused.contains(&at.to_string()) && refused.contains("another program has the port"), "{refused}");
        assert!(Sockets::bind(&both, 1, true).is_ok());
    }
}

#[tokio::test]
async fn connections_that_are_over_and_addresses_of_ours_that_overlap_do_not_hold_a_port() {
    let zones = blocks(".:53 {\n whoami\n}\n");
    let is_bound = |at: Endpoint| {
        let wildcard =
            Endpoint { address: SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), at.address.port()), ..at };
        let server = sockets::listener(at.address, true).unwrap();
        server.set_nonblocking(false).unwrap();
        let mut client = std::net::TcpStream::connect(at.address).unwrap();
        // Who closes first waits in TIME_WAIT.
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, server));
        let both = assembly([at, wildcard].map(|at| listener(at, &zones, HANG, None)).into());
        Sockets::bind(&both, 2, false).is_ok()
    };
    // of all addresses, a port may be somebody else's at one
    assert!((0..10).any(|_| is_bound(free(Scheme::Dns, "127.0.0.84"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_opens_sockets_anew_that_are_to_be_opened_otherwise() {
    let at = free(Scheme::Dns, "127.0.0.85");
    let zones = blocks(".:53 {\n whoami\n}\n");
    let with = |opening: Opening| assembly(vec![assembly::Listener { opening, ..listener(at, &zones, HANG, None) }]);
    let first = with(Opening::default());
    let mut listening = Listening::start(2, &Bounds::default(), Handle::current()).unwrap();
    listening.serve(&first, Sockets::bind(&first, 2, false).unwrap()).unwrap();
    let line = b"PROXY UNKNOWN\r\n";
    let behind_proxy = async || {
        let mut stream = TcpStream::connect(at.address).await.unwrap();
        stream.write_all(line).await.unwrap();
        ask(&mut stream).await
    };
    // The line is the length of a message to whoever does not know of proxies.
    let mut plain = TcpStream::connect(at.address).await.unwrap();
    assert_eq!((ask_udp(at).await, ask(&mut plain).await), (NOERROR, Some(NOERROR)));
    let proxy = Some(Arc::new(ProxyprotoSpec::default()));
    listening.reconcile(&with(Opening { proxy: proxy.clone(), sockets: None })).unwrap();
    assert_eq!((ask_udp(at).await, behind_proxy().await), (NOERROR, Some(NOERROR)));
    listening.reconcile(&with(Opening { proxy, sockets: NonZeroU16::new(5) })).unwrap();
    assert_eq!((ask_udp(at).await, behind_proxy().await), (NOERROR, Some(NOERROR)));
    assert!(listening.endpoints().eq([&at]));
    assert!(listening.drain(HANG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sockets_share_what_those_of_the_threads_would_have() {
    for (receive_buffer, sockets, each) in [
        (RECEIVE_BUFFER, 2, RECEIVE_BUFFER),
        (RECEIVE_BUFFER, 8, RECEIVE_BUFFER / 4),
        (RECEIVE_BUFFER, 1_024, RECEIVE_BUFFER_SHARE_MIN),
        (1 << 20, 2, 1 << 20),
        (1 << 20, 8, 256 << 10),
        (1 << 20, 1_024, RECEIVE_BUFFER_SHARE_MIN),
    ] {
        let bounds = Bounds { receive_buffer, ..Bounds::default() };
        let listening = Listening::start(2, &bounds, Handle::current()).unwrap();
        assert_eq!(listening.receive_buffer_of_each(sockets), each, "{sockets} sockets and {receive_buffer} octets");
        assert!(listening.drain(HANG).await);
    }
}
