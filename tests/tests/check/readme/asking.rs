//! Asks a daemon what an example says it is asked, and compares.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nearpath_tests::client::{PATIENCE, SILENCE};
use nearpath_tests::{Reply, Tcp, Udp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::expected::Expected;
use super::files::{Files, HOST};
use super::notation::{Asked, Line, Transport};
use super::stage::{Stage, asked_at};

/// How long the watch may take until an answer is as it should be.
const IN_STEP_WITHIN: Duration = Duration::from_secs(20);
/// The wait between two questions for it.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks all questions of an example in their order; what is wrong with each.
pub(super) fn ask_all(readme: &str, lines: &[Line], stage: &Stage, is_watched: bool) -> Vec<String> {
    let deadline = Instant::now() + if is_watched { IN_STEP_WITHIN } else { Duration::ZERO };
    let ask = |line: &Line| {
        loop {
            match outcome(line, stage) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(AGAIN),
                found => return found.err(),
            }
        }
    };
    lines
        .iter()
        .filter_map(|line| {
            Some(format!("{readme}:{}: {}\n  expected: {}\n  {}", line.number, line.text, line.wanted(), ask(line)?))
        })
        .collect()
}

fn outcome(line: &Line, stage: &Stage) -> Result<(), String> {
    let wanted = match &line.expected {
        Expected::Silence => return is_silent(&line.asked, stage),
        Expected::Reply(wanted) => wanted,
    };
    let reply = caught(|| replied(&line.asked, stage))??;
    match wanted.misses(&reply) {
        None => Ok(()),
        Some(what) => Err(format!("{what}; got\n{reply}")),
    }
}

/// The result of what may panic, as the clients of the tests do.
pub(super) fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_else(|| "a panic".to_owned())
    })
}

fn to(asked: &Asked, stage: &Stage, scheme: &str) -> Result<SocketAddr, String> {
    let v6 = asked.client.is_some_and(|client| client.is_ipv6());
    asked_at(&stage.layout, scheme, asked.port.as_deref(), asked.server.as_deref(), v6)
        .ok_or_else(|| format!("the example serves {scheme}:// at no such address and port"))
}

fn replied(asked: &Asked, stage: &Stage) -> Result<Reply, String> {
    let client = asked.client.unwrap_or(Ipv4Addr::LOCALHOST.into());
    match asked.transport {
        Transport::Udp => Ok(Udp::from(client, to(asked, stage, "dns")?).asks(&asked.ask)),
        Transport::Tcp => Ok(Tcp::from(client, to(asked, stage, "dns")?).asks(&asked.ask)),
        Transport::Tls => over_tls(asked, to(asked, stage, "tls")?, &stage.files)
            .map_err(|error| format!("no reply over TLS: {error}")),
    }
}

fn is_silent(asked: &Asked, stage: &Stage) -> Result<(), String> {
    let client: IpAddr = asked.client.unwrap_or(Ipv4Addr::LOCALHOST.into());
    if asked.transport != Transport::Udp {
        return Err("`no reply` is for questions over UDP".to_owned());
    }
    let client = Udp::from(client, to(asked, stage, "dns")?);
    client.send(&asked.ask.wire());
    match client.receive(SILENCE) {
        None => Ok(()),
        Some(octets) => Err(format!("got\n{}", Reply::read(&octets)?)),
    }
}

/// Asks over TLS as a client with a certificate of the same authority, which not every server wants.
fn over_tls(asked: &Asked, server: SocketAddr, files: &Files) -> Result<Reply, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(files.path("ca.pem")).map_err(|error| text(&error))?;
    roots.add(authority).map_err(|error| text(&error))?;
    let chain = vec![CertificateDer::from_pem_file(certificate).map_err(|error| text(&error))?];
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| text(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        versions.map_err(|error| text(&error))?.with_root_certificates(roots).with_client_auth_cert(chain, key);
    let config = Arc::new(config.map_err(|error| text(&error))?);
    let host = ServerName::try_from(HOST).map_err(|error| text(&error))?;
    let tls = ClientConnection::new(config, host).map_err(|error| text(&error))?;
    let tcp = TcpStream::connect_timeout(&server, PATIENCE).map_err(|error| text(&error))?;
    tcp.set_read_timeout(Some(PATIENCE)).map_err(|error| text(&error))?;
    let mut stream = StreamOwned::new(tls, tcp);
    let query = asked.ask.wire();
    stream
        .write_all(&[&(query.len() as u16).to_be_bytes(), query.as_slice()].concat())
        .map_err(|error| text(&error))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).map_err(|error| text(&error))?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets).map_err(|error| text(&error))?;
    let reply = Reply::read(&octets)?;
    if reply.id == asked.ask.id { Ok(reply) } else { Err("a reply to another question".to_owned()) }
}

#[test]
fn a_panic_of_the_harness_is_told_as_what_is_wrong() {
    assert_eq!(caught(|| 1), Ok(1));
    let asked = caught(|| nearpath_tests::ask("a.example", "BOGUS").wire());
    assert_eq!(asked, Err("BOGUS is no record type".to_owned()));
}
