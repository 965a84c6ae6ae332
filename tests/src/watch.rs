//! A bare watch of the Kubernetes API: events as they come, each with the time of its arrival.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Api, Refusal, refused};

/// How long a test waits for an event that must come. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

impl Api {
    /// Watches a collection from a resourceVersion on, or from now with what is there already as `ADDED`. `path` may
    /// carry a query of its own, such as a `fieldSelector`.
    ///
    /// # Errors
    /// 410 if that version is too old; otherwise as [`Refusal`] says.
    pub fn watch(&self, path: &str, from: Option<&str>) -> Result<Watch, Refusal> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let version = from.map(|version| format!("&resourceVersion={version}")).unwrap_or_default();
        let path = format!("{path}{mark}watch=true&allowWatchBookmarks=true{version}");
        let mut connection = self.connection()?;
        let head = self.send(&mut connection, "GET", &path, &[("Accept", "application/json")], &[])?;
        if head.status != 200 {
            let mut octets = Vec::new();
            connection.body(&head).read_to_end(&mut octets).map_err(Refusal::Unreachable)?;
            return Err(refused(head.status, &octets));
        }
        let socket = connection.patient().map_err(Refusal::Unreachable)?;
        let (to, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(connection.body(&head)).split(b'\n').map_while(Result::ok) {
                let arrived = Instant::now();
                let Ok(mut event) = serde_json::from_slice::<Value>(&line) else { return };
                let kind = event["type"].as_str().unwrap_or_default().to_owned();
                if to.send(Event { kind, object: event["object"].take(), arrived }).is_err() {
                    return;
                }
            }
        });
        Ok(Watch { events, socket })
    }
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: String,
    /// The object as it is now.
    pub object: Value,
    /// When its last octet was read.
    pub arrived: Instant,
}

impl Event {
    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// A watch under way; dropped, it is closed.
#[derive(Debug)]
pub struct Watch {
    events: Receiver<Event>,
    socket: TcpStream,
}

impl Watch {
    /// The next event; `None` when the time is over or the watch has ended.
    pub fn next(&self, within: Duration) -> Option<Event> {
        self.events.recv_timeout(within).ok()
    }

    /// The first event that is the one; those before it are gone.
    #[track_caller]
    pub fn until(&self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) if is_it(&event) => return event,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no event within {PATIENCE:?}: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the watch ended before: {what}"),
            }
        }
    }

    /// Waits until the server, or its death, ends the watch. False if it goes on.
    pub fn ends(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(error) => return error == RecvTimeoutError::Disconnected,
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.socket.shutdown(Shutdown::Both).ok();
    }
}
