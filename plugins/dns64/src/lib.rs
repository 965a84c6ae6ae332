//! The directive `dns64`: who has no IPv6 address gets one made of the IPv4 one, for clients behind NAT64 (RFC 6147).
//!
//! ```text
//!   AAAA from an IPv6 client --> next --> NXDOMAIN, or has AAAA? --yes--> as it is
//!                                                 | no
//!                                                 v
//!                                           A --> next --> each A becomes AAAA: prefix and address (RFC 6052 2.2)
//! ```
//!
//! It stands ahead of memory, so both questions are memorised as they were answered, for clients of either family.

mod prefix;
mod spec;
mod synthesis;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::metrics::Counter;
use contract::wire::{Class, Rcode, RecordType, Section};
use contract::{Ahead, Answer, Boxed, Client, Next, Plugin, Query, Reply, Served, What};

pub use prefix::Prefix;
pub use spec::{Dns64Spec, check};

/// The directive's name.
const NAME: &str = "dns64";

/// Makes AAAA of A.
#[derive(Debug)]
pub(crate) struct Dns64 {
    prefix: Prefix,
    /// Also where there is AAAA.
    translate_all: bool,
    /// Also for clients that ask over IPv4.
    allow_ipv4: bool,
    translated: Arc<Counter>,
}

impl Plugin for Dns64 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        if !self.always(&query.client, query.rtype) || query.class != Class::IN {
            return next.serve(query);
        }
        Box::pin(async move {
            let asked = next.serve(query).await?;
            if self.is_enough(&asked.answer) {
                return Ok(asked);
            }
            let question = Query { rtype: RecordType::A, ..query.clone() };
            let found = next.serve(&question).await?;
            let reply = self.synthesise(query, &asked.settled(), &found.settled());
            self.translated.increment();
            query.tell(|| What::Plugin { name: NAME, text: "AAAA made of A (RFC 6147)".into() });
            Ok(reply)
        })
    }

    fn ahead(&self) -> Option<&dyn Ahead> {
        Some(self)
    }
}

impl Dns64 {
    /// True if nothing is to be made: the name does not exist, or has IPv6 addresses. Any other failure that an upstream
    /// told is like having none (RFC 6147 5.1.2, 5.1.3).
    fn is_enough(&self, answer: &Answer) -> bool {
        let message = answer.message();
        let mut records = message.section(Section::Answer).peekable();
        if answer.rcode() == Rcode::NXDOMAIN && records.peek().is_none() {
            return true;
        }
        !self.translate_all && records.any(|record| record.rtype == RecordType::AAAA)
    }

    /// The reply that is made of both settled ones: stale if one of them is.
    fn synthesise(&self, query: &Query, asked: &Reply, found: &Reply) -> Reply {
        let answer = synthesis::answer(query, &asked.answer, &found.answer, self.prefix);
        let lifetime = [asked.true_for(), found.true_for()].into_iter().flatten().min();
        let reply = Reply {
            answer: Arc::new(answer),
            lifetime,
            storable: asked.storable && found.storable,
            personal: !self.allow_ipv4 || asked.personal || found.personal,
            ede: found.ede.clone().or_else(|| asked.ede.clone().filter(|_| asked.is_stale())),
            ..found.clone()
        };
        reply.as_old_as(asked.age).as_old_as(found.age)
    }
}

impl Ahead for Dns64 {
    fn always(&self, client: &Client, rtype: RecordType) -> bool {
        rtype == RecordType::AAAA && (self.allow_ipv4 || client.ip().is_ipv6())
    }

    fn is_personal(&self) -> bool {
        !self.allow_ipv4
    }

    /// Nothing beyond [`Ahead::always`]: whoever else asks gets what is memorised, as it was answered.
    fn touches(&self, _name: &[u8], _rtype: RecordType, _class: Class) -> bool {
        false
    }
}
