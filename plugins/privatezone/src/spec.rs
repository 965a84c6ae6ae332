//! The statement `privatezone`, read into a validated specification. No I/O.

use std::net::SocketAddr;
use std::time::Duration;

use contract::Wanted;
use contract::corefile::{Report, Statement};
use contract::wire::Name;
use upstream::rustls::pki_types::ServerName;
use upstream::{Rate, TlsFiles};

/// All `privatezone` of a server block: one step of its chain.
#[derive(Clone, Debug)]
pub struct PrivateZoneSpec {
    pub(crate) sections: Vec<SectionSpec>,
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) struct SectionSpec {
    /// What it answers for, at least one.
    pub(crate) zones: Vec<Name>,
    /// Whom it asks, at least one, each address once.
    pub(crate) upstreams: Vec<UpstreamSpec>,
    pub(crate) tls: Option<TlsFiles>,
    /// TTLs of answers with records, seconds; `ttl_max` wins.
    pub(crate) ttl_min: u32,
    pub(crate) ttl_max: u32,
    /// Denials are told and memorised no longer than this, seconds.
    pub(crate) negative_ttl_max: u32,
    /// How long a name that has vanished keeps its last answer; zero: not at all.
    pub(crate) vanish_grace: Duration,
    /// What does not exist of these zones is asked for elsewhere.
    pub(crate) fallthrough: Vec<Name>,
    pub(crate) watch: Option<WatchSpec>,
}

/// One address, and what holds for it.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSpec {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    /// What its certificate must be for; `None`: its address.
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) rate: Option<Rate>,
    pub(crate) outstanding_max: Option<usize>,
    /// Whose NS its health checks ask for.
    pub(crate) check_name: Name,
}

/// How an upstream is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over UDP, over TCP what does not fit.
    #[default]
    Udp,
    Tcp,
    Tls,
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchSpec {
    pub(crate) wanted: Wanted,
    /// Names that nobody can be asked for are answered from it.
    pub(crate) answers: bool,
}

impl PrivateZoneSpec {
    /// Together with the next statement of the same block.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.sections.extend(next.sections);
        self
    }
}

/// Reads a statement. `zones` are those of its server block.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<PrivateZoneSpec> {
    report.error(statement.name.span, "not read yet");
    None
}
