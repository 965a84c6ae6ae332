//! TCP and TLS over loopback: order, bounds, time-outs, draining.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use contract::limits::{IDLE_BUFFER, PIPELINE_MAX};
use contract::{Client, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::conversation::Conversation;
use super::{Listener, StreamOptions, StreamSocket, Timeouts};
use crate::serve::accept::Stop;
use crate::serve::connections::Connections;
use crate::serve::desk::{TestDesk, TestDoor, apology, packet};
use crate::serve::tls_pair::pair;

/// Only against hanging for ever.
const HANG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);
/// Long enough to ask something before, on a machine with other work; shorter than the slow reply.
const IDLE: Duration = Duration::from_secs(1);
const PATIENT: Timeouts = Timeouts { read: HANG, write: HANG, idle: HANG, questions_max: None };

fn options(timeouts: Timeouts, connections: &Arc<Connections>) -> StreamOptions {
    StreamOptions { timeouts, connections: Arc::clone(connections), tls: None, proxy: None }
}

fn listen(options: StreamOptions) -> Listener {
    listen_at("127.0.0.1:0", options)
}

fn listen_at(address: &str, options: StreamOptions) -> Listener {
    let socket = StreamSocket::bind(address.parse().unwrap(), true).unwrap();
    let local = socket.local();
    let listener = socket.serve(&Arc::new(TestDoor::default()), options, &Handle::current()).unwrap();
    assert_eq!(listener.local(), local);
    listener
}

async fn connect(listener: &Listener) -> TcpStream {
    TcpStream::connect(listener.local()).await.unwrap()
}

fn framed(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let frame = |packet: Vec<u8>| [&(packet.len() as u16).to_be_bytes()[..], &packet].concat();
    packets.into_iter().flat_map(frame).collect()
}

/// The next reply; `None` at the end of the connection.
async fn reply(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = timeout(HANG, stream.read_u16()).await.expect("no hang").ok()?;
    let mut reply = vec![0; length.into()];
    timeout(HANG, stream.read_exact(&mut reply)).await.expect("no hang").ok()?;
    Some(reply)
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, packet: Vec<u8>) -> Option<Vec<u8>> {
    stream.write_all(&framed([packet])).await.ok()?;
    stream.flush().await.ok()?;
    reply(stream).await
}

#[tokio::test]
async fn replies_come_as_they_are_ready() {
    let connections = Arc::default();
    let listener = listen(options(PATIENT, &connections));
    let mut client = connect(&listener).await;
    let slow = packet(1, b'D', 100);
    let asked = [slow.clone(), packet(2, b'S', 0), packet(3, b'P', 0), packet(4, b'L', 0), packet(5, b'E', 0)];
    client.write_all(&framed(asked)).await.unwrap();
    let mut replies = HashSet::new();
    for _ in 0..3 {
        replies.insert(reply(&mut client).await.unwrap());
    }
    let ready = [apology(&packet(3, b'P', 0)), apology(&packet(4, b'L', 0)), packet(5, b'E', 0)];
    assert_eq!(replies, HashSet::from(ready), "a panic is SERVFAIL");
    assert_eq!(reply(&mut client).await, Some(slow));
    assert_eq!(ask(&mut client, packet(6, b'A', 0)).await, Some(vec![0, 6, 127, 0, 0, 1]));
    assert_eq!(connections.counts().panicked, 2);
}

#[tokio::test]
async fn more_questions_than_the_pipeline_holds_are_all_answered() {
    let listener = listen(options(PATIENT, &Arc::default()));
    let mut client = connect(&listener).await;
    let asked: Vec<_> = (0..3 * PIPELINE_MAX as u16).map(|id| packet(id, b'D', id % 7)).collect();
    client.write_all(&framed(asked.clone())).await.unwrap();
    let mut open: HashSet<_> = asked.into_iter().collect();
    while !open.is_empty() {
        assert!(open.remove(&reply(&mut client).await.unwrap()));
    }
}

#[tokio::test]
async fn a_message_may_come_octet_by_octet_and_an_empty_one_asks_nothing() {
    let listener = listen(options(PATIENT, &Arc::default()));
    let mut client = connect(&listener).await;
    client.set_nodelay(true).unwrap();
    client.write_all(&[0, 0, 0, 0]).await.unwrap();
    for octet in framed([packet(1, b'E', 0), vec![], packet(2, b'D', 0)]) {
        client.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(reply(&mut client).await, Some(packet(1, b'E', 0)));
    assert_eq!(reply(&mut client).await, Some(packet(2, b'D', 0)));
    let mut longest = packet(3, b'E', 0);
    longest.resize(65_535, 0);
    assert_eq!(ask(&mut client, longest.clone()).await, Some(longest));
}

#[tokio::test]
async fn a_client_that_has_said_all_still_hears_its_replies() {
    let listener = listen(options(PATIENT, &Arc::default()));
    let mut client = connect(&listener).await;
    client.write_all(&framed([packet(1, b'D', 20), packet(2, b'E', 0)])).await.unwrap();
    client.write_all(&[0, 99, 1]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(reply(&mut client).await, Some(packet(2, b'E', 0)));
    assert_eq!(reply(&mut client).await, Some(packet(1, b'D', 20)));
    assert_eq!(reply(&mut client).await, None);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let connections = Arc::default();
    let listener = listen(options(Timeouts { write: SHORT, ..PATIENT }, &connections));
    let mut client = connect(&listener).await;
    let asked = framed((0..1_000).map(|id| packet(id, b'B', 60_000)));
    client.write_all(&asked).await.unwrap();
    timeout(HANG, async {
        while connections.counts().slow == 0 || connections.counts().open > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("no hang");
    let mut heard = 0;
    while reply(&mut client).await.is_some() {
        heard += 1;
    }
    assert!(heard < 1_000);
}

#[tokio::test]
async fn an_idle_client_is_cut_and_so_is_half_a_message() {
    let idle = listen(options(Timeouts { idle: IDLE, ..PATIENT }, &Arc::default()));
    let mut client = connect(&idle).await;
    assert_eq!(
        ask(&mut client, packet(1, b'D', 1_500)).await,
        Some(packet(1, b'D', 1_500)),
        "waiting for us is not idle"
    );
    assert_eq!(reply(&mut client).await, None);
    let halting = listen(options(Timeouts { read: SHORT, ..PATIENT }, &Arc::default()));
    let mut client = connect(&halting).await;
    assert_eq!(ask(&mut client, packet(1, b'E', 0)).await, Some(packet(1, b'E', 0)));
    client.write_all(&[0]).await.unwrap();
    assert_eq!(reply(&mut client).await, None);
}

#[tokio::test]
async fn at_the_bound_the_longest_idle_makes_room() {
    let connections = Arc::new(Connections::new(2, 2));
    let (one, other) = (listen(options(PATIENT, &connections)), listen(options(PATIENT, &connections)));
    let (mut first, mut second) = (connect(&one).await, connect(&other).await);
    ask(&mut first, packet(1, b'E', 0)).await.unwrap();
    ask(&mut second, packet(1, b'E', 0)).await.unwrap();
    ask(&mut first, packet(2, b'E', 0)).await.unwrap();
    let mut third = connect(&one).await;
    ask(&mut third, packet(1, b'E', 0)).await.unwrap();
    assert_eq!(reply(&mut second).await, None);
    first.write_all(&framed([packet(3, b'R', 0), packet(4, b'E', 0)])).await.unwrap();
    third.write_all(&framed([packet(3, b'R', 0), packet(4, b'E', 0)])).await.unwrap();
    assert!(reply(&mut first).await.is_some() && reply(&mut third).await.is_some());
    let mut fourth = connect(&other).await;
    assert_eq!(reply(&mut fourth).await, None, "nobody is idle");
    assert_eq!((connections.counts().refused, connections.counts().displaced), (1, 1));
}

#[tokio::test]
async fn draining_finishes_what_is_under_way() {
    let connections = Arc::default();
    // An address that no other test uses, so that at the end nobody else can have its port.
    let listener = listen_at("127.0.0.78:0", options(PATIENT, &connections));
    let address = listener.local();
    let (mut idle, mut busy) = (connect(&listener).await, connect(&listener).await);
    ask(&mut idle, packet(1, b'E', 0)).await.unwrap();
    busy.write_all(&framed([packet(1, b'D', 200), packet(2, b'E', 0)])).await.unwrap();
    assert_eq!(reply(&mut busy).await, Some(packet(2, b'E', 0)));
    assert!(listener.drain(HANG).await);
    assert_eq!(reply(&mut busy).await, Some(packet(1, b'D', 200)));
    assert_eq!((reply(&mut busy).await, reply(&mut idle).await), (None, None));
    assert_eq!(connections.counts().open, 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_on_its_way_when_the_end_comes_is_answered() {
    let connections = Arc::default();
    let listener = listen(options(PATIENT, &connections));
    let (mut fresh, mut kept, mut idle) =
        (connect(&listener).await, connect(&listener).await, connect(&listener).await);
    assert!(ask(&mut kept, packet(1, b'E', 0)).await.is_some());
    assert!(ask(&mut idle, packet(1, b'E', 0)).await.is_some());
    let drained = tokio::spawn(listener.drain(HANG));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask(&mut fresh, packet(2, b'E', 0)).await, Some(packet(2, b'E', 0)));
    assert_eq!(ask(&mut kept, packet(3, b'D', 20)).await, Some(packet(3, b'D', 20)));
    for client in [&mut fresh, &mut kept, &mut idle] {
        assert_eq!(reply(client).await, None, "it ends, and is not reset");
    }
    drop((fresh, kept, idle));
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let listener = listen(options(PATIENT, &Arc::default()));
    let mut client = connect(&listener).await;
    client.write_all(&framed([packet(1, b'R', 0), packet(2, b'E', 0)])).await.unwrap();
    reply(&mut client).await.unwrap();
    assert!(!listener.drain(SHORT).await);
    assert_eq!(reply(&mut client).await, None);
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    let (server, client) = pair(&[b"dot"]);
    let listener = listen(StreamOptions { tls: Some(server), ..options(PATIENT, &Arc::default()) });
    let stream = connect(&listener).await;
    let mut stream = shake(stream, &client).await.unwrap();
    let asked = [packet(1, b'D', 50), packet(2, b'E', 0)];
    stream.write_all(&framed(asked)).await.unwrap();
    assert_eq!(reply(&mut stream).await, Some(packet(2, b'E', 0)));
    assert_eq!(reply(&mut stream).await, Some(packet(1, b'D', 50)));
    let mut longest = packet(3, b'E', 0);
    longest.resize(65_535, 0);
    assert_eq!(ask(&mut stream, longest.clone()).await, Some(longest));
    assert!(listener.drain(HANG).await);
    assert_eq!(reply(&mut stream).await, None);
}

async fn shake(
    stream: TcpStream,
    client: &Arc<rustls::ClientConfig>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(client));
    timeout(HANG, connector.connect("localhost".try_into().unwrap(), stream)).await.expect("no hang")
}

#[tokio::test]
async fn new_time_outs_are_for_connections_that_come() {
    let listener = listen(options(PATIENT, &Arc::default()));
    let mut before = connect(&listener).await;
    ask(&mut before, packet(1, b'E', 0)).await.unwrap();
    // Certificates do not make a plain listener another one.
    listener.renew(Timeouts { idle: SHORT, ..PATIENT }, Some(pair(&[]).0));
    let mut after = connect(&listener).await;
    assert_eq!(reply(&mut after).await, None);
    assert_eq!(ask(&mut before, packet(2, b'E', 0)).await, Some(packet(2, b'E', 0)));
}

#[tokio::test]
async fn a_new_certificate_is_for_connections_that_come() {
    let ((old, trusts_old), (new, trusts_new)) = (pair(&[]), pair(&[]));
    let listener = listen(StreamOptions { tls: Some(old), ..options(PATIENT, &Arc::default()) });
    let mut before = shake(connect(&listener).await, &trusts_old).await.unwrap();
    listener.renew(PATIENT, Some(new));
    assert!(shake(connect(&listener).await, &trusts_old).await.is_err());
    let mut after = shake(connect(&listener).await, &trusts_new).await.unwrap();
    assert_eq!(ask(&mut after, packet(1, b'E', 0)).await, Some(packet(1, b'E', 0)));
    listener.renew(Timeouts { idle: SHORT, ..PATIENT }, None);
    let mut last = shake(connect(&listener).await, &trusts_new).await.unwrap();
    assert_eq!(reply(&mut last).await, None, "the certificate stays, the patience does not");
    assert_eq!(ask(&mut before, packet(2, b'E', 0)).await, Some(packet(2, b'E', 0)));
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let (server, _) = pair(&[]);
    let connections = Arc::default();
    let brief = options(Timeouts { read: SHORT, ..PATIENT }, &connections);
    let listener = listen(StreamOptions { tls: Some(server), ..brief });
    let mut silent = connect(&listener).await;
    assert_eq!(reply(&mut silent).await, None);
    assert_eq!(connections.counts().failed, 1);
}

/// Counts the writes that reach it.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn replies_that_are_ready_together_go_out_in_one_write() {
    let (mut client, server) = duplex(1 << 20);
    let writes = Arc::<AtomicUsize>::default();
    let address = "127.0.0.1:53".parse().unwrap();
    let asker = Client { address, local: address, transport: Transport::Tcp };
    let seat = Arc::new(Connections::default()).admit(address.ip()).unwrap();
    let server = Counted(server, Arc::clone(&writes));
    // Less than the first read takes.
    let asked = framed((0..50).map(|id| packet(id, b'E', 0)));
    assert!(asked.len() < IDLE_BUFFER);
    client.write_all(&asked).await.unwrap();
    let (_running, stop) = watch::channel(false);
    tokio::spawn(Conversation::new(server, TestDesk, asker, seat, PATIENT).run(Stop::when(stop)));
    for id in 0..50 {
        assert_eq!(reply(&mut client).await, Some(packet(id, b'E', 0)));
    }
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn after_so_many_questions_a_client_must_connect_anew() {
    let two = NonZeroU32::new(2);
    let listener = listen(options(Timeouts { questions_max: two, ..PATIENT }, &Arc::default()));
    let mut client = connect(&listener).await;
    assert_eq!(ask(&mut client, packet(1, b'E', 0)).await, Some(packet(1, b'E', 0)));
    assert_eq!(ask(&mut client, packet(2, b'D', 20)).await, Some(packet(2, b'D', 20)), "the last one's reply comes");
    assert_eq!(reply(&mut client).await, None);
    let mut again = connect(&listener).await;
    assert_eq!(ask(&mut again, packet(3, b'E', 0)).await, Some(packet(3, b'E', 0)));
}
