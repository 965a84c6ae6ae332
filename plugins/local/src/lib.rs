//! The directive `local`: answers for names that mean this host or nothing at all, so that they never burden a server
//! elsewhere (RFC 6761 6.3, RFC 6303 4).
//!
//! ```text
//!   *.localhost., localhost.*              127.0.0.1 and ::1
//!   localhost., {0,127,255}.in-addr.arpa.  SOA, NS, the loopback addresses and their PTR; else NODATA or NXDOMAIN
//!   anything else                          the next plugin
//! ```

mod respond;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::metrics::Counter;
use contract::wire::Name;
use contract::{Boxed, Next, Plugin, Query, Reply, Served, Source, What};

pub use spec::{LocalSpec, check};

/// The directive's name.
const NAME: &str = "local";

/// The zones and names that are answered here.
#[derive(Debug)]
pub(crate) struct Local {
    /// `localhost.` and the three reverse zones.
    zones: [Name; 4],
    /// `1.0.0.127.in-addr.arpa.`
    loopback: Name,
    /// Whether `localhost.` in front of any domain means this host.
    localhost_prefix: bool,
    /// Queries for names around `localhost.`, itself not counted.
    localhost_queries: Arc<Counter>,
}

impl Local {
    pub(crate) fn new(localhost_prefix: bool, localhost_queries: Arc<Counter>) -> Self {
        let name = |text: &str| Name::parse(text).expect("a constant is a name");
        Self {
            zones: ["localhost", "0.in-addr.arpa", "127.in-addr.arpa", "255.in-addr.arpa"].map(name),
            loopback: name("1.0.0.127.in-addr.arpa"),
            localhost_prefix,
            localhost_queries,
        }
    }

    fn localhost(&self) -> &Name {
        &self.zones[0]
    }

    /// `x.localhost.`, or `localhost.x` where that is wanted.
    fn is_like_localhost(&self, name: &Name) -> bool {
        let is_prefixed = || self.localhost_prefix && name.labels().next() == Some(b"localhost");
        name != self.localhost() && (self.localhost().encloses(name) || is_prefixed())
    }
}

impl Plugin for Local {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        let answer = if self.is_like_localhost(&query.name) {
            self.localhost_queries.increment();
            let (name, rtype, client) = (&query.name, query.rtype, query.client.ip());
            tracing::debug!(%name, %rtype, %client, "a query around localhost");
            respond::like_localhost(query)
        } else if let Some(zone) = self.zones.iter().find(|zone| zone.encloses(&query.name)) {
            respond::in_zone(self, zone, query)
        } else {
            return next.serve(query);
        };
        query.tell(|| What::Plugin { name: NAME, text: "the name means this host, or nothing at all".into() });
        let answer = answer.expect("a question and one record fit into a message");
        Box::pin(std::future::ready(Ok(Reply::fresh(answer, Source::Plugin(NAME)))))
    }
}
