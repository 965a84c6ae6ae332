//! What can go wrong on the way to an answer, whose fault it is, and what the client is told.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::limits;
use crate::told::{self, Telling};
use crate::wire::{Ede, Rcode};

/// A question that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The upstream said nothing in time.
    #[error("{upstream} did not answer within {} ms", waited.as_millis())]
    Timeout {
        /// Who.
        upstream: SocketAddr,
        /// How long was waited.
        waited: Duration,
    },
    /// The upstream could not be reached.
    #[error("{upstream} cannot be reached: {reason}")]
    Unreachable {
        /// Who.
        upstream: SocketAddr,
        /// What the system said.
        reason: Cow<'static, str>,
    },
    /// The upstream's answer cannot be used.
    #[error("{upstream} sent a broken reply: {reason}")]
    BrokenReply {
        /// Who.
        upstream: SocketAddr,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// Every upstream is marked down by its health checks.
    #[error("all {count} upstreams are down")]
    AllDown {
        /// How many there are.
        count: usize,
        /// Who has been down longest, as far as that is known.
        longest: Option<Down>,
    },
    /// Each upstream was asked, and none answered.
    #[error("none of the {count} upstreams of {zone} answered, the last one: {last}")]
    NoneAnswered {
        /// What they were asked for.
        zone: String,
        /// How many there are.
        count: usize,
        /// Who of them has been down longest, if anybody is.
        longest: Option<Down>,
        /// What became of the last attempt.
        last: Box<str>,
    },
    /// A chain of CNAMEs comes back to one of its names.
    #[error("the CNAMEs lead back to {at}")]
    CnameLoop {
        /// Where it closes.
        at: String,
    },
    /// A chain of CNAMEs has more links than are followed.
    #[error("more than {most} CNAMEs in a row")]
    CnameTooLong {
        /// How many are followed.
        most: usize,
    },
    /// A bound of ours is reached.
    #[error("{bound} reached")]
    Bound {
        /// Which.
        bound: Bound,
        /// Its number, where it has one.
        most: Option<u64>,
        /// Whose it is, if it is an upstream's.
        upstream: Option<SocketAddr>,
    },
    /// The answer was not there in time for the client.
    #[error("no answer within {} ms", waited.as_millis())]
    TooLate {
        /// How long was waited.
        waited: Duration,
    },
    /// No server block or plugin answers for the name.
    #[error("no server block answers for {name}")]
    NoBlock {
        /// The name asked for.
        name: String,
    },
    /// The server block's plugins all handed the question on.
    #[error(
        "no plugin of the server block answers for {name}: its last one, such as `forward`, is missing or does not cover it"
    )]
    EndOfChain {
        /// The name asked for.
        name: String,
    },
    /// An access list forbids it.
    #[error("refused by acl")]
    Prohibited,
    /// The index of pods that the directive needs is not there.
    #[error("{what} is not ready")]
    NotReady {
        /// What.
        what: &'static str,
    },
    /// A plugin panicked; the query is lost, the daemon goes on.
    #[error("internal error in this query")]
    Panicked,
    /// Nobody is to hear anything: `drop` of acl past a rewritten question, or `erratic`.
    #[error("dropped without a reply, as configured")]
    Silent,
    /// A failure of upstream that is still memorised (RFC 9520).
    #[error("{text}")]
    Memorised {
        /// What it said.
        text: Cow<'static, str>,
        /// True if somebody replied with SERVFAIL; false if nobody replied with anything of use.
        replied: bool,
    },
}

/// An upstream that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down {
    /// Who.
    pub upstream: SocketAddr,
    /// For how long.
    pub since: Duration,
}

/// A bound of ours, see [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // named after the limits
pub enum Bound {
    Misses,
    MissesPerClient,
    Reentries,
    MaxConcurrent,
    UpstreamPipeline,
    UpstreamRate,
    MessageSize,
    Memory,
}

impl Bound {
    /// All bounds, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Misses,
        Self::MissesPerClient,
        Self::Reentries,
        Self::MaxConcurrent,
        Self::UpstreamPipeline,
        Self::UpstreamRate,
        Self::MessageSize,
        Self::Memory,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Misses => "misses",
            Self::MissesPerClient => "misses_per_client",
            Self::Reentries => "reentries",
            Self::MaxConcurrent => "max_concurrent",
            Self::UpstreamPipeline => "upstream_pipeline",
            Self::UpstreamRate => "upstream_rate",
            Self::MessageSize => "message_size",
            Self::Memory => "memory",
        }
    }

    /// It is reached: one of those whose number is fixed.
    pub fn reached(self) -> Failure {
        Failure::Bound { bound: self, most: self.fixed(), upstream: None }
    }

    /// It is reached at this number, which somebody configured or has for a bound of his own.
    pub fn reached_at(self, most: usize, upstream: Option<SocketAddr>) -> Failure {
        Failure::Bound { bound: self, most: u64::try_from(most).ok(), upstream }
    }

    /// Its number, if that is the same for everybody.
    fn fixed(self) -> Option<u64> {
        let most = match self {
            Self::Misses => limits::MISSES_MAX,
            Self::MissesPerClient => limits::MISSES_PER_CLIENT_MAX,
            Self::Reentries => limits::REENTRIES_MAX.into(),
            Self::MessageSize => limits::MESSAGE_MAX,
            Self::Memory => limits::MISSES_UNDER_PRESSURE_MAX,
            Self::MaxConcurrent | Self::UpstreamPipeline | Self::UpstreamRate => return None,
        };
        u64::try_from(most).ok()
    }

    fn telling(self) -> &'static Telling {
        match self {
            Self::Misses => &told::BOUND_MISSES,
            Self::MissesPerClient => &told::BOUND_MISSES_PER_CLIENT,
            Self::Reentries => &told::BOUND_REENTRIES,
            Self::MaxConcurrent => &told::BOUND_MAX_CONCURRENT,
            Self::UpstreamPipeline => &told::BOUND_UPSTREAM_PIPELINE,
            Self::UpstreamRate => &told::BOUND_UPSTREAM_RATE,
            Self::MessageSize => &told::BOUND_MESSAGE_SIZE,
            Self::Memory => &told::BOUND_MEMORY,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Misses => "the bound of outstanding questions is",
            Self::MissesPerClient => "this client's bound of outstanding questions is",
            Self::Reentries => "the bound of re-entries into the server blocks is",
            Self::MaxConcurrent => "max_concurrent is",
            Self::UpstreamPipeline => "the bound of outstanding questions to the upstream is",
            Self::UpstreamRate => "the bound of questions per second to the upstreams (max_qps) is",
            Self::MessageSize => "the bound of a message's size is",
            Self::Memory => "the bound of memory is",
        })
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // said by the words
pub enum Fault {
    Client,
    Upstream,
    Us,
}

impl Failure {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::BrokenReply { .. }
            | Self::AllDown { .. }
            | Self::NoneAnswered { .. }
            | Self::CnameLoop { .. }
            | Self::CnameTooLong { .. }
            | Self::Memorised { .. } => Fault::Upstream,
            Self::NoBlock { .. } | Self::EndOfChain { .. } | Self::Prohibited | Self::Silent => Fault::Client,
            Self::Bound { .. } | Self::NotReady { .. } | Self::Panicked | Self::TooLate { .. } => Fault::Us,
        }
    }

    /// True if the same question may well succeed in a moment.
    pub fn is_transient(&self) -> bool {
        !matches!(self.fault(), Fault::Client)
    }

    /// The RCODE and Extended DNS Error that the client is told (RFC 8914): what happened, and what to do. The only place where
    /// that is decided.
    pub fn told(&self) -> (Rcode, Ede) {
        let telling = self.telling();
        let rcode = telling.rcode.expect("each failure has an RCODE");
        (rcode, telling.with(&self.facts()))
    }

    /// Its row of the table. No other arm takes what is new: it would get no row.
    fn telling(&self) -> &'static Telling {
        match self {
            Self::Timeout { .. } => &told::TIMEOUT,
            Self::Unreachable { .. } => &told::UNREACHABLE,
            Self::BrokenReply { .. } => &told::BROKEN_REPLY,
            Self::AllDown { .. } => &told::ALL_DOWN,
            Self::NoneAnswered { .. } => &told::NONE_ANSWERED,
            Self::CnameLoop { .. } => &told::CNAME_LOOP,
            Self::CnameTooLong { .. } => &told::CNAME_TOO_LONG,
            Self::Bound { bound, .. } => bound.telling(),
            Self::TooLate { .. } => &told::TOO_LATE,
            Self::NoBlock { .. } => &told::NO_BLOCK,
            Self::EndOfChain { .. } => &told::END_OF_CHAIN,
            Self::Prohibited | Self::Silent => &told::PROHIBITED,
            Self::NotReady { .. } => &told::NOT_READY,
            Self::Panicked => &told::PANICKED,
            Self::Memorised { .. } => &told::CACHED_ERROR,
        }
    }

    /// What stands in the place of the words in braces.
    fn facts(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let text = |value: &dyn fmt::Display| Cow::Owned(value.to_string());
        let longest = |longest: &Option<Down>| {
            longest.as_ref().map_or(Cow::Borrowed(""), |Down { upstream, since }| {
                format!(", {upstream} for {} s", since.as_secs()).into()
            })
        };
        match self {
            Self::Timeout { upstream, waited } => {
                vec![("upstream", text(upstream)), ("waited", text(&waited.as_millis()))]
            }
            Self::Unreachable { upstream, reason } | Self::BrokenReply { upstream, reason } => {
                vec![("upstream", text(upstream)), ("reason", Cow::Borrowed(reason))]
            }
            Self::AllDown { count, longest: who } => vec![("count", text(count)), ("longest", longest(who))],
            Self::NoneAnswered { zone, count, longest: who, last } => vec![
                ("zone", Cow::Borrowed(zone)),
                ("count", text(count)),
                ("longest", longest(who)),
                ("last", Cow::Borrowed(last)),
            ],
            Self::CnameLoop { at } => vec![("at", Cow::Borrowed(at))],
            Self::CnameTooLong { most } => vec![("most", text(most))],
            Self::Bound { most, upstream, .. } => vec![
                ("most", most.map_or(Cow::Borrowed("all"), |most| text(&most))),
                ("upstream", upstream.as_ref().map_or(Cow::Borrowed("the upstream"), |upstream| text(upstream))),
            ],
            Self::TooLate { waited } => vec![("waited", text(&waited.as_millis()))],
            Self::NoBlock { name } | Self::EndOfChain { name } => vec![("name", Cow::Borrowed(name))],
            Self::NotReady { what } => vec![("what", Cow::Borrowed(what))],
            Self::Memorised { text, .. } => vec![("text", Cow::Borrowed(text))],
            Self::Prohibited | Self::Silent | Self::Panicked => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
