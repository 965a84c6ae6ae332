//! A server of ours in the place of an example's upstream, over UDP, TCP and TLS at one address and port.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use nearpath_tests::certificate::{Authority, Signed};
use nearpath_tests::place;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::zone;

/// How often threads look whether the stand-in is still there.
const TICK: Duration = Duration::from_millis(20);
/// The last year of its certificates.
const VALID: i32 = 4096;
/// The first octet of a TLS record with a handshake; no query has 5 KiB.
const HANDSHAKE: u8 = 0x16;

/// A stand-in. Its sockets close with it.
#[derive(Debug)]
pub(super) struct StandIn {
    /// What the example calls it.
    pub name: String,
    pub address: SocketAddr,
    open: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Whoever signs the certificates of all examples.
pub(super) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

/// A certificate for a name and an address.
pub(super) fn certificate(name: &str, address: IpAddr) -> Signed {
    authority().signs(name, address, VALID)
}

impl StandIn {
    /// One for what the example calls `name`, with a certificate for `host` if TLS is spoken with it.
    #[track_caller]
    pub(super) fn of(name: &str, host: Option<&str>) -> Self {
        let address = place::socket();
        let udp = UdpSocket::bind(address).expect("the address is free");
        let tcp = TcpListener::bind(address).expect("the address is free");
        udp.set_read_timeout(Some(TICK)).expect("a wait above zero");
        tcp.set_nonblocking(true).expect("a listener");
        let open = Arc::new(AtomicBool::new(true));
        let (called, alive) = (name.to_owned(), Arc::clone(&open));
        let datagrams = std::thread::spawn(move || serve_udp(&udp, &called, &alive));
        let tls = host.map(|host| shown(&certificate(host, address.ip())));
        let (called, alive) = (name.to_owned(), Arc::clone(&open));
        let streams = std::thread::spawn(move || serve_tcp(&tcp, &called, tls.as_ref(), &alive));
        Self { name: name.to_owned(), address, open, threads: vec![datagrams, streams] }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap_or(()));
    }
}

fn shown(signed: &Signed) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.expect("ring has them").with_no_client_auth().with_single_cert(vec![certificate], key);
    Arc::new(config.expect("the key is the certificate's"))
}

fn serve_udp(socket: &UdpSocket, name: &str, alive: &AtomicBool) {
    let mut buffer = vec![0; 65_535];
    while alive.load(Ordering::SeqCst) {
        if let Ok((length, client)) = socket.recv_from(&mut buffer)
            && let Some(answer) = zone::answer(name, &buffer[..length])
        {
            socket.send_to(&answer, client).ok();
        }
    }
}

fn serve_tcp(listener: &TcpListener, name: &str, tls: Option<&Arc<ServerConfig>>, alive: &AtomicBool) {
    std::thread::scope(|scope| {
        while alive.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((stream, _)) => drop(scope.spawn(move || connection(stream, name, tls, alive).unwrap_or(()))),
                Err(_) => std::thread::sleep(TICK / 4),
            }
        }
    });
}

/// Serves a connection until its end, which is an error.
fn connection(stream: TcpStream, name: &str, tls: Option<&Arc<ServerConfig>>, alive: &AtomicBool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    let mut first = [0];
    while let Err(error) = stream.peek(&mut first) {
        is_patient(&error, alive)?;
    }
    match tls.filter(|_| first[0] == HANDSHAKE) {
        Some(config) => {
            let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            answers(StreamOwned::new(tls, stream), name, alive)
        }
        None => answers(stream, name, alive),
    }
}

fn answers(mut stream: impl Read + Write, name: &str, alive: &AtomicBool) -> io::Result<()> {
    let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => pending.extend(&buffer[..length]),
            Err(error) => is_patient(&error, alive)?,
        }
        while let Some(query) = next_frame(&mut pending) {
            if let Some(answer) = zone::answer(name, &query) {
                stream.write_all(&[&(answer.len() as u16).to_be_bytes(), answer.as_slice()].concat())?;
                stream.flush()?;
            }
        }
    }
}

/// Takes the next whole message out of what has come.
fn next_frame(pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*pending.first_chunk::<2>()?));
    (pending.len() >= 2 + length).then(|| pending.drain(..2 + length).skip(2).collect())
}

/// True errors end a connection, and so does the stand-in's own end.
fn is_patient(error: &io::Error, alive: &AtomicBool) -> io::Result<()> {
    let quiet = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    if quiet && alive.load(Ordering::SeqCst) { Ok(()) } else { Err(error.kind().into()) }
}
