//! Asks a daemon on this host about itself, over its unix socket: the command line's side of the door.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use contract::limits::{SEE_EXCHANGE_WITHIN, SEE_REPLY_MAX};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::api::Refusal;
use super::door::encoded;

/// Why a daemon tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody is there.
    #[error("no daemon answers at {path}: {error}; {}", advice(error))]
    NoDaemon {
        /// The socket.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It does not want to, and says why.
    #[error("{error}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// Its words.
        error: String,
    },
    /// It broke off, was too slow, or said what cannot be read.
    #[error("the daemon's answer cannot be read: {reason}")]
    Broken {
        /// What was wrong.
        reason: String,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "only root and the daemon's own user may ask: use sudo",
        _ => "is one running here with -statedir, and is it the same folder?",
    }
}

impl AskError {
    fn broken(reason: impl ToString) -> Self {
        Self::Broken { reason: reason.to_string() }
    }

    /// True if no daemon was there at all.
    pub fn is_no_daemon(&self) -> bool {
        matches!(self, Self::NoDaemon { .. })
    }
}

/// A path with its parameters; those that are `None` are left out.
pub fn target(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { path.to_owned() } else { format!("{path}?{}", given.join("&")) }
}

/// Where a daemon is asked.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// A stream of events under way.
pub struct Events {
    body: Incoming,
    read: BytesMut,
    _connection: Connection,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its kind; empty for the usual one.
    pub name: String,
    /// JSON.
    pub data: String,
}

/// The task that moves octets; it ends with whoever asked.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Asks at this socket.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// What stands under a target of the door.
    ///
    /// # Errors
    /// Nobody answers, it is refused, or cannot be read.
    pub async fn ask<T: DeserializeOwned>(&self, target: &str) -> Result<T, AskError> {
        let asked = async {
            let (response, _connection) = self.send(target).await?;
            let octets = whole(response).await?;
            serde_json::from_slice(&octets).map_err(AskError::broken)
        };
        timeout(SEE_EXCHANGE_WITHIN, asked).await.unwrap_or_else(|_| Err(AskError::broken("it takes too long")))
    }

    /// The events of a stream.
    ///
    /// # Errors
    /// As for [`Client::ask`].
    pub async fn events(&self, target: &str) -> Result<Events, AskError> {
        let (response, connection) = timeout(SEE_EXCHANGE_WITHIN, self.send(target))
            .await
            .unwrap_or_else(|_| Err(AskError::broken("it takes too long")))?;
        Ok(Events { body: response.into_body(), read: BytesMut::new(), _connection: connection })
    }

    async fn send(&self, target: &str) -> Result<(Response<Incoming>, Connection), AskError> {
        let nobody = |error| AskError::NoDaemon { path: self.socket.display().to_string(), error };
        let stream = UnixStream::connect(&self.socket).await.map_err(nobody)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(AskError::broken)?;
        let connection = Connection(tokio::spawn(connection).abort_handle());
        let request = Request::get(target).header(HOST, "nearpath").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.map_err(AskError::broken)?).await.map_err(AskError::broken)?;
        match response.status() {
            StatusCode::OK => Ok((response, connection)),
            status => {
                let said = whole(response).await?;
                let refusal = serde_json::from_slice(&said).map(|Refusal { error }| error);
                let error = refusal.unwrap_or_else(|_| format!("the daemon says {status}"));
                Err(AskError::Refused { status: status.as_u16(), error })
            }
        }
    }
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, AskError> {
    let body = Limited::new(response.into_body(), SEE_REPLY_MAX);
    Ok(body.collect().await.map_err(AskError::broken)?.to_bytes())
}

impl Events {
    /// The next event; `None` when the daemon ends the stream.
    ///
    /// # Errors
    /// The stream broke off, or nothing came for so long that the daemon must have gone.
    pub async fn next(&mut self) -> Result<Option<Event>, AskError> {
        loop {
            if let Some(event) = event(&mut self.read) {
                return Ok(Some(event));
            }
            if self.read.len() > SEE_REPLY_MAX {
                return Err(AskError::broken("an event has no end"));
            }
            let frame = timeout(SEE_EXCHANGE_WITHIN, self.body.frame()).await;
            match frame.map_err(|_| AskError::broken("nothing came for a while"))? {
                Some(frame) => {
                    let frame = frame.map_err(AskError::broken)?;
                    self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                }
                None => return Ok(None),
            }
        }
    }
}

/// The first whole event of what was read.
fn event(read: &mut BytesMut) -> Option<Event> {
    let end = read.windows(2).position(|pair| pair == b"\n\n")?;
    let octets = read.split_to(end + 2);
    let text = String::from_utf8_lossy(&octets);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some(Event {
        name: field("event").unwrap_or_default().to_owned(),
        data: field("data").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_one_by_one_however_they_come() {
        let mut read = BytesMut::new();
        let mut events = Vec::new();
        for octet in b"data: {\"a\":1}\n\nevent: missed\ndata: 3\n\ndata: no end" {
            read.extend_from_slice(&[*octet]);
            events.extend(event(&mut read));
        }
        let said = |name: &str, data: &str| Event { name: name.to_owned(), data: data.to_owned() };
        assert_eq!(events, [said("", "{\"a\":1}"), said("missed", "3")]);
        assert_eq!(&read[..], b"data: no end");
    }

    #[test]
    fn parameters_are_written_as_the_door_reads_them() {
        assert_eq!(target("/v1/watch", &[("pod", None)]), "/v1/watch");
        let given = [("name", Some("a b&c")), ("type", None), ("pod", Some("shop/web"))];
        assert_eq!(target("/v1/explain", &given), "/v1/explain?name=a%20b%26c&pod=shop/web");
    }

    #[tokio::test]
    async fn without_a_daemon_it_says_where_it_looked() {
        let error = Client::at(Path::new("/nonexistent/nearpath.sock")).ask::<Refusal>("/v1/top").await.unwrap_err();
        assert!(error.is_no_daemon() && error.to_string().contains("/nonexistent/nearpath.sock"), "{error}");
    }
}
