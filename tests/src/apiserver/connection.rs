//! One connection to a scripted API server: requests one after the other, and a watch until it ends.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::fault::{Fault, status};
use super::request::Request;
use super::script::{Script, Seen, State, TICK, Verdict};
use super::store::{Change, Selection};

pub(super) struct Connection<'s> {
    stream: StreamOwned<ServerConnection, TcpStream>,
    script: &'s Script,
    number: usize,
}

/// A watch under way.
struct Watch<'r> {
    of: &'r Selection,
    /// Everything up to here was told.
    told: u64,
    /// How many of the lines that are said to all were said.
    said: usize,
    expelled: usize,
    ended: usize,
    begun: Instant,
    ends_after: Duration,
    marked: Instant,
}

/// What there is to do in a watch.
enum Next {
    Wait,
    Tell(Vec<String>),
    /// As far as this, and the rest when it is healed.
    Half(String),
    /// This, whole or not, and no more.
    End(String),
}

impl<'s> Connection<'s> {
    /// Serves until somebody closes it.
    pub(super) fn serve(tcp: TcpStream, script: &'s Script, number: usize) -> io::Result<()> {
        tcp.set_nonblocking(false)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(TICK))?;
        tcp.set_write_timeout(Some(Duration::from_secs(5)))?;
        let tls = ServerConnection::new(script.state().tls.clone()).map_err(io::Error::other)?;
        let mut connection = Self { stream: StreamOwned::new(tls, tcp), script, number };
        loop {
            let head = connection.head()?;
            let Some(request) = Request::read(&head) else {
                connection.respond(404, None, &status(404, "NotFound", "not found"))?;
                continue;
            };
            connection.answer(&request)?;
        }
    }

    /// The next request up to its empty line; none has a body.
    fn head(&mut self) -> io::Result<String> {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.ends_with(b"\r\n\r\n") {
            self.is_open()?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => head.extend(&buffer[..length]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    fn is_open(&self) -> io::Result<()> {
        if self.script.state().is_open { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let Request { target, token, of, what, .. } = request;
        let seen =
            Seen { target: target.clone(), kind: of.kind, what: *what, token: token.clone(), at: Instant::now() };
        self.script.change(|state| state.seen.push(seen));
        loop {
            let verdict = self.script.state().judge(request, self.number);
            match verdict {
                Verdict::Silence => self.script.wait(),
                Verdict::Say { status, retry_after, body } => return self.respond(status, retry_after, &body),
                Verdict::Follow { initial, version, marked } => {
                    self.script.change(|state| state.watching += 1);
                    let done = self.follow(request, &initial, version, marked);
                    self.script.change(|state| state.watching -= 1);
                    return done;
                }
            }
            self.is_open()?;
        }
    }

    fn respond(&mut self, status: u16, retry_after: Option<u32>, body: &Value) -> io::Result<()> {
        let body = body.to_string();
        let after = retry_after.map_or(String::new(), |seconds| format!("Retry-After: {seconds}\r\n"));
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n{after}Content-Length: {length}\r\n\r\n"
        );
        self.stream.write_all((head + &body).as_bytes())?;
        self.stream.flush()
    }

    fn follow(&mut self, request: &Request, initial: &[Value], version: u64, marked: bool) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        self.stream.write_all(head.as_bytes())?;
        self.stream.flush()?;
        for object in initial {
            self.tell(&line("ADDED", object))?;
        }
        if marked {
            self.tell(&bookmark(&request.of, version, true))?;
        }
        let mut watch = {
            let state = self.script.state();
            let ends_after = Duration::from_secs(request.seconds.unwrap_or(1_800));
            let (said, expelled, ended, begun) = (state.said.len(), state.expelled, state.ended, Instant::now());
            Watch { of: &request.of, told: version, said, expelled, ended, begun, ends_after, marked: begun }
        };
        loop {
            self.is_open()?;
            let next = match self.script.state() {
                state if self.number < state.silent_below || state.fault == Some(Fault::Hang) => Next::Wait,
                state => watch.next(&state),
            };
            match next {
                Next::Wait => self.script.wait(),
                Next::Tell(lines) => lines.iter().try_for_each(|line| self.tell(line))?,
                Next::End(last) => {
                    self.tell(&last)?;
                    self.stream.write_all(b"0\r\n\r\n")?;
                    return self.stream.flush();
                }
                Next::Half(text) => {
                    let (first, rest) = text.split_at(text.len() / 2);
                    self.tell(first)?;
                    while self.number < self.script.state().silent_below
                        || self.script.state().fault == Some(Fault::HalfALineThenHang)
                    {
                        self.is_open()?;
                        self.script.wait();
                    }
                    self.tell(rest)?;
                }
            }
        }
    }

    /// A chunk.
    fn tell(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(()); // a chunk of no length is the last one
        }
        self.stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
        self.stream.flush()
    }
}

impl Watch<'_> {
    fn next(&mut self, state: &State) -> Next {
        if self.expelled < state.expelled {
            return Next::End(line("ERROR", &status(410, "Expired", "the event in requested index is outdated")));
        }
        let lasts = match &state.fault {
            Some(Fault::EndsWatches(after)) => (*after).min(self.ends_after),
            _ => self.ends_after,
        };
        if self.ended < state.ended || self.begun.elapsed() >= lasts {
            return Next::End(String::new());
        }
        let mut lines: Vec<String> = state.said[self.said..]
            .iter()
            .filter(|(kind, _)| *kind == self.of.kind)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        self.said = state.said.len();
        let lags = state.fault == Some(Fault::Lags);
        let known = if lags { &state.old } else { &state.store };
        for Change { version, kind, object } in known.since(self.of, self.told) {
            self.told = version;
            match &state.fault {
                Some(Fault::HalfALine) => {
                    let whole = line(kind, &object);
                    return Next::End(whole[..whole.len() / 2].to_owned());
                }
                Some(Fault::HalfALineThenHang) => return Next::Half(line(kind, &object)),
                Some(fault) => lines.push(fault.mangles(kind, &object) + "\n"),
                None => lines.push(line(kind, &object)),
            }
        }
        if self.marked.elapsed() >= state.bookmarks_every && !lags {
            self.marked = Instant::now();
            self.told = state.store.version;
            lines.push(bookmark(self.of, self.told, false));
        }
        if lines.is_empty() { Next::Wait } else { Next::Tell(lines) }
    }
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": kind, "object": object }))
}

fn bookmark(of: &Selection, version: u64, end: bool) -> String {
    let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
    if end {
        metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    line("BOOKMARK", &json!({ "kind": of.kind, "metadata": metadata }))
}
