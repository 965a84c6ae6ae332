//! List, then watch, for as long as somebody listens: the API server's words on one kind of object, in order.
//!
//! ```text
//!   list (streamed where the server can) --> watch from its version --+--> line by line
//!        ^                                      ^                     |
//!        |  forgotten (410), asked for,         | ended, broken:      |
//!        '--or every 6 to 12 h------------------'--after a wait-------'
//! ```
//!
//! Knows no objects: what they mean is the listener's.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use contract::limits::API_LIST_MAX;
use kube::client::Body;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::api::Transport;
use crate::backoff::{self, Backoff};
use crate::lines::{Lines, whole};
use crate::trouble::Trouble;
use crate::words::{self, Event, Version, Watched};

/// A watch tells something within this: bookmarks come every minute.
const SILENT_MAX: Duration = Duration::from_secs(90);
/// A streamed list comes whole within this; else the server is taken for one that cannot.
const STREAMED_WITHIN: Duration = Duration::from_secs(15);
/// A list comes whole within this.
const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// After so many streamed lists in a row that failed, a plain one may do.
const UNSTREAMED_MAX: u32 = 3;
/// A watch that lasted so long was a good one.
const SETTLED: Duration = Duration::from_secs(5);
/// Said of a watch that ended although the server was asked to keep it.
const EARLY: &str = "it ended the watch before its time";
/// How long the server is asked to keep a watch, seconds.
const WATCH_FOR: (u64, u64) = (300, 600);
/// All is listed again after a time between these, so that nothing that went wrong unseen stays wrong.
const RELIST: (u64, u64) = (6 * 3_600, 12 * 3_600);
/// Two lists that were asked for are at least so far apart.
pub(crate) const ASKED_EVERY: Duration = Duration::from_secs(5);

/// What is told.
#[derive(Debug)]
pub(crate) enum Word<T> {
    /// Everything that there is.
    List {
        /// The objects.
        items: Vec<T>,
        /// As of.
        version: Version,
        /// When it was asked for.
        asked: Instant,
        /// True if versions have begun anew: the server was restored.
        anew: bool,
    },
    /// A new or changed object.
    Changed(T),
    /// One that is gone.
    Deleted(T),
    /// Nothing has changed until now.
    Alive,
    /// A watch is open; what it knows it has yet to tell.
    Opened,
    /// What is known may be out of date from now on.
    Trouble(Trouble),
}

/// What is watched.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The collection's path.
    pub(crate) path: String,
    /// `fieldSelector=...` or `labelSelector=...`, as it stands in a query; empty: all of them.
    pub(crate) selector: String,
    /// It may well be that there is no such collection (404), or no right to it, for as long as the daemon runs: it is asked for
    /// about once a minute then.
    pub(crate) is_optional: bool,
}

impl Subject {
    /// The path with this query and the selector.
    fn with(&self, query: &str) -> String {
        let parts = [query, self.selector.as_str()].into_iter().filter(|part| !part.is_empty());
        let query = parts.collect::<Vec<_>>().join("&");
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }
}

/// The watch at work.
pub(crate) struct Reflector<A, T> {
    api: A,
    subject: Subject,
    /// Somebody wants a list.
    ask: Arc<Notify>,
    random: SmallRng,
    /// Everything up to here was told; `None`: a list is due.
    version: Option<Version>,
    /// No list may be older.
    floor: Option<Version>,
    /// The next list begins versions anew.
    anew: bool,
    /// Whether lists are streamed.
    streams: bool,
    /// Streamed lists that failed in a row.
    unstreamed: u32,
    /// Somebody wanted a list, and it was not told yet.
    asked: bool,
    listed: Option<Instant>,
    relist_at: Instant,
    /// When the watch of this session was opened.
    opened: Option<Instant>,
    /// Somebody took a connection, and no watch was opened since.
    knocked: bool,
    /// When the watch ends by itself.
    ends_at: Instant,
    kind: PhantomData<fn() -> T>,
}

/// Nobody listens any more.
struct Unheard;

/// How a part of a session ended.
enum End {
    Unheard,
    Trouble(Trouble),
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Unheard> for End {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

impl<A: Transport, T: Watched> Reflector<A, T> {
    pub(crate) fn new(api: A, subject: Subject, ask: Arc<Notify>) -> Self {
        Self {
            api,
            subject,
            ask,
            random: SmallRng::from_os_rng(),
            version: None,
            floor: None,
            anew: false,
            streams: true,
            unstreamed: 0,
            asked: false,
            listed: None,
            relist_at: Instant::now(),
            opened: None,
            knocked: false,
            ends_at: Instant::now(),
            kind: PhantomData,
        }
    }

    /// Goes on until nobody listens.
    pub(crate) async fn run(mut self, out: mpsc::Sender<Word<T>>) {
        let mut backoff = Backoff::default();
        loop {
            let end = self.session(&out).await;
            // a list that took long and failed is none that worked
            if end.is_ok() || self.opened.take().is_some_and(|opened| opened.elapsed() >= SETTLED) {
                backoff.reset();
            }
            let trouble = match end {
                Ok(()) => continue,
                Err(End::Unheard) => return,
                Err(End::Trouble(trouble)) => trouble,
            };
            if out.send(Word::Trouble(trouble.clone())).await.is_err() {
                return;
            }
            tokio::select! {
                () = self.pause(&trouble, &mut backoff) => {}
                () = out.closed() => return,
            }
        }
    }

    /// One list, if it is due, and one watch. `Ok`: go on at once.
    async fn session(&mut self, out: &mpsc::Sender<Word<T>>) -> Result<(), End> {
        let lines = match self.version.is_some() && Instant::now() < self.relist_at {
            true => None,
            false => self.list(out).await?,
        };
        let lines = match lines {
            Some(lines) => lines,
            None => Lines::new(self.watch().await?),
        };
        self.follow(lines, out).await
    }

    /// Tells everything. A streamed list goes on as a watch.
    async fn list(&mut self, out: &mpsc::Sender<Word<T>>) -> Result<Option<Lines>, End> {
        self.version = None;
        let asked = Instant::now();
        self.streams |= self.floor.is_some() && asked >= self.relist_at; // the server may be another one by now
        self.listed = Some(asked);
        if self.streams {
            match self.streamed_list().await {
                Ok(Some((items, version, lines))) => {
                    self.tell_list(items, version, asked, out).await?;
                    return Ok(Some(lines));
                }
                // an older server does not know of such lists, or is told not to give them
                Ok(None) | Err(Trouble::Status { status: 400 | 404 | 422, .. }) => self.streams = false,
                Err(trouble) => {
                    self.unstreamed += 1;
                    self.streams = self.unstreamed < UNSTREAMED_MAX;
                    return Err(self.refused_list(trouble).into());
                }
            }
        }
        let got = timeout(LISTED_WITHIN, self.plain_list()).await.unwrap_or(Err(Trouble::Silent(LISTED_WITHIN)));
        let (items, version) = got.map_err(|trouble| self.refused_list(trouble))?;
        self.tell_list(items, version, asked, out).await?;
        Ok(None)
    }

    /// `None`: it is a watch like any other, which tells of no end of the list.
    async fn streamed_list(&mut self) -> Result<Option<(Vec<T>, Version, Lines)>, Trouble> {
        let floor = self.floor.as_ref().map_or("", |floor| &floor.0);
        let seconds = self.random.random_range(WATCH_FOR.0..=WATCH_FOR.1);
        self.ends_at = Instant::now() + Duration::from_secs(seconds);
        let path = self.subject.with(&format!(
            "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
             &resourceVersion={floor}&timeoutSeconds={seconds}"
        ));
        // no answer at all says nothing of what the server can
        let silent = |_| Err(Trouble::Silent(STREAMED_WITHIN));
        let mut lines = Lines::new(timeout(STREAMED_WITHIN, self.api.get(&path)).await.unwrap_or_else(silent)?);
        let mut items = Vec::new();
        let whole = async move {
            loop {
                let Some(line) = lines.next().await? else { return Err(Trouble::Ended) };
                match words::event(line)? {
                    Event::Changed(item) => items.push(item),
                    Event::Bookmark { version, end: true } => return Ok(Some((items, version, lines))),
                    // what happens meanwhile is told before the end as well
                    Event::Deleted(gone) => items.retain(|item: &T| item.key() != gone.key()),
                    Event::Bookmark { .. } => {}
                }
            }
        };
        timeout(STREAMED_WITHIN, whole).await.unwrap_or(Ok(None))
    }

    async fn plain_list(&mut self) -> Result<(Vec<T>, Version), Trouble> {
        // "0": from the server's memory, as the kubelet asks; without it older servers would read all pods of the cluster.
        // But a server that has not come so far as what is known would then tell of pods that are gone
        let floor = self.floor.as_ref().map_or("0", |floor| &floor.0);
        let path = match self.anew {
            true => self.subject.with(""),
            false => self.subject.with(&format!("resourceVersion={floor}&resourceVersionMatch=NotOlderThan")),
        };
        words::list(&whole(self.api.get(&path).await?, API_LIST_MAX).await?)
    }

    async fn tell_list(
        &mut self,
        items: Vec<T>,
        version: Version,
        asked: Instant,
        out: &mpsc::Sender<Word<T>>,
    ) -> Result<(), Unheard> {
        self.relist_at = asked + Duration::from_secs(self.random.random_range(RELIST.0..=RELIST.1));
        self.version = Some(version.clone());
        self.floor = Some(version.clone());
        let anew = std::mem::take(&mut self.anew);
        (self.asked, self.unstreamed) = (false, 0);
        out.send(Word::List { items, version, asked, anew }).await.map_err(|_| Unheard)
    }

    /// A list that cannot be had at this version cannot be had at any later time either.
    fn refused_list(&mut self, trouble: Trouble) -> Trouble {
        if matches!(trouble, Trouble::Gone(_)) {
            self.floor = None;
            self.anew = true;
        }
        trouble
    }

    async fn watch(&mut self) -> Result<Body, Trouble> {
        let version = self.version.as_ref().map_or("", |version| &version.0);
        let seconds = self.random.random_range(WATCH_FOR.0..=WATCH_FOR.1);
        self.ends_at = Instant::now() + Duration::from_secs(seconds);
        let path = self
            .subject
            .with(&format!("watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}"));
        let body = self.api.get(&path).await;
        if let Err(Trouble::Gone(_)) = body {
            self.version = None;
        }
        body
    }

    /// Tells what a watch says until it ends, breaks, or a list is due.
    async fn follow(&mut self, mut lines: Lines, out: &mpsc::Sender<Word<T>>) -> Result<(), End> {
        let begun = Instant::now();
        (self.opened, self.knocked) = (Some(begun), false);
        out.send(Word::Opened).await.map_err(|_| Unheard)?;
        let mut told = self.listed.is_some_and(|listed| begun - listed < SETTLED);
        loop {
            let due = match (self.asked, self.listed) {
                (true, Some(listed)) => self.relist_at.min(listed + ASKED_EVERY),
                _ => self.relist_at,
            };
            let line = tokio::select! {
                biased;
                () = out.closed() => return Err(End::Unheard),
                line = timeout(SILENT_MAX, lines.next()) => line,
                () = self.ask.notified(), if !self.asked => {
                    self.asked = true;
                    continue;
                }
                () = sleep_until(due) => {
                    self.version = None;
                    return Ok(());
                }
            };
            let word = match line {
                Err(_) => {
                    // a version that the server has yet to reach, after it was restored, is never gone on from
                    if !told {
                        self.version = None;
                    }
                    return Err(Trouble::Silent(SILENT_MAX).into());
                }
                Ok(Ok(None)) if begun.elapsed() < SETTLED => return Err(Trouble::Ended.into()),
                // a server that goes ends those of all nodes at once
                Ok(Ok(None)) if Instant::now() + SETTLED < self.ends_at => {
                    return Err(Trouble::Unreachable(EARLY.to_owned()).into());
                }
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(line))) => words::event(line),
                Ok(Err(trouble)) => Err(trouble),
            };
            let word = match word {
                Ok(event) => {
                    told = true;
                    self.note(event)
                }
                Err(trouble) => {
                    // what cannot be understood cannot be gone on from either
                    if matches!(trouble, Trouble::Gone(_) | Trouble::Nonsense(_)) {
                        self.version = None;
                    }
                    return Err(trouble.into());
                }
            };
            out.send(word).await.map_err(|_| Unheard)?;
        }
    }

    /// An event as a word; how far the watch has come is remembered.
    fn note(&mut self, event: Event<T>) -> Word<T> {
        let (word, version) = match event {
            Event::Changed(object) => {
                let version = Version(object.version().to_owned());
                (Word::Changed(object), version)
            }
            Event::Deleted(object) => {
                let version = Version(object.version().to_owned());
                (Word::Deleted(object), version)
            }
            Event::Bookmark { version, .. } => (Word::Alive, version),
        };
        if !version.0.is_empty() && !self.version.as_ref().is_some_and(|known| version.is_before(known)) {
            self.floor = Some(version.clone());
            self.version = Some(version);
        }
        word
    }

    /// Waits until it makes sense to ask again.
    async fn pause(&mut self, trouble: &Trouble, backoff: &mut Backoff) {
        if let Trouble::Unreachable(_) = trouble {
            loop {
                sleep(backoff::knock(&mut self.random)).await;
                if self.api.is_reachable().await {
                    break;
                }
            }
            // somebody who takes connections and no requests is not asked ever so often
            let wait = match std::mem::replace(&mut self.knocked, true) {
                true => backoff.longer(&mut self.random),
                false => backoff::spread(&mut self.random),
            };
            sleep(wait).await;
            return;
        }
        let is_absent = matches!(trouble, Trouble::Status { status: 404, .. } | Trouble::Denied { status: 403, .. });
        let wait = match self.subject.is_optional && is_absent {
            true => backoff::seldom(&mut self.random),
            false => backoff.after(trouble, &mut self.random),
        };
        let until = Instant::now() + wait;
        let renewable = matches!(trouble, Trouble::Denied { .. } | Trouble::Distrusted(_) | Trouble::Credentials(_));
        while Instant::now() < until {
            sleep_until(until.min(Instant::now() + Duration::from_secs(1))).await;
            if renewable && self.api.has_new_credentials() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod herd;
#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;
