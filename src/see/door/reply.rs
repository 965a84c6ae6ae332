//! Replies of the door: JSON, the page, a stream of events, or a refusal in words; none is kept by anybody on the way.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::Page;
use crate::see::api::Refusal;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why nothing is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    status: StatusCode,
    error: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, error: &str) -> Self {
        Self { status, error: error.to_owned() }
    }

    /// A bound is reached; it may be tried again (503).
    pub fn busy(error: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    /// It is about somebody or something that is not known here (404).
    pub fn unknown(error: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = json(&Refusal { error: self.error });
        *response.status_mut() = self.status;
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}

pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    // numbers, texts, lists and maps with texts for keys: there is nothing in them that JSON lacks
    let octets = serde_json::to_vec(value).expect("what is told has a form in JSON");
    whole("application/json", octets.into())
}

pub(super) fn page(page: &Page) -> Response<Body> {
    let mut response = whole("text/html; charset=utf-8", page.html.clone());
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

pub(super) fn events(body: Body) -> Response<Body> {
    with("text/event-stream", body)
}

fn whole(kind: &'static str, octets: Bytes) -> Response<Body> {
    with(kind, Full::new(octets).boxed_unsync())
}

fn with(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
