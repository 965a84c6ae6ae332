//! What can go wrong on the way to an answer, whose fault it is, and what the client is told.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::{Ede, Rcode, ede};

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
    },
    /// Each upstream was asked, and none answered.
    #[error("none of the {count} upstreams of {zone} answered, the last one: {last}")]
    NoneAnswered {
        /// What they were asked for.
        zone: String,
        /// How many there are.
        count: usize,
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
    /// A failure of upstream that is still memorised (RFC 9520).
    #[error("{text}")]
    Memorised {
        /// What it said.
        text: Cow<'static, str>,
    },
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
            Self::NoBlock { .. } | Self::EndOfChain { .. } | Self::Prohibited => Fault::Client,
            Self::Bound { .. } | Self::NotReady { .. } | Self::Panicked | Self::TooLate { .. } => Fault::Us,
        }
    }

    /// True if the same question may well succeed in a moment.
    pub fn is_transient(&self) -> bool {
        !matches!(self.fault(), Fault::Client)
    }

    /// The RCODE and Extended DNS Error that the client is told (RFC 8914). The only place where that is decided.
    pub fn told(&self) -> (Rcode, Ede) {
        let (rcode, code) = match self {
            Self::Timeout { .. } | Self::AllDown { .. } | Self::NoneAnswered { .. } | Self::TooLate { .. } => {
                (Rcode::SERVFAIL, ede::NO_REACHABLE_AUTHORITY)
            }
            Self::CnameLoop { .. } | Self::CnameTooLong { .. } => (Rcode::SERVFAIL, ede::OTHER),
            Self::Unreachable { .. } => (Rcode::SERVFAIL, ede::NETWORK_ERROR),
            Self::BrokenReply { .. } => (Rcode::SERVFAIL, ede::INVALID_DATA),
            Self::Bound { bound: Bound::MaxConcurrent } => (Rcode::REFUSED, ede::OTHER), // as CoreDNS's `max_concurrent`
            Self::Bound { .. } | Self::Panicked => (Rcode::SERVFAIL, ede::OTHER),
            Self::NotReady { .. } => (Rcode::SERVFAIL, ede::NOT_READY),
            Self::Memorised { .. } => (Rcode::SERVFAIL, ede::CACHED_ERROR),
            Self::NoBlock { .. } => (Rcode::REFUSED, ede::NOT_AUTHORITATIVE),
            Self::EndOfChain { .. } => (Rcode::SERVFAIL, ede::NOT_AUTHORITATIVE), // as CoreDNS
            Self::Prohibited => (Rcode::REFUSED, ede::PROHIBITED),
        };
        (rcode, Ede::new(code, self.to_string()))
    }
}
