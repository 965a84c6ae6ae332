//! What is made of a denial: told and memorised briefly, or not at all for a name that was there a moment ago.

use std::sync::Arc;
use std::time::Duration;

use contract::told;
use contract::wire::{Composer, Rcode, RecordType, Section as Part};
use contract::{Answer, Blocks, Query, Remembered, Reply, Source};

use crate::section::{Section, step};

/// While a name is missing its last answer is told for so long at once, seconds: so soon its return, or its end, is seen.
const VANISHED_TTL: u32 = 1;
/// A denial without an SOA is memorised for this long at most.
const BARE_DENIAL_FOR: Duration = Duration::from_secs(5);

impl Section {
    /// The last answer of a name that has just vanished, unless that was meant. For the other type of address, of which the name
    /// had none, it is that it has none: a resolver that asks for both must not hear that there is no such name.
    pub(crate) fn last(&self, query: &Query, denial: &Reply, blocks: &dyn Blocks) -> Option<Reply> {
        let known = blocks.remembered(query).filter(|known| self.is_of_zone(query, known));
        let positive = |known: &Remembered| !known.reply.answer.is_negative();
        let sibling = || {
            let other = match query.rtype {
                RecordType::A => RecordType::AAAA,
                RecordType::AAAA => RecordType::A,
                _ => return None,
            };
            let query = Query { rtype: other, ..query.clone() };
            let known = blocks.remembered(&query).filter(|known| self.is_of_zone(&query, known) && positive(known))?;
            Some((query, known))
        };
        let asked = query;
        let (query, known, is_sibling) = match known {
            Some(known) if positive(&known) => (query.clone(), known, false),
            _ if denial.answer.rcode() == Rcode::NXDOMAIN => sibling().map(|(query, known)| (query, known, true))?,
            _ => return None,
        };
        if self.follow.as_ref().is_some_and(|follow| follow.was_meant(&query, &known.reply.answer)) {
            asked.tell(|| step("denied, and was there: an object says that this is meant".to_owned()));
            return None;
        }
        let left = self.vanished.stands(&query.name, query.rtype, known.past_end, self.clock.as_ref())?;
        self.counters.vanished.increment();
        let stands = || format!("denied, and was there: its last answer stands for up to {} ms", left.as_millis());
        asked.tell(|| step(stands()));
        let told = told::VANISHED.with(&[("name", query.name.to_string())]);
        let answer = match is_sibling {
            false => Answer::clone(&known.reply.answer),
            true => without_records(&denial.answer),
        };
        let answer = answer.with_ttls(|_| VANISHED_TTL).with_ede(told);
        let lifetime = left.min(Duration::from_secs(VANISHED_TTL.into()));
        Some(Reply { lifetime: Some(lifetime), ..Reply::fresh(answer, denial.source) })
    }

    /// Whether what is known is an answer of this zone.
    fn is_of_zone(&self, query: &Query, known: &Remembered) -> bool {
        known.reply.answer.rcode() == Rcode::NOERROR && !self.may_be_foreign(query, &known.reply)
    }

    /// Whether what is known may be of those to whom the question is handed on.
    fn may_be_foreign(&self, query: &Query, known: &Reply) -> bool {
        let is_own = match known.source {
            Source::Upstream(address) => self.group.upstreams().iter().any(|upstream| upstream.address() == address),
            Source::Store | Source::Plugin(_) => false,
        };
        !is_own && self.fallthrough.iter().any(|zone| zone.encloses(&query.name))
    }

    /// A denial, told and memorised no longer than may be. Without an SOA only one that says nothing is memorised at all, and
    /// briefly (`cache` does so by itself).
    pub(crate) fn denied(&self, reply: Reply) -> Reply {
        let most = self.negative_ttl_max;
        let answer = Answer::clone(&reply.answer).with_ttls(|ttl| ttl.min(most));
        let cap = Duration::from_secs(most.into());
        let cap = reply.lifetime.map_or(cap, |known| known.min(cap));
        let lifetime = match (answer.negative_ttl(), answer.rcode()) {
            (Some(_), _) => Some(cap),
            (None, Rcode::NOERROR) => Some(cap.min(BARE_DENIAL_FOR)),
            (None, _) => reply.lifetime,
        };
        Reply { answer: Arc::new(answer), lifetime, ..reply }
    }
}

/// NOERROR without records in place of a denial of the name, with the same SOA.
fn without_records(denial: &Answer) -> Answer {
    let message = denial.message();
    let (name, rtype) = (message.question_name().expect("an answer has its question"), message.question_type());
    let mut composer = Composer::new(&name, rtype, message.question_class());
    for record in message.section(Part::Authority).filter(|record| record.rtype == RecordType::SOA) {
        composer.copy(&message, &record, record.ttl).expect("one SOA fits");
    }
    Answer::composed(composer.finish(), Rcode::NOERROR)
}
