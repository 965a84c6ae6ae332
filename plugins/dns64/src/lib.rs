//! The directive `dns64`: who has no IPv6 address gets one made of the IPv4 one, for clients behind NAT64 (RFC 6147).
//!
//! ```text
//!   AAAA from an IPv6 client --> next --> NXDOMAIN, or has AAAA? --yes--> as it is
//!                                                 | no, or nobody tells
//!                                                 v
//!                                           A --> the server blocks --> each A becomes AAAA: prefix and address (RFC 6052 2.2)
//! ```
//!
//! It stands ahead of memory, so both questions are memorised as they were answered, for clients of either family. The one for A
//! may belong to another block (`view`).

mod prefix;
mod spec;
mod synthesis;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::limits::{EXCHANGE_WITHIN, SERVFAIL_MAX};
use contract::metrics::Counter;
use contract::wire::{Class, Rcode, RecordType, Section};
use contract::{Age, Ahead, Answer, Boxed, Client, Failure, Fault, Next, Plugin, Query, Reply, Served, What};
use tokio::time::{Instant, timeout};

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
            let begun = Instant::now();
            let (asked, failure) = match next.serve(query).await {
                Ok(asked) if self.is_enough(&asked.answer) => return Ok(asked),
                Ok(asked) => (Some(asked.settled()), None),
                Err(failure) if is_like_none(&failure) => (None, Some(failure)),
                Err(failure) => return Err(failure),
            };
            let asking = next.blocks().resolve(question(query));
            let found = match &failure {
                None => asking.await?,
                // whoever has waited in vain may have no time left but for what memory knows
                Some(failure) => {
                    let left = EXCHANGE_WITHIN.saturating_sub(begun.elapsed());
                    timeout(left, asking).await.unwrap_or_else(|_| Err(failure.clone()))?
                }
            };
            if let Some(failure) = failure.filter(|failure| !was_told(failure) && !has_address(&found)) {
                return Err(failure); // that nobody replied to AAAA is no proof that there is none
            }
            let reply = self.synthesise(query, asked.as_ref(), &found.settled());
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

    /// The reply that is made of both settled ones: stale if one of them is. Without one to AAAA nobody told whether there is any.
    fn synthesise(&self, query: &Query, asked: Option<&Reply>, found: &Reply) -> Reply {
        let answer = synthesis::answer(query, asked.map(|asked| &*asked.answer), &found.answer, self.prefix);
        let told = asked.filter(|asked| matches!(asked.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN));
        // whoever asks next may be told that there are
        let unclear_for = if told.is_some() { None } else { Some(SERVFAIL_MAX) };
        let lifetime = [asked.and_then(Reply::true_for), unclear_for, found.true_for()].into_iter().flatten().min();
        let stale = asked.filter(|asked| asked.is_stale());
        let reply = Reply {
            answer: Arc::new(answer),
            lifetime,
            storable: found.storable && asked.is_none_or(|asked| asked.storable),
            personal: !self.allow_ipv4 || found.personal || asked.is_some_and(|asked| asked.personal),
            ede: found.ede.clone().or_else(|| stale?.ede.clone()),
            ..found.clone()
        };
        let age = stale.map_or(Age::Fresh(0), |asked| asked.age);
        reply.as_old_as(age).as_old_as(found.age)
    }
}

/// True if the failure is like a SERVFAIL of upstream, and that like having no AAAA: nobody answers for the type (RFC 6147 5.1.2,
/// 5.1.3).
fn is_like_none(failure: &Failure) -> bool {
    failure.fault() == Fault::Upstream
}

/// True if somebody said SERVFAIL, which is then like a reply without records.
fn was_told(failure: &Failure) -> bool {
    matches!(failure, Failure::Memorised { replied: true, .. })
}

/// True if the reply to A has an address, or may have one that did not fit.
fn has_address(found: &Reply) -> bool {
    let mut records = found.answer.message().section(Section::Answer);
    found.answer.is_truncated() || records.any(|record| record.rtype == RecordType::A)
}

/// The same client's question for A. It enters the server blocks as if it had been asked: the name may belong to another block
/// for this type. What led to the name stays, so that CNAMEs that go round are found.
fn question(query: &Query) -> Query {
    Query { chased: query.chased.clone(), ..query.candidate(query.name.clone(), RecordType::A) }
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
