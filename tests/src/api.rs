//! A blocking client of the Kubernetes API for tests: objects are JSON, nothing is cached, asked again or hidden.
//!
//! Watches stand in `watch`, manifests in `manifest`, what users and kubelets make in `objects`.
//!
//! It is no `kube`, on purpose: what the daemon's client does wrong must not look right to the tests.

use std::fmt;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::https::{self, Connection};

/// A user's way to an API server. Clones share their connections and may be used from several threads.
#[derive(Clone, Debug)]
pub struct Api(Arc<Way>);

#[derive(Debug)]
struct Way {
    address: SocketAddr,
    trust: Arc<ClientConfig>,
    token: String,
    idle: Mutex<Vec<Connection>>,
}

/// Why a request had no result.
#[derive(Debug)]
pub enum Refusal {
    /// No answer: nobody listens, or the connection broke.
    Unreachable(io::Error),
    /// The API server said no.
    Status {
        /// The HTTP status.
        code: u16,
        /// What it said: the `message` of a `Status` object, else the body.
        message: String,
    },
}

impl Refusal {
    /// The HTTP status, if there was one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Unreachable(_) => None,
            Self::Status { code, .. } => Some(*code),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(to, "no answer of the API server: {error}"),
            Self::Status { code, message } => write!(to, "the API server says {code}: {message}"),
        }
    }
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 7386: lists are replaced, `null` removes.
    Merge,
    /// Kubernetes' own: lists of objects are merged by their keys.
    Strategic,
    /// RFC 6902: operations.
    Json,
    /// Server-side apply: makes the object if there is none.
    Apply,
}

impl Patch {
    fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// What came of a request that was not refused.
pub type Answer = Result<Value, Refusal>;

impl Api {
    /// A user with a token, at an API server whose certificate is signed by the authority of that PEM file.
    #[track_caller]
    pub fn new(address: SocketAddr, authority: &Path, token: &str) -> Self {
        let trust = https::trust(authority);
        Self(Arc::new(Way { address, trust, token: token.to_owned(), idle: Mutex::default() }))
    }

    /// The same server as somebody else.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let (address, trust) = (self.0.address, Arc::clone(&self.0.trust));
        Self(Arc::new(Way { address, trust, token: token.to_owned(), idle: Mutex::default() }))
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// As [`Refusal`] says; so for all verbs.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", None)
    }

    /// Creates an object in the collection at `path`.
    ///
    /// # Errors
    /// 409 if there is one of that name.
    pub fn post(&self, path: &str, object: &Value) -> Answer {
        self.ask("POST", path, "application/json", Some(object))
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// 404 if there is none, 409 if its resourceVersion is not the one given.
    pub fn put(&self, path: &str, object: &Value) -> Answer {
        self.ask("PUT", path, "application/json", Some(object))
    }

    /// Changes an object.
    ///
    /// # Errors
    /// 404 if there is none, unless the patch is [`Patch::Apply`].
    pub fn patch(&self, path: &str, how: Patch, patch: &Value) -> Answer {
        self.ask("PATCH", path, how.content_type(), Some(patch))
    }

    /// Deletes an object at once.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn delete(&self, path: &str) -> Answer {
        self.delete_after(path, 0)
    }

    /// Deletes an object after a time of grace: with one, a pod on a node gets a `deletionTimestamp` and stays.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn delete_after(&self, path: &str, grace_seconds: u32) -> Answer {
        let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace_seconds });
        self.ask("DELETE", path, "application/json", Some(&options))
    }

    /// What is no JSON: `/metrics`, `/readyz`.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    pub fn text(&self, path: &str) -> Result<String, Refusal> {
        let octets = self.request("GET", path, &[], &[])?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    fn ask(&self, verb: &str, path: &str, content_type: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|value| serde_json::to_vec(value).expect("a value is JSON")).unwrap_or_default();
        let accept = ("Accept", "application/json");
        let headers = [accept, ("Content-Type", content_type)];
        let octets = self.request(verb, path, &headers[..if body.is_empty() { 1 } else { 2 }], &body)?;
        serde_json::from_slice(&octets).map_err(|error| Refusal::Unreachable(io::Error::other(error)))
    }

    fn request(&self, verb: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let idle = self.take_idle();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connection()?,
        };
        let head = self.send(&mut connection, verb, path, headers, body)?;
        let mut octets = Vec::new();
        connection.body(&head).read_to_end(&mut octets).map_err(Refusal::Unreachable)?;
        self.0.idle.lock().expect("nobody panics with it").push(connection);
        if (200..300).contains(&head.status) { Ok(octets) } else { Err(refused(head.status, &octets)) }
    }

    pub(crate) fn send(
        &self,
        connection: &mut Connection,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<https::Head, Refusal> {
        let bearer = format!("Bearer {}", self.0.token);
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend(headers);
        connection.request(&format!("{verb} {path}"), &all, body).map_err(Refusal::Unreachable)
    }

    pub(crate) fn connection(&self) -> Result<Connection, Refusal> {
        Connection::open(self.0.address, &self.0.trust).map_err(Refusal::Unreachable)
    }

    /// A connection of an earlier request that the server has not closed since.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.0.idle.lock().expect("nobody panics with it");
        std::iter::from_fn(|| idle.pop()).find(Connection::is_idle)
    }
}

pub(crate) fn refused(code: u16, body: &[u8]) -> Refusal {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = status["message"].as_str().map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    Refusal::Status { code, message }
}
