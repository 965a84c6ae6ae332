//! The question in an HTTP request (RFC 8484 4.1): the body of a POST, or base64url in the query of a GET.

use bytes::{Bytes, BytesMut};
use contract::limits::MESSAGE_MAX;
use data_encoding::BASE64URL_NOPAD;
use h2::RecvStream;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};

/// The path of every known client's template.
pub(super) const PATH: &str = "/dns-query";
/// The media type of a DNS message (RFC 8484 6).
pub(super) const MEDIA_TYPE: &str = "application/dns-message";

/// The question in wire format.
///
/// # Errors
/// What is wrong with the request, as HTTP says it.
pub(super) async fn question(request: Request<RecvStream>) -> Result<Bytes, StatusCode> {
    if request.uri().path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    match *request.method() {
        Method::GET => from_query(request.uri().query().unwrap_or_default()),
        Method::POST if has_media_type(&request) => body(request.into_body()).await,
        Method::POST => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn has_media_type<B>(request: &Request<B>) -> bool {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    given.and_then(|given| given.split(';').next()).is_some_and(|given| given.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

fn from_query(query: &str) -> Result<Bytes, StatusCode> {
    let encoded = query.split('&').find_map(|variable| variable.strip_prefix("dns=")).ok_or(StatusCode::BAD_REQUEST)?;
    // Padding is not to be sent, and some clients send it.
    let decoded = BASE64URL_NOPAD.decode(encoded.trim_end_matches('=').as_bytes());
    decoded.map(Bytes::from).map_err(|_| StatusCode::BAD_REQUEST)
}

async fn body(mut stream: RecvStream) -> Result<Bytes, StatusCode> {
    let mut whole = BytesMut::new();
    while let Some(part) = stream.data().await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if whole.len() + part.len() > MESSAGE_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // An error says that the client has gone meanwhile.
        let _ = stream.flow_control().release_capacity(part.len());
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_by_get_is_base64url_without_padding() {
        assert_eq!(from_query("dns=AAEBAA").unwrap(), [0, 1, 1, 0][..]);
        assert_eq!(from_query("x=1&dns=-_8=").unwrap(), [251, 255][..]);
        for wrong in ["", "dns=+/8", "dns=A", "name=example.com"] {
            assert_eq!(from_query(wrong), Err(StatusCode::BAD_REQUEST), "{wrong}");
        }
    }
}
