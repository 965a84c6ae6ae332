//! Who looks on while queries are answered: what is shown to them, and when.
//!
//! ```text
//!   hit  --(one of so many, by a ring per thread)--> Sighting --> Witness::seen      on a thread beside
//!   miss --(each, by a bounded queue)--------------> Sighting --'
//!   miss --Story--> Tracer::told            upstream's messages --> Wiretap::forwarded
//! ```
//!
//! Nobody who looks on slows who answers: what they have no time for is counted and not shown.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::failure::Failure;
use crate::plugin::Served;
use crate::query::{Client, Query};
use crate::story::Story;
use crate::wire::{Class, Rcode, RecordType};

/// By which way a reply came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // said by the words
pub enum Way {
    Hit,
    Denial,
    Stale,
    Miss,
    Failed,
    Gated,
    /// Class CHAOS, or no server block.
    Local,
}

impl Way {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Denial, Self::Stale, Self::Miss, Self::Failed, Self::Gated, Self::Local];

    /// As it is written for people and programs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Denial => "denial",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Failed => "failed",
            Self::Gated => "gated",
            Self::Local => "local",
        }
    }
}

/// A query and its reply, as somebody saw it who looks on.
#[derive(Clone, Debug)]
pub struct Sighting<'s> {
    /// When the reply was made.
    pub at: SystemTime,
    /// From arrival to reply; zero for a reply made at once.
    pub took: Duration,
    /// Who asked.
    pub client: Client,
    /// QNAME in wire form, lower case.
    pub name: &'s [u8],
    /// QTYPE and QCLASS.
    pub question: (RecordType, Class),
    /// What the reply said.
    pub rcode: Rcode,
    /// How it came about.
    pub way: Way,
    /// The query as it came, where some witness of the block wants messages; else empty.
    pub query: &'s [u8],
    /// The reply as it went, under the same condition.
    pub reply: &'s [u8],
    /// For how many queries it stands, itself included: the others of its kind were not shown.
    pub weight: u32,
}

/// Is shown queries of its server block, on a thread beside those that answer. All of them while there is time for that, then a
/// share.
pub trait Witness: Send + Sync {
    /// One query and its reply.
    fn seen(&self, sighting: &Sighting<'_>);

    /// True if it wants the messages too.
    fn wants_messages(&self) -> bool {
        false
    }
}

/// Sees what goes to upstreams and comes back, as it is on the wire. Called on the miss path: it must not wait.
pub trait Wiretap: Send + Sync + Debug {
    /// A question was sent, or an answer came.
    fn forwarded(&self, message: &Forwarded<'_>);
}

/// A message between us and an upstream.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'m> {
    /// Who.
    pub upstream: SocketAddr,
    /// Over what: `udp`, `tcp`, `tls`.
    pub protocol: &'static str,
    /// On whose behalf.
    pub client: Client,
    /// The message without TCP's length.
    pub message: &'m [u8],
    /// `None`: a question. Else an answer, and how long it took.
    pub answered_after: Option<Duration>,
}

/// Is told the stories of misses that it chose.
pub trait Tracer: Send + Sync {
    /// True if it wants the story of the next miss: asked once for each.
    fn wants(&self) -> bool;

    /// A story with its end.
    fn told(&self, query: &Query, story: &Story, served: &Served, rcode: Rcode);
}

/// How somebody who is asked is doing, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub address: SocketAddr,
    /// Over what: `udp`, `tcp`, `tls`.
    pub protocol: &'static str,
    /// Which directive asks.
    pub plugin: &'static str,
    /// For which zones.
    pub zones: String,
    /// False if its health checks fail.
    pub is_up: bool,
    /// For how long it has been up or down, if that has changed since the start.
    pub since: Option<Duration>,
    /// What it usually takes to answer; `None`: it was not asked yet.
    pub round_trip: Option<Duration>,
    /// Questions to it under way.
    pub outstanding: usize,
    /// Why it was last without an answer.
    pub last_failure: Option<Failure>,
}
