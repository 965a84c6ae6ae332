//! DNS over HTTPS over loopback, with an HTTP/2 client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use h2::client::SendRequest;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use proxyproto::{Policy, ProxyprotoSpec};
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{HttpsOptions, HttpsSocket};
use crate::serve::accept::Listener;
use crate::serve::connections::Connections;
use crate::serve::desk::{TestDoor, apology, packet};
use crate::serve::stream::Timeouts;
use crate::serve::tls_pair::pair;

/// Only against hanging for ever.
const HANG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);
/// Long enough to ask something before, on a machine with other work; shorter than the slow reply.
const IDLE: Duration = Duration::from_secs(1);
const PATIENT: Timeouts = Timeouts { read: HANG, write: HANG, idle: HANG, questions_max: None };

struct Asker {
    requests: SendRequest<Bytes>,
    /// Ends with the connection.
    connection: JoinHandle<Result<(), h2::Error>>,
}

fn listen(timeouts: Timeouts, connections: &Arc<Connections>) -> (Listener, Arc<ClientConfig>) {
    listen_behind(None, timeouts, connections)
}

fn listen_behind(
    proxy: Option<Arc<ProxyprotoSpec>>,
    timeouts: Timeouts,
    connections: &Arc<Connections>,
) -> (Listener, Arc<ClientConfig>) {
    let (tls, client) = pair(&[b"h2"]);
    let socket = HttpsSocket::bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let local = socket.local();
    let options = HttpsOptions { timeouts, connections: Arc::clone(connections), tls, proxy };
    let listener = socket.serve(&Arc::new(TestDoor::default()), options, &Handle::current()).unwrap();
    assert_eq!(listener.local(), local);
    (listener, client)
}

async fn connect(listener: &Listener, client: &Arc<ClientConfig>, window: u32) -> Asker {
    let stream = TcpStream::connect(listener.local()).await.unwrap();
    shake_hands(stream, client, window).await
}

async fn shake_hands(stream: TcpStream, client: &Arc<ClientConfig>, window: u32) -> Asker {
    let connector = TlsConnector::from(Arc::clone(client));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut builder = h2::client::Builder::new();
    let (requests, connection) = builder.initial_window_size(window).handshake(stream).await.unwrap();
    Asker { requests, connection: tokio::spawn(connection) }
}

impl Asker {
    /// The response, under way.
    async fn send(&mut self, request: Request<()>, body: Vec<u8>) -> h2::client::ResponseFuture {
        self.requests = timeout(HANG, self.requests.clone().ready()).await.unwrap().unwrap();
        let (response, mut stream) = self.requests.send_request(request, body.is_empty()).unwrap();
        if !body.is_empty() {
            stream.send_data(body.into(), true).unwrap();
        }
        response
    }

    async fn post(&mut self, packet: Vec<u8>) -> h2::client::ResponseFuture {
        self.send(request(Method::POST, "/dns-query", Some("application/dns-message")), packet).await
    }

    async fn get(&mut self, packet: &[u8]) -> h2::client::ResponseFuture {
        let path = format!("/dns-query?dns={}", BASE64URL_NOPAD.encode(packet));
        self.send(request(Method::GET, &path, None), Vec::new()).await
    }

    async fn closes(self) -> bool {
        timeout(HANG, self.connection).await.is_ok()
    }
}

fn request(method: Method, path: &str, media_type: Option<&str>) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = format!("https://localhost{path}").parse().unwrap();
    if let Some(media_type) = media_type {
        request.headers_mut().insert(CONTENT_TYPE, media_type.parse().unwrap());
    }
    request
}

/// Status and body.
async fn outcome(response: h2::client::ResponseFuture) -> Result<(StatusCode, Vec<u8>), h2::Error> {
    let response = timeout(HANG, response).await.expect("no hang")?;
    let (parts, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(part) = timeout(HANG, stream.data()).await.expect("no hang") {
        let part = part?;
        stream.flow_control().release_capacity(part.len()).unwrap();
        body.extend_from_slice(&part);
    }
    if parts.status.is_success() {
        assert_eq!(parts.headers[CONTENT_TYPE], "application/dns-message");
        assert_eq!(parts.headers[CONTENT_LENGTH], body.len().to_string());
    }
    Ok((parts.status, body))
}

fn found(packet: Vec<u8>) -> (StatusCode, Vec<u8>) {
    (StatusCode::OK, packet)
}

#[tokio::test]
async fn questions_come_by_post_and_by_get() {
    let (listener, client) = listen(PATIENT, &Arc::default());
    let mut asker = connect(&listener, &client, 65_535).await;
    let late = asker.post(packet(1, b'D', 50)).await;
    let by_get = asker.get(&packet(2, b'E', 0)).await;
    assert_eq!(outcome(by_get).await.unwrap(), found(packet(2, b'E', 0)));
    assert_eq!(outcome(late).await.unwrap(), found(packet(1, b'D', 50)));
    let big = asker.post(packet(3, b'B', 65_535)).await;
    assert_eq!(outcome(big).await.unwrap().1.len(), 65_535);
    let asked = asker.get(&packet(4, b'A', 0)).await;
    assert_eq!(outcome(asked).await.unwrap(), found(vec![0, 4, 127, 0, 0, 1]));
}

#[tokio::test]
async fn behind_a_proxy_clients_are_those_that_its_header_tells_of() {
    let spec = ProxyprotoSpec { default: Some(Policy::Use), ..ProxyprotoSpec::default() };
    let (listener, client) = listen_behind(Some(Arc::new(spec)), PATIENT, &Arc::default());
    for (begins, expected) in
        [(&b"PROXY TCP4 192.0.2.7 10.0.0.10 40212 443\r\n"[..], [192, 0, 2, 7]), (b"", [127, 0, 0, 1])]
    {
        let mut stream = TcpStream::connect(listener.local()).await.unwrap();
        stream.write_all(begins).await.unwrap();
        let mut asker = shake_hands(stream, &client, 65_535).await;
        for number in [1, 2] {
            let asked = asker.get(&packet(number, b'C', 0)).await;
            assert_eq!(outcome(asked).await.unwrap(), found([&number.to_be_bytes()[..], &expected].concat()));
        }
    }
}

#[tokio::test]
async fn many_questions_are_under_way_together() {
    let (listener, client) = listen(PATIENT, &Arc::default());
    let mut asker = connect(&listener, &client, 65_535).await;
    let mut responses = Vec::new();
    for id in 0..100 {
        responses.push((packet(id, b'D', id % 7), asker.post(packet(id, b'D', id % 7)).await));
    }
    for (packet, response) in responses {
        assert_eq!(outcome(response).await.unwrap(), found(packet));
    }
}

#[tokio::test]
async fn what_is_no_question_is_refused_by_status() {
    let (listener, client) = listen(PATIENT, &Arc::default());
    let mut asker = connect(&listener, &client, 65_535).await;
    let dns = Some("application/dns-message");
    let wrong = [
        (request(Method::POST, "/", dns), 404),
        (request(Method::PUT, "/dns-query", dns), 405),
        (request(Method::POST, "/dns-query", Some("application/json")), 415),
        (request(Method::POST, "/dns-query", None), 415),
        (request(Method::GET, "/dns-query", None), 400),
        (request(Method::GET, "/dns-query?dns=???", None), 400),
    ];
    for (request, status) in wrong {
        let response = asker.send(request, Vec::new()).await;
        assert_eq!(outcome(response).await.unwrap().0, status);
    }
    let too_long = asker.post(vec![0; 65_536]).await;
    assert_eq!(outcome(too_long).await.unwrap().0, 413);
}

#[tokio::test]
async fn silence_takes_back_one_stream_and_a_panic_is_servfail() {
    let connections = Arc::default();
    let (listener, client) = listen(PATIENT, &connections);
    let mut asker = connect(&listener, &client, 65_535).await;
    for letter in [b'S', b'N'] {
        let nothing = asker.post(packet(1, letter, 0)).await;
        assert_eq!(outcome(nothing).await.unwrap_err().reason(), Some(h2::Reason::CANCEL));
    }
    for letter in [b'P', b'L'] {
        let panics = asker.post(packet(1, letter, 0)).await;
        assert_eq!(outcome(panics).await.unwrap(), found(apology(&packet(1, letter, 0))));
    }
    let echo = asker.post(packet(2, b'E', 0)).await;
    assert_eq!(outcome(echo).await.unwrap(), found(packet(2, b'E', 0)));
    assert_eq!(connections.counts().panicked, 2);
}

#[tokio::test]
async fn a_reply_that_is_not_taken_is_taken_back() {
    let connections = Arc::default();
    let (listener, client) = listen(Timeouts { write: SHORT, ..PATIENT }, &connections);
    let mut asker = connect(&listener, &client, 1_000).await;
    let big = asker.post(packet(1, b'B', 60_000)).await;
    let response = timeout(HANG, big).await.unwrap().unwrap();
    let mut stream = response.into_body();
    let (mut heard, mut end) = (0, None);
    while let Some(part) = timeout(HANG, stream.data()).await.unwrap() {
        // The window is not opened again.
        match part {
            Ok(part) => heard += part.len(),
            Err(error) => {
                end = error.reason();
                break;
            }
        }
    }
    assert_eq!((heard, end, connections.counts().slow), (1_000, Some(h2::Reason::CANCEL), 1));
    let echo = asker.post(packet(2, b'E', 0)).await;
    assert_eq!(outcome(echo).await.unwrap(), found(packet(2, b'E', 0)));
}

#[tokio::test]
async fn connections_end_when_idle_and_when_they_must_make_room() {
    let (idle, client) = listen(Timeouts { idle: IDLE, ..PATIENT }, &Arc::default());
    let mut asker = connect(&idle, &client, 65_535).await;
    let late = asker.post(packet(1, b'D', 1_500)).await;
    assert_eq!(outcome(late).await.unwrap(), found(packet(1, b'D', 1_500)));
    assert!(asker.closes().await);
    let connections = Arc::new(Connections::new(1, 1));
    let (bounded, client) = listen(PATIENT, &connections);
    let mut first = connect(&bounded, &client, 65_535).await;
    let echo = first.post(packet(1, b'E', 0)).await;
    outcome(echo).await.unwrap();
    let mut second = connect(&bounded, &client, 65_535).await;
    assert!(first.closes().await);
    let echo = second.post(packet(1, b'E', 0)).await;
    assert_eq!(outcome(echo).await.unwrap(), found(packet(1, b'E', 0)));
}

#[tokio::test]
async fn new_terms_are_for_connections_that_come() {
    let (listener, trusts_old) = listen(PATIENT, &Arc::default());
    let mut before = connect(&listener, &trusts_old, 65_535).await;
    let (new, trusts_new) = pair(&[b"h2"]);
    listener.renew(Timeouts { idle: 10 * SHORT, ..PATIENT }, Some(new)); // no shorter than a handshake takes
    let stream = TcpStream::connect(listener.local()).await.unwrap();
    let refused = TlsConnector::from(trusts_old).connect("localhost".try_into().unwrap(), stream).await;
    assert!(refused.is_err());
    assert!(connect(&listener, &trusts_new, 65_535).await.closes().await, "it was idle");
    let echo = before.post(packet(1, b'E', 0)).await;
    assert_eq!(outcome(echo).await.unwrap(), found(packet(1, b'E', 0)));
}

#[tokio::test]
async fn draining_finishes_what_is_under_way() {
    let (listener, client) = listen(PATIENT, &Arc::default());
    let (idle, mut busy) = (connect(&listener, &client, 65_535).await, connect(&listener, &client, 65_535).await);
    let late = busy.post(packet(1, b'D', 200)).await;
    let echo = busy.post(packet(2, b'E', 0)).await;
    outcome(echo).await.unwrap();
    let drained = tokio::spawn(listener.drain(HANG));
    assert_eq!(outcome(late).await.unwrap(), found(packet(1, b'D', 200)));
    assert!(drained.await.unwrap());
    assert!(busy.closes().await && idle.closes().await);
}
