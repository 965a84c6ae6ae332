//! Scripted upstreams: each test says what its upstream does with a question.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use contract::wire::{Class, Flags, HEADER, Message, Name, Rcode, RecordType, Section};
use contract::{Answer, Client, Context, Query, RuntimeClock, Scope, SearchLists, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use upstream::{Group, GroupSettings, Policy, Protocol, Settings, Upstream};

/// Loopback, any port.
pub(crate) const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// What plugins are built with.
pub(crate) fn context() -> Context {
    Context {
        clock: Arc::new(RuntimeClock::start()),
        metrics: Arc::default(),
        lists: Arc::new(SearchLists::default()),
        server: "dns://.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(contract::NoCluster),
        shelf: Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    }
}

/// A client's question for an A record, over UDP.
pub(crate) fn query(context: &Context, name: &str) -> Query {
    Query {
        name: Name::parse(name).unwrap(),
        rtype: RecordType::A,
        class: Class::IN,
        dnssec_ok: false,
        checking_disabled: false,
        scope: Scope::Shared,
        client: Client {
            address: "127.0.0.1:4000".parse().unwrap(),
            local: "127.0.0.1:53".parse().unwrap(),
            transport: Transport::Udp,
        },
        edns: None,
        header: (0, 0),
        arrived: context.clock.now(),
        reentries: 0,
        refresh: false,
        chased: None,
        past: contract::Past::Not,
        options: contract::Options::default(),
        story: None,
    }
}

/// An upstream with the default settings.
pub(crate) fn upstream(context: &Context, address: SocketAddr, protocol: Protocol) -> Upstream {
    Upstream::new(address, protocol, &Settings::of("forward"), context)
}

/// A group in the order given.
pub(crate) fn sequential(context: &Context, protocol: &Protocol, addresses: &[SocketAddr]) -> Group {
    let upstreams = addresses.iter().map(|address| upstream(context, *address, protocol.clone())).collect();
    Group::new(upstreams, GroupSettings { policy: Policy::Sequential, ..GroupSettings::default() }, context)
}

/// A deadline that no test should reach.
pub(crate) fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(20)
}

/// The reply to a question in wire form: these flags, and for NOERROR an A record that [`address_of`] its name.
pub(crate) fn reply(question: &[u8], flags: u16, rcode: Rcode) -> Vec<u8> {
    let asked = contract::wire::Question::parse(question).unwrap();
    let mut wire = question[..HEADER].to_vec();
    wire[2..4].copy_from_slice(&(Flags::QR | Flags::RA | flags | rcode.0).to_be_bytes());
    wire[6..HEADER].fill(0);
    wire.extend_from_slice(asked.section());
    if rcode == Rcode::NOERROR {
        wire[7] = 1;
        wire.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        wire.extend_from_slice(&address_of(&Name::from_wire(asked.name()).unwrap()));
    }
    wire
}

/// The reply that a well-behaved upstream gives.
pub(crate) fn good(question: &[u8]) -> Vec<u8> {
    reply(question, 0, Rcode::NOERROR)
}

/// The address of `nX.example` is made of X, so that no answer can pass for another's.
pub(crate) fn address_of(name: &Name) -> [u8; 4] {
    let text = name.to_string();
    let number: u16 = text.trim_start_matches('n').split('.').next().unwrap().parse().unwrap_or(0);
    let [high, low] = number.to_be_bytes();
    [10, 0, high, low]
}

/// The address in an answer.
pub(crate) fn address_in(answer: &Answer) -> Option<[u8; 4]> {
    let message: Message<'_> = answer.message();
    let record = message.section(Section::Answer).next()?;
    message.rdata(&record).try_into().ok()
}

/// The address that belongs to a question.
pub(crate) fn expected(query: &Query) -> Option<[u8; 4]> {
    Some(address_of(&query.name))
}

/// The next frame; `None` at the end of the stream.
pub(crate) async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut frame = vec![0; usize::from(length)];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

/// Writes a frame; the other side may have gone.
pub(crate) async fn write_frame<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap();
    let _ = stream.write_all(&[&length.to_be_bytes(), message].concat()).await;
    let _ = stream.flush().await; // under TLS the last octets may wait for it
}

/// An upstream over TCP: `serve` has each connection and its number, from 0.
pub(crate) async fn tcp<F>(serve: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static) -> (SocketAddr, Connections)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::default();
    let count = connections.clone();
    tokio::spawn(accept(listener, serve, count));
    (address, connections)
}

/// Serves the connections of a listener.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    serve: impl Fn(TcpStream, usize) -> F + Send + Sync + 'static,
    count: Connections,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        stream.set_nodelay(true).unwrap(); // replies must not wait for an acknowledgement in real time where time is paused
        tokio::spawn(serve(stream, count.0.fetch_add(1, Ordering::SeqCst)));
    }
}

/// How many connections an upstream has accepted.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<AtomicUsize>);

impl Connections {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// An upstream over UDP: `serve` makes the datagrams that go back for a question and its number, from 0.
pub(crate) async fn udp(serve: impl Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(answer_datagrams(socket, serve));
    address
}

/// Serves a socket.
pub(crate) async fn answer_datagrams(socket: UdpSocket, serve: impl Fn(&[u8], usize) -> Vec<Vec<u8>> + Send) {
    let mut buffer = [0; 4096];
    for number in 0.. {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { return };
        for datagram in serve(&buffer[..length], number) {
            let _ = socket.send_to(&datagram, peer).await;
        }
    }
}

/// A TCP and a UDP socket with the same port, for an upstream that speaks both.
pub(crate) async fn both() -> (TcpListener, UdpSocket, SocketAddr) {
    loop {
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let address = listener.local_addr().unwrap();
        if let Ok(socket) = UdpSocket::bind(address).await {
            return (listener, socket, address);
        }
    }
}

/// An address that refuses: nobody listens there any more, and nobody else's port can come to lie there.
pub(crate) async fn refusing() -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(1);
    let [high, low] = GIVEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 88, high, low), 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// A stream that answers each question at once, for as long as it is asked.
pub(crate) async fn serve_well(mut stream: TcpStream) {
    while let Some(question) = read_frame(&mut stream).await {
        write_frame(&mut stream, &good(&question)).await;
    }
}

/// The value of a counter in the text form.
pub(crate) fn counted(context: &Context, series: &str) -> u64 {
    let text = context.metrics.text();
    let line = text.lines().find(|line| line.starts_with(series));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0, |value| value.parse().unwrap())
}
