//! How an upstream is asked, and what holds for every upstream of a directive.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::limits;
use contract::wire::Name;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// How an upstream is asked.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// Over UDP; a truncated reply leads to TCP.
    Udp,
    /// Over TCP.
    Tcp,
    /// As the client asked: over UDP if the client did, else over TCP.
    AsAsked,
    /// Over TLS (RFC 7858).
    Tls {
        /// The name or address that the certificate must be for.
        server_name: ServerName<'static>,
        /// Whom to trust, and who we are.
        config: Arc<ClientConfig>,
    },
}

/// What holds for every upstream of a directive.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directive, as metrics name it (`proxy_name`).
    pub directive: &'static str,
    /// An idle connection is closed after this.
    pub expire: Duration,
    /// A connection that is older gets no more questions; `None`: however old.
    pub max_age: Option<Duration>,
    /// Idle connections that are kept; `None`: all.
    pub max_idle: Option<usize>,
    /// Connections at once, at most.
    pub connections_max: usize,
    /// Connections at once, at most, while each is held up by a slow question.
    pub held_up_max: usize,
    /// The address that questions come from; `None`: the system chooses.
    pub source: Option<IpAddr>,
    /// An attempt without a reply for this long counts as failed: a group begins the next one, and goes on listening to
    /// this one.
    pub attempt_within: Duration,
    /// How many messages it may be sent; `None`: as many as there are.
    pub rate: Option<Rate>,
    /// Questions outstanding with its address, at most, for all upstreams there with the same figure; `None`: as many as its connections and sockets may have.
    pub outstanding_max: Option<usize>,
    /// Whose NS records its health checks ask for; `None`: as the group says.
    pub check_name: Option<Name>,
}

/// How many messages an upstream may be sent: at most `burst` at once, and on average `per_second`. The bound is the
/// address's: all upstreams at one address with the same figures share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Messages per second; at least 1.
    pub per_second: u32,
    /// At once after a pause; at least 1.
    pub burst: u32,
}

impl Settings {
    /// The defaults, for a directive of this name.
    pub fn of(directive: &'static str) -> Self {
        Self {
            directive,
            expire: Duration::from_secs(10),
            max_age: None,
            max_idle: None,
            connections_max: limits::UPSTREAM_CONNECTIONS_MAX,
            held_up_max: limits::UPSTREAM_HELD_UP_MAX,
            source: None,
            attempt_within: limits::ATTEMPT_WITHIN,
            rate: None,
            outstanding_max: None,
            check_name: None,
        }
    }
}
