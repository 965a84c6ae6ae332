//! The exporter's way out: one plain HTTP request on a connection of its own, within a bound.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use contract::limits;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends requests, and remembers why the last one failed: the exporter does not tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    failure: Arc<Mutex<Option<String>>>,
}

impl Client {
    /// Why no answer came, since this was last asked.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let within = limits::TRACE_EXPORT_WITHIN;
        let answer = timeout(within, exchange(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs()).into()));
        let failure = answer.as_ref().err().map(ToString::to_string);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        answer
    }
}

async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or("a URL without a host")?.clone();
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    head.uri = head.uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async move {
        let (head, body) = sender.send_request(Request::from_parts(head, Full::new(body))).await?.into_parts();
        let body = Limited::new(body, limits::TRACE_ANSWER_MAX).collect().await?.to_bytes();
        Ok::<_, HttpError>(Response::from_parts(head, body))
    };
    // the connection ends once nobody sends on it; how it ends is of no interest when the answer is there
    let (answer, _) = tokio::join!(answered, connection);
    answer
}
