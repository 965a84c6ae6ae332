//! What the daemon tells at its unix socket, and pages at addresses, within bounds shorter than the checks'.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::see::client::Client;

/// A page, from the first word to the last.
const PAGE_WITHIN: Duration = Duration::from_secs(3);
/// Octets of a page.
const PAGE_MAX: usize = 64 << 10;

/// What the daemon tells at a path of its socket.
pub(super) async fn told<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T, String> {
    let client = Client::at(socket);
    match tokio::time::timeout(PAGE_WITHIN, client.ask(path)).await {
        Ok(told) => told.map_err(|error| error.to_string()),
        Err(_) => Err(late()),
    }
}

/// A page at an address: its status and its text.
pub(super) async fn page(at: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let asked = async {
        let stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
        get(stream, &at.to_string(), path).await
    };
    tokio::time::timeout(PAGE_WITHIN, asked).await.unwrap_or_else(|_| Err(late()))
}

fn late() -> String {
    format!("no answer within {} s", PAGE_WITHIN.as_secs())
}

async fn get(stream: TcpStream, host: &str, path: &str) -> Result<(u16, String), String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header(http::header::HOST, host).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let reply = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = reply.status().as_u16();
    let body = Limited::new(reply.into_body(), PAGE_MAX).collect().await.map_err(|error| error.to_string())?;
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
