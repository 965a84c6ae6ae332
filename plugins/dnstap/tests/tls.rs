//! A sink behind TLS with a certificate that nobody vouches for: refused, unless `skipverify` says otherwise.

use std::sync::Arc;
use std::time::Duration;

use contract::Forwarded;
use contract::testing::{built, checked, client, context};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Generous: nothing here depends on it but the end of a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key is the certificate's");
    TlsAcceptor::from(Arc::new(config))
}

/// What a sink at the other end of `dnstap tls://` with this property hears, up to the end; an error if there is no TLS.
async fn heard(property: &str) -> std::io::Result<Vec<u8>> {
    const ACCEPT: &[u8] = b"\0\0\0\0\0\0\0\x22\0\0\0\x01\0\0\0\x01\0\0\0\x16protobuf:dnstap.Dnstap";
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let text = format!("dnstap tls://{} full {{\n {property}\n}}", listener.local_addr()?);
    let plugin = built(checked(&text, dnstap::check), &context());
    let work = tokio::spawn(Arc::clone(&plugin).run());
    let wiretap = Arc::clone(&plugin).wiretap().expect("it looks on");
    let upstream = "192.0.2.53:53".parse().expect("an address");
    let (message, answered_after) = (b"the question", None);
    wiretap.forwarded(&Forwarded { upstream, protocol: "udp", client: client("192.0.2.7"), message, answered_after });
    let (stream, _) = listener.accept().await?;
    let mut stream = acceptor().accept(stream).await?;
    stream.write_all(ACCEPT).await?;
    let mut octets = Vec::new();
    let question = b"the question";
    while !octets.windows(question.len()).any(|window| window == question) {
        if stream.read_buf(&mut octets).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    work.abort();
    let _ = work.await;
    drop((plugin, wiretap));
    stream.read_to_end(&mut octets).await?;
    Ok(octets)
}

#[tokio::test]
async fn nobody_vouches_for_it_and_so_nothing_is_sent() {
    let refused = tokio::time::timeout(PATIENCE, heard("version one")).await.expect("an end");
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn with_skipverify_messages_go_out_and_the_end_is_told() {
    let octets = tokio::time::timeout(PATIENCE, heard("skipverify")).await.expect("an end").unwrap();
    assert!(octets.starts_with(b"\0\0\0\0"), "READY first");
    assert!(octets.ends_with(b"\0\0\0\0\0\0\0\x04\0\0\0\x03"), "STOP last: {octets:?}");
}
