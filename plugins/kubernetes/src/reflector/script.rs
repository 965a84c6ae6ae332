//! An API server that says what a test tells it to, and keeps what it was asked. Time is tokio's, paused.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use contract::Boxed;
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::api::Transport;
use crate::reflector::{Reflector, Subject, Word};
use crate::trouble::Trouble;
use crate::words::{Version, Watched};

const MINUTE: Duration = Duration::from_secs(60);

/// An object that is only a name.
#[derive(Debug, Deserialize)]
pub(super) struct Thing {
    metadata: Meta,
}

#[derive(Debug, Deserialize)]
struct Meta {
    name: String,
    #[serde(rename = "resourceVersion")]
    version: Version,
}

impl Watched for Thing {
    fn key(&self) -> &str {
        &self.metadata.name
    }

    fn version(&self) -> &str {
        &self.metadata.version.0
    }
}

/// What becomes of one request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Bookmarks every minute, from this version, for as long as it was asked to last; before them the end of the list, if
    /// one was asked for.
    Lasts(u64),
    /// Its lines, each so long after the one before; then it ends.
    Ends(Vec<(Duration, String)>),
    /// As before, but then it stays silent.
    Hangs(Vec<(Duration, String)>),
    /// As before, but then the connection breaks.
    Breaks(Vec<(Duration, String)>),
    Refused(Trouble),
    /// Not even a status comes.
    Silent,
}

/// The server. What it has no words for, it does not answer.
#[derive(Debug, Default)]
pub(crate) struct Script {
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<(Instant, String)>>,
    pub(super) is_there: Mutex<bool>,
    pub(super) renewed: Mutex<bool>,
}

/// The way to it.
#[derive(Debug)]
pub(crate) struct Way(pub(crate) Arc<Script>);

impl Script {
    /// One reply for each request.
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        let is_there = Mutex::new(true);
        Arc::new(Self { replies: Mutex::new(replies.into_iter().collect()), is_there, ..Self::default() })
    }

    /// One more.
    pub(crate) fn then(&self, reply: Reply) {
        self.replies.lock().unwrap().push_back(reply);
    }

    /// What was asked, and when.
    pub(crate) fn asked(&self) -> Vec<(Instant, String)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Way {
    fn get<'a>(&'a mut self, path: &'a str) -> Boxed<'a, Result<Body, Trouble>> {
        Box::pin(async move {
            self.0.asked.lock().unwrap().push((Instant::now(), path.to_owned()));
            let reply = self.0.replies.lock().unwrap().pop_front();
            match reply.unwrap_or(Reply::Silent) {
                Reply::Lasts(from) => {
                    let first = if request(path).starts_with("stream") { end(from) } else { bookmark(from) };
                    Ok(body(until_it_ends(first, from, lasts(path)), Last::End).await)
                }
                Reply::Ends(lines) => Ok(body(lines, Last::End).await),
                Reply::Hangs(lines) => Ok(body(lines, Last::Nothing).await),
                Reply::Breaks(lines) => Ok(body(lines, Last::Break).await),
                Reply::Refused(trouble) => Err(trouble),
                Reply::Silent => std::future::pending().await,
            }
        })
    }

    fn is_reachable(&mut self) -> Boxed<'_, bool> {
        Box::pin(async { *self.0.is_there.lock().unwrap() })
    }

    fn has_new_credentials(&self) -> bool {
        std::mem::take(&mut *self.0.renewed.lock().unwrap())
    }
}

#[derive(Clone, Copy)]
enum Last {
    End,
    Nothing,
    Break,
}

/// A body whose lines come one after the other.
async fn body(lines: Vec<(Duration, String)>, last: Last) -> Body {
    let lines = stream::iter(lines).then(|(after, line)| async move {
        sleep(after).await;
        Ok(format!("{line}\n"))
    });
    let last = stream::once(async move {
        match last {
            Last::Nothing => std::future::pending().await,
            Last::Break => Some(Err(std::io::Error::other("reset by peer"))),
            Last::End => None,
        }
    });
    streamed(lines.chain(last.filter_map(std::future::ready))).await
}

/// This line, then a bookmark every minute for so many seconds.
fn until_it_ends(first: String, from: u64, seconds: u64) -> Vec<(Duration, String)> {
    let minutes = (0..seconds / 60).map(|minute| (MINUTE, bookmark(from + minute)));
    let rest = (Duration::from_secs(seconds % 60), bookmark(from + seconds / 60));
    std::iter::once(at_once(first)).chain(minutes).chain([rest]).collect()
}

/// A body as kube's client gives it.
pub(super) async fn streamed(texts: impl Stream<Item = std::io::Result<String>> + Send + 'static) -> Body {
    let frames = texts.map(|text| text.map(|text| Frame::data(Bytes::from(text))));
    let reply = Mutex::new(Some(http::Response::new(StreamBody::new(frames))));
    let server = tower::service_fn(move |_| {
        let reply = reply.lock().unwrap().take().expect("one request");
        async move { Ok::<_, Infallible>(reply) }
    });
    let reply = Client::new(server, "default").send(http::Request::new(Body::empty())).await;
    reply.expect("the server answers").into_body()
}

// how lines are written

pub(crate) fn at_once(line: impl Into<String>) -> (Duration, String) {
    (Duration::ZERO, line.into())
}

pub(super) fn event(kind: &str, name: &str, version: u64) -> String {
    format!(r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}}}}}}"#)
}

pub(crate) fn bookmark(version: u64) -> String {
    format!(r#"{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"{version}"}}}}}}"#)
}

/// The bookmark that ends a streamed list.
pub(crate) fn end(version: u64) -> String {
    let annotations = r#"{"k8s.io/initial-events-end":"true"}"#;
    format!(
        r#"{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"{version}","annotations":{annotations}}}}}}}"#
    )
}

pub(crate) fn gone() -> String {
    r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#.to_owned()
}

/// The body of a plain list.
pub(super) fn list(names: &[&str], version: u64) -> String {
    let item = |name: &&str| format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"1"}}}}"#);
    let items: Vec<_> = names.iter().map(item).collect();
    format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"items":[{}]}}"#, items.join(","))
}

/// A reflector at work on a script, and what it told.
pub(super) struct Scene {
    pub(super) script: Arc<Script>,
    pub(super) ask: Arc<Notify>,
    pub(super) words: mpsc::Receiver<Word<Thing>>,
    pub(super) begun: Instant,
    work: JoinHandle<()>,
}

impl Scene {
    pub(super) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script::new(replies);
        let (ask, (told, words)) = (Arc::new(Notify::new()), mpsc::channel(1_000));
        let subject =
            Subject { path: "/things".to_owned(), selector: "fieldSelector=x".to_owned(), is_optional: false };
        let work = tokio::spawn(Reflector::new(Way(Arc::clone(&script)), subject, Arc::clone(&ask)).run(told));
        Self { script, ask, words, begun: Instant::now(), work }
    }

    /// Lets time pass.
    pub(super) async fn after(&mut self, seconds: u64) -> &mut Self {
        sleep(Duration::from_secs(seconds)).await;
        self
    }

    pub(super) fn then(&mut self, reply: Reply) {
        self.script.then(reply);
    }

    /// What was told since the last look, a word each.
    pub(super) fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(word) = self.words.try_recv() {
            told.push(match word {
                Word::List { items, version, anew, .. } => {
                    let names: Vec<_> = items.iter().map(|thing: &Thing| thing.metadata.name.as_str()).collect();
                    format!("list {} at {version}{}", names.join(","), if anew { " anew" } else { "" })
                }
                Word::Changed(thing) => format!("changed {}", thing.metadata.name),
                Word::Deleted(thing) => format!("deleted {}", thing.metadata.name),
                Word::Alive => "alive".to_owned(),
                Word::Opened => "opened".to_owned(),
                Word::Trouble(trouble) => trouble.to_string(),
            });
        }
        told
    }

    /// What was asked: `stream V`, `list V`, `watch V`, where `V` is the version that is gone on from or the floor.
    pub(super) fn asked(&self) -> Vec<String> {
        self.script.asked().iter().map(|(_, path)| request(path)).collect()
    }

    /// When it was asked, since the beginning.
    pub(super) fn asked_at(&self) -> Vec<Duration> {
        self.script.asked().iter().map(|(at, _)| *at - self.begun).collect()
    }

    pub(super) fn is_over(&self) -> bool {
        self.work.is_finished()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// How long a watch is asked to last, seconds.
fn lasts(path: &str) -> u64 {
    path.split('&').find_map(|pair| pair.strip_prefix("timeoutSeconds=")).unwrap().parse().unwrap()
}

/// A request in short.
pub(super) fn request(path: &str) -> String {
    let (collection, query) = path.split_once('?').unwrap();
    assert_eq!(collection, "/things");
    let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("fieldSelector"), Some("x"), "{path}");
    let version = value("resourceVersion").unwrap_or("none");
    let kind = match (value("watch"), value("sendInitialEvents")) {
        (Some("true"), Some("true")) => "stream",
        (Some("true"), None) => "watch",
        _ => return format!("list {version}"),
    };
    assert_eq!(value("allowWatchBookmarks"), Some("true"), "{path}");
    assert!((300..=600).contains(&lasts(path)), "{path}");
    format!("{kind} {version}")
}
