//! What a plugin is: one step of the chain on the miss path, and what it has to say on hits.

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::ahead::{Ahead, Arranger};
use crate::answer::{Age, Answer};
use crate::clock::{Clock, Moment};
use crate::cluster::{Cluster, ServicePort};
use crate::failure::Failure;
use crate::labels::{LabelBook, Labels};
use crate::metrics::Metrics;
use crate::query::{Client, Query};
use crate::scope::{Scoper, SearchLists};
use crate::seen::{Standing, Tracer, Wiretap, Witness};
use crate::shelf::Shelf;
use crate::story::Decided;
use crate::wire::{Ede, Name, RecordType};

/// A future on the miss path.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a chain returns.
pub type Served = Result<Reply, Failure>;

/// An answer and what is known about it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Arc<Answer>,
    /// How old its TTLs are.
    pub age: Age,
    /// How long it may be memorised from now; `None`: as its own TTLs say.
    pub lifetime: Option<Duration>,
    /// False if it must not be memorised at all.
    pub storable: bool,
    /// True if a gate has spoken for this client on the way behind a CNAME: it is neither memorised nor told to anybody else.
    pub personal: bool,
    /// Where it came from.
    pub source: Source,
    /// Which candidate of a search it is the answer of.
    pub decided: Decided,
    /// An Extended DNS Error about this reply rather than about the answer.
    pub ede: Option<Ede>,
}

impl Reply {
    /// A fresh answer.
    pub fn fresh(answer: Answer, source: Source) -> Self {
        Self {
            answer: Arc::new(answer),
            age: Age::Fresh(0),
            lifetime: None,
            storable: true,
            personal: false,
            source,
            decided: Decided::NoSearch,
            ede: None,
        }
    }

    /// The same, never memorised.
    #[must_use]
    pub fn unstored(mut self) -> Self {
        self.storable = false;
        self
    }

    /// The same with its TTLs as they are to be told now: for a plugin that reads or changes them. How long it is true stays,
    /// and so does that it is stale; then all TTLs are the same. What is made of it is [`Reply::as_old_as`] it.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let lifetime = self.true_for();
        let told = |change: &dyn Fn(u32) -> u32| Arc::new(Answer::clone(&self.answer).with_ttls(change));
        let stale = |seconds: u32| (told(&|_| seconds), Age::StaleWith(seconds));
        let (answer, age) = match self.age {
            Age::Fresh(0) => return self,
            Age::Kept => (Arc::clone(&self.answer), Age::Fresh(0)),
            Age::Fresh(age) => (told(&|ttl| ttl.saturating_sub(age)), Age::Fresh(0)),
            Age::Stale => stale(crate::limits::STALE_TTL),
            Age::StaleWith(seconds) => stale(seconds),
        };
        self.lifetime = lifetime;
        Self { answer, age, ..self }
    }

    /// The same as old as a settled reply that it was made of: stale if that one is. As all TTLs are the same then, they are its
    /// smallest one.
    #[must_use]
    pub fn as_old_as(mut self, age: Age) -> Self {
        if matches!(age, Age::Stale | Age::StaleWith(_)) {
            self.age = Age::StaleWith(self.answer.smallest_ttl().unwrap_or(crate::limits::STALE_TTL));
        }
        self
    }

    /// True if it is past its end.
    pub fn is_stale(&self) -> bool {
        matches!(self.age, Age::Stale | Age::StaleWith(_))
    }

    /// How long it is true from now on, as far as is known; zero if it is stale.
    pub fn true_for(&self) -> Option<Duration> {
        let own = match self.age {
            Age::Stale | Age::StaleWith(_) => Some(Duration::ZERO),
            Age::Kept => self.answer.true_for(),
            Age::Fresh(age) => self.answer.true_for().map(|ttl| ttl.saturating_sub(Duration::from_secs(age.into()))),
        };
        match (own, self.lifetime) {
            (Some(own), Some(cap)) => Some(own.min(cap)),
            (own, cap) => own.or(cap),
        }
    }
}

/// What memory last knew of a question.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// The answer as it would be told now, and who said it.
    pub reply: Reply,
    /// Since when it is past its end; zero if it is not.
    pub past_end: Duration,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The answer store.
    Store,
    /// An upstream.
    Upstream(SocketAddr),
    /// A plugin made it; its name.
    Plugin(&'static str),
}

/// What a plugin does to storing. The plan keys, checks or bypasses the answer store accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// The reply depends on nothing but the store's key.
    Nothing,
    /// The reply depends on who asks: the store is bypassed.
    PerClient,
    /// Each reply is made anew: the store is bypassed.
    PerReply,
}

/// One directive of a server block at work.
pub trait Plugin: Any + Send + Sync + Debug {
    /// The directive's name.
    fn name(&self) -> &'static str;

    /// Answers, or hands on with `next.serve(query)`.
    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        next.serve(query)
    }

    /// What it does to storing.
    fn storing(&self) -> Storing {
        Storing::Nothing
    }

    /// Its say before the store on every query, if it has one.
    fn gate(&self) -> Option<&dyn Gate> {
        None
    }

    /// What it does ahead of memory, if it stands there.
    fn ahead(&self) -> Option<&dyn Ahead> {
        None
    }

    /// True if it looks at the EDNS options that clients send.
    fn reads_options(&self) -> bool {
        false
    }

    /// Its way to put a reply's records in order, if it does.
    fn arranger(&self) -> Option<&dyn Arranger> {
        None
    }

    /// The labels that it knows of a query, if any.
    fn labels(&self) -> Option<&dyn Labels> {
        None
    }

    /// Its look at every reply, if it takes one.
    fn observer(&self) -> Option<&dyn Observer> {
        None
    }

    /// Its way to tell scopes, if it gives any.
    fn scoper(&self) -> Option<&dyn Scoper> {
        None
    }

    /// Its look at queries from a thread beside, if it takes one.
    fn witness(&self) -> Option<&dyn Witness> {
        None
    }

    /// Its look at the messages to and from upstreams, which later plugins of its block show it.
    fn wiretap(self: Arc<Self>) -> Option<Arc<dyn Wiretap>> {
        None
    }

    /// Whom it tells the stories of misses, if it does.
    fn tracer(&self) -> Option<&dyn Tracer> {
        None
    }

    /// How those are doing that it asks.
    fn standings(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// The server blocks around it, once for each listener that it stands behind, before the first query. They do not live on
    /// by being held here ([`Blocks::handle`]).
    fn attach(&self, _blocks: Arc<dyn Blocks>) {}

    /// Work beside the queries (health checks, files re-read). Dropped when the server block goes.
    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async {})
    }

    /// True once it can answer (CoreDNS's `ready`).
    fn is_ready(&self) -> bool {
        true
    }
}

/// The rest of a chain.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    chain: &'a [Arc<dyn Plugin>],
    blocks: &'a dyn Blocks,
    inside: Option<&'a dyn Inside>,
}

/// What stands behind the plugins ahead of memory: gates, memory, and the rest of the chain.
pub trait Inside: Send + Sync {
    /// Answers a question that these plugins are done with.
    fn enter<'a>(&'a self, query: &'a Query) -> Boxed<'a, Served>;
}

impl<'a> Next<'a> {
    /// The whole chain of a block.
    pub fn new(chain: &'a [Arc<dyn Plugin>], blocks: &'a dyn Blocks) -> Self {
        Self { chain, blocks, inside: None }
    }

    /// The part of a chain that stands ahead of memory.
    pub fn ahead(chain: &'a [Arc<dyn Plugin>], blocks: &'a dyn Blocks, inside: &'a dyn Inside) -> Self {
        Self { chain, blocks, inside: Some(inside) }
    }

    /// Asks the next plugin. After the last one nobody answers for the name: SERVFAIL.
    pub fn serve(self, query: &'a Query) -> Boxed<'a, Served> {
        match self.chain.split_first() {
            Some((plugin, rest)) => plugin.serve(query, Next { chain: rest, ..self }),
            None if let Some(inside) = self.inside => inside.enter(query),
            None => Box::pin(async move { Err(Failure::EndOfChain { name: query.name.to_string() }) }),
        }
    }

    /// The next plugin's name; `None` at the end of the chain. For properties that hand on to their like (`next`).
    pub fn name(self) -> Option<&'static str> {
        self.chain.first().map(|plugin| plugin.name())
    }

    /// The server blocks, to enter them anew with another name.
    pub fn blocks(self) -> &'a dyn Blocks {
        self.blocks
    }
}

/// The server blocks of a listener: longest zone, gates, store, coalescing, chain.
pub trait Blocks: Send + Sync {
    /// Answers a question as if the client had asked it.
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served>;

    /// What memory says now to that question: true at this moment, and nobody is asked. `None` if memory does not say, or
    /// a gate does not let the client know.
    fn stored(&self, _query: &Query) -> Option<Served> {
        None
    }

    /// Asks the block of a name past the store and without sharing the question: what comes is what upstream says now, but for what
    /// plugins ahead of memory ask beside it.
    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        self.resolve(query)
    }

    /// What memory last knew of that question, however long ago: fresh, or past its end and still there. No failure. Leaves no
    /// mark and lets no gate speak: it is for the plugin's own judgement.
    fn remembered(&self, _query: &Query) -> Option<Remembered> {
        None
    }

    /// Asks the block of a name past the store and without sharing the question, and memorises what comes.
    fn renew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        self.resolve(query)
    }

    /// Removes what memory knows of these names if it was stored before that moment, and whatever else rests on them: answers
    /// with one of them in their chain, and AutoPath's for them. A name that begins with `*` stands for all names below. Looks at
    /// every memorised answer: not for a thread that others wait for.
    fn forget(&self, _names: &[Name], _before: Moment) {}

    /// Upstream answers again for names in these zones: memorised failures go, and so do answers that plugins made in its
    /// place; stale answers ask anew. Looks at every memorised answer.
    fn forgive(&self, _zones: &[Name]) {}

    /// True if both names enter the same server block.
    fn is_same_block(&self, _one: &Name, _other: &Name) -> bool {
        false
    }

    /// A way in for work that outlives the query. It does not keep the blocks alive: once they have gone, it fails. `None`
    /// if there is no such way.
    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        None
    }
}

/// A policy that is asked on every query, before the store, and for every candidate of AutoPath.
pub trait Gate: Send + Sync {
    /// `name` is in wire form and lower case. No lock, no allocation.
    fn verdict(&self, client: &Client, name: &[u8], rtype: RecordType) -> Verdict;
}

/// What a [`Gate`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// REFUSED with EDE 18 (Prohibited).
    Block,
    /// NOERROR without records, EDE 17 (Filtered).
    Filter,
    /// No reply at all.
    Drop,
}

/// Sees every reply of a server block, hits too. A block without observers pays nothing.
pub trait Observer: Send + Sync {
    /// Called after the reply is made.
    fn replied(&self, event: &Event<'_>);

    /// False if only failures are of interest: then hits are not shown.
    fn wants_all(&self) -> bool {
        true
    }
}

/// A reply as observers see it.
#[derive(Debug)]
pub struct Event<'e> {
    /// Who asked.
    pub client: Client,
    /// The query's id and flags.
    pub header: (u16, u16),
    /// QNAME in wire form, lower case.
    pub name: &'e [u8],
    /// QTYPE and QCLASS.
    pub question: (RecordType, crate::wire::Class),
    /// The client's EDNS.
    pub edns: Option<crate::wire::EdnsView>,
    /// Octets of the query.
    pub query_len: usize,
    /// The reply in wire form; empty if there was none (acl `drop`).
    pub reply: &'e [u8],
    /// The upstream that answered this very question, if one did.
    pub upstream: Option<SocketAddr>,
    /// What went wrong, if the reply tells of a failure.
    pub failure: Option<&'e Failure>,
    /// From arrival to now.
    pub took: Duration,
}

/// What a plugin is built with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counters, which outlive a reload.
    pub metrics: Arc<Metrics>,
    /// Search lists and their numbers.
    pub lists: Arc<SearchLists>,
    /// The zones of the server block, for metrics' labels: as written, with port (`dns://.:53`).
    pub server: String,
    /// A folder for what should be known after a restart; `None`: nothing is kept.
    pub state_dir: Option<PathBuf>,
    /// What is watched of the Kubernetes cluster.
    pub cluster: Arc<dyn Cluster>,
    /// What plugins keep over a reload.
    pub shelf: Arc<Shelf>,
    /// Who knows labels about queries in the block.
    pub labels: Arc<LabelBook>,
    /// Who looks at the messages to and from upstreams, an earlier plugin of the block.
    pub wiretap: Option<Arc<dyn Wiretap>>,
}

/// A directive as it was checked: everything known, nothing opened.
pub trait Spec: Send + Sync + Debug {
    /// The directive's name.
    fn name(&self) -> &'static str;

    /// One line in plain words, for `nearpath check`.
    fn describe(&self) -> String;

    /// Whom it asks, as far as that can be asked by plain DNS without it: the kernel sends questions there while there is no
    /// daemon.
    fn servers(&self) -> Vec<Server> {
        Vec::new()
    }

    /// Reads what it needs (files, certificates) and makes the plugin. No sockets for clients, no tasks.
    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError>;
}

/// Who is asked for what is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// A server, or the address of a Service with servers behind it.
    Address(SocketAddr),
    /// The ready endpoints of a Service.
    Service(ServicePort),
}

/// What is configured and cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// What the system or its parser said, and what to do.
        reason: String,
    },
    /// Something that is not there yet.
    #[error("{what}: {reason}")]
    Unavailable {
        /// What.
        what: String,
        /// Why, and what to do instead.
        reason: String,
    },
}

impl BuildError {
    /// An error about a file.
    pub fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.display().to_string(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests;
