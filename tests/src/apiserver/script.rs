//! What the threads of a scripted API server share, and what it makes of a request.

use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use serde_json::{Value, json};

use super::fault::{Fault, Streams, status, too_large};
use super::request::{Request, What};
use super::store::Store;

/// How often threads look whether anything is otherwise.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// A request that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Path and query.
    pub target: String,
    /// `Pod`, `EndpointSlice` or `Service`.
    pub kind: &'static str,
    /// List or watch.
    pub what: What,
    /// The bearer token.
    pub token: String,
    /// When.
    pub at: Instant,
}

/// Everything, behind one lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    /// What lists are of while [`Fault::OldLists`] lasts.
    pub(super) old: Store,
    pub(super) fault: Option<Fault>,
    pub(super) streams: Streams,
    pub(super) token: String,
    pub(super) bookmarks_every: Duration,
    /// Lines to be told in watches of a kind.
    pub(super) said: Vec<(&'static str, String)>,
    /// How often open watches were told that all is forgotten.
    pub(super) expelled: usize,
    /// How often they were ended.
    pub(super) ended: usize,
    /// Connections with a lower number are silent for ever.
    pub(super) silent_below: usize,
    pub(super) seen: Vec<Seen>,
    pub(super) tls: Arc<ServerConfig>,
    /// Of every connection that may be open.
    pub(super) sockets: Vec<TcpStream>,
    pub(super) connections: usize,
    pub(super) watching: usize,
    pub(super) is_open: bool,
}

#[derive(Debug)]
pub(super) struct Script {
    state: Mutex<State>,
    changed: Condvar,
}

/// What comes of a request.
pub(super) enum Verdict {
    /// Nothing yet.
    Silence,
    /// A response.
    Say { status: u16, retry_after: Option<u32>, body: Value },
    /// 200 and events: what there is already, as of a version, and whether the end of that is told.
    Follow { initial: Vec<Value>, version: u64, marked: bool },
}

impl Script {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("an API server's thread does not panic")
    }

    /// Changes something, and wakes who waits for it.
    pub(super) fn change<T>(&self, how: impl FnOnce(&mut State) -> T) -> T {
        let made = how(&mut self.state());
        self.changed.notify_all();
        made
    }

    /// Waits for a change, not longer than a tick.
    pub(super) fn wait(&self) {
        let state = self.state();
        drop(self.changed.wait_timeout(state, TICK).expect("an API server's thread does not panic"));
    }
}

impl State {
    pub(super) fn judge(&self, request: &Request, connection: usize) -> Verdict {
        let refuse = |code, reason, message: &str| say(code, status(code, reason, message));
        let version = request.version.filter(|version| *version > 0);
        match &self.fault {
            _ if connection < self.silent_below => return Verdict::Silence,
            Some(Fault::Hang) => return Verdict::Silence,
            Some(Fault::Status(code)) => return refuse(*code, "Scripted", "scripted"),
            Some(Fault::StatusFor(part, code)) if request.target.contains(part) => {
                return refuse(*code, "Scripted", "scripted");
            }
            Some(Fault::Busy { status: code, seconds }) => {
                let body = status(*code, "TooManyRequests", "too many requests");
                return Verdict::Say { status: *code, retry_after: Some(*seconds), body };
            }
            Some(Fault::Behind) if version.is_some() => return say(504, too_large()),
            _ if request.token != self.token => return refuse(401, "Unauthorized", "Unauthorized"),
            _ => {}
        }
        let store = match self.fault {
            Some(Fault::OldLists) => &self.old,
            Some(Fault::Lags) if request.version.is_some() => &self.old,
            _ => &self.store,
        };
        if version.is_some_and(|version| version > store.version) && self.fault != Some(Fault::OldLists) {
            return say(504, too_large());
        }
        let initial = || Verdict::Follow { initial: store.all(&request.of), version: store.version, marked: false };
        match (request.what, self.streams) {
            (What::Get, _) => match store.all(&request.of).pop() {
                Some(object) => say(200, object),
                None => refuse(404, "NotFound", "not found"),
            },
            (What::List, _) => {
                let version = store.version.to_string();
                say(200, json!({ "metadata": { "resourceVersion": version }, "items": store.all(&request.of) }))
            }
            (What::StreamedList, Streams::Refused) => refuse(422, "Invalid", "sendInitialEvents is forbidden"),
            (What::StreamedList, Streams::Given) => match initial() {
                Verdict::Follow { initial, version, .. } => Verdict::Follow { initial, version, marked: true },
                other => other,
            },
            (What::Watch | What::StreamedList, _) => match version {
                Some(version) if version < self.store.forgotten => {
                    let message = format!("too old resource version: {version} ({})", self.store.forgotten);
                    refuse(410, "Expired", &message)
                }
                Some(version) => Verdict::Follow { initial: Vec::new(), version, marked: false },
                None => initial(),
            },
        }
    }
}

fn say(status: u16, body: Value) -> Verdict {
    Verdict::Say { status, retry_after: None, body }
}
