//! The directive `minimal`: a positive answer goes out without authority and additional records, which few clients
//! read. Referrals and negative answers need theirs and stay whole.

mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::wire::{Composer, Flags, Full, Message, Rcode, RecordType, Section};
use contract::{Answer, Boxed, Next, Plugin, Query, Reply, Served, What};

pub use spec::{MinimalSpec, check};

/// The directive's name.
const NAME: &str = "minimal";

/// Changes what the rest of the chain returns.
#[derive(Debug)]
pub(crate) struct Minimal;

impl Plugin for Minimal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move {
            let reply = next.serve(query).await?;
            let size = reply.answer.size();
            let less = minimized(reply);
            if less.answer.size() < size {
                query.tell(|| What::Plugin { name: NAME, text: "left out what stands behind the answers".into() });
            }
            Ok(less)
        })
    }
}

/// The same reply with the answer section alone, if that is all a client needs of it.
fn minimized(reply: Reply) -> Reply {
    let message = reply.answer.message();
    let has_more = message.records().flatten().any(|record| record.section != Section::Answer);
    if !has_more || reply.answer.rcode() != Rcode::NOERROR || is_referral_or_nodata(&message) {
        return reply;
    }
    let Ok(Some(answer)) = answers_only(&reply.answer) else { return reply };
    // a CNAME that leads to no data loses the SOA that said how long so
    let lifetime = if answer.true_for().is_none() { reply.true_for() } else { reply.lifetime };
    Reply { answer: Arc::new(answer), lifetime, ..reply }
}

/// No answers, but an authority section that says why: a SOA (RFC 2308 2.2), or name servers to ask instead.
fn is_referral_or_nodata(message: &Message<'_>) -> bool {
    let is_empty = message.section(Section::Answer).next().is_none();
    is_empty
        && message.section(Section::Authority).any(|record| matches!(record.rtype, RecordType::SOA | RecordType::NS))
}

/// A copy of header, question and answers; `None` if a record's names cannot be read.
fn answers_only(answer: &Answer) -> Result<Option<Answer>, Full> {
    let message = answer.message();
    let Some(name) = message.question_name() else { return Ok(None) };
    let mut composer = Composer::new(&name, message.question_type(), message.question_class());
    composer.rcode(answer.rcode()).flags(message.flags() & (Flags::AA | Flags::TC | Flags::AD));
    for record in message.section(Section::Answer) {
        if !composer.copy(&message, &record, record.ttl)? {
            return Ok(None);
        }
    }
    let copy = Answer::composed(composer.finish(), answer.rcode());
    Ok(Some(match answer.ede() {
        Some(ede) => copy.with_ede(ede.clone()),
        None => copy,
    }))
}
