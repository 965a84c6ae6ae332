//! A reply as it is told: to the question as it came, and with everything changed that the rules have said.
//!
//! Changes are made record by record, the last rule's first: authority, answer and additional alike.

use std::sync::Arc;

use contract::wire::{Composer, Flags, Name, Rcode, RecordType, Section};
use contract::{Answer, Bound, Failure, Next, Query, Reply, Served, Source};

use crate::bench::{Bench, Draft};
use crate::pass::NoName;
use crate::rule::{Change, Due};
use crate::serve::broken;
use crate::text;

/// Where a CNAME leads in place of where it led.
struct Detour {
    /// The CNAME's place among the drafts.
    at: usize,
    /// The new target.
    to: String,
}

/// The reply to `asked`, told as the reply to `query`, with the changes that are due.
pub(crate) async fn told(query: &Query, asked: &Query, due: &[Due<'_>], reply: Reply, next: Next<'_>) -> Served {
    let mut reply = reply.settled();
    reply.lifetime = reply.true_for(); // what is told, such as other TTLs, makes it true no longer
    let answer = Arc::clone(&reply.answer);
    let message = answer.message();
    let mut drafts: Vec<Draft> = message.records().flatten().map(|record| Draft::of(&message, record)).collect();
    let mut detour = None;
    for (at, draft) in drafts.iter_mut().enumerate() {
        if let Some(to) = change(draft, due, detour.is_none()) {
            detour = Some(Detour { at, to });
        }
    }
    let looked = match detour {
        None => None,
        Some(Detour { at, to }) => match text::name(&to) {
            None => return Ok(broken(query, &NoName(to))),
            Some(target) => Some(follow(query, asked, &mut drafts, (at, target), next).await?),
        },
    };
    let rcode = rcode(answer.rcode(), due);
    let bench = match Bench::of(&message, &drafts) {
        Ok(bench) => bench,
        Err(no_name) => return Ok(broken(query, &no_name)),
    };
    let composed = compose(query, &answer, rcode, &bench, looked.as_ref());
    let mut told = composed.ok_or(Bound::MessageSize.reached())?;
    if let Some(ede) = answer.ede() {
        told = told.with_ede(ede.clone());
    }
    let reply = match looked {
        Some(looked) => joined(reply, looked),
        None => reply,
    };
    let age = reply.age;
    Ok(Reply { answer: Arc::new(told), ..reply }.as_old_as(age))
}

/// Makes the changes to one record; where its CNAME is to lead, if that changes. `may_lead`: no CNAME before it does.
fn change(draft: &mut Draft, due: &[Due<'_>], may_lead: bool) -> Option<String> {
    let mut leads = None;
    for change in due.iter().rev() {
        match change.as_ref() {
            Change::Owner(swap) => draft.swap_owner(swap),
            Change::Value(swap) => draft.swap_value(swap),
            Change::Ttl { min, max } => draft.ttl = draft.ttl.max(*min).min(*max),
            Change::Target(swap) if may_lead && draft.is_link() => leads = draft.lead(swap).or(leads),
            Change::Target(_) | Change::Rcode { .. } => {}
        }
    }
    leads
}

/// The RCODE that the rules make of one.
pub(crate) fn rcode(said: Rcode, due: &[Due<'_>]) -> Rcode {
    due.iter().rev().fold(said, |said, change| match change.as_ref() {
        Change::Rcode { from, to } if said == *from => *to,
        _ => said,
    })
}

/// Looks up the target to which the CNAME in a place leads now. Of the answer section the CNAMEs up to that one stay.
async fn follow(
    query: &Query,
    asked: &Query,
    drafts: &mut Vec<Draft>,
    (last, target): (usize, Name),
    next: Next<'_>,
) -> Served {
    let (mut at, mut links) = (0, Vec::new());
    drafts.retain(|draft| {
        let is_way = draft.is_link() && at <= last;
        if is_way {
            links.extend(draft.came_from.clone());
        }
        at += 1;
        is_way || draft.section() != Section::Answer
    });
    let mut chased = asked.chase(&links, target)?;
    chased.options = query.options.clone(); // the rules say anew what upstreams are told
    match next.blocks().resolve(chased).await {
        // a SERVFAIL means the same whether it is asked for or remembered
        Err(failure @ Failure::Memorised { replied: true, .. }) => {
            let answer = Answer::empty(&query.name, query.rtype, query.class, failure.told().0);
            Ok(Reply::fresh(answer, Source::Store).unstored())
        }
        served => {
            let looked = served?.settled();
            let tells = matches!(looked.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN);
            Ok(if tells { looked } else { looked.unstored() })
        }
    }
}

fn compose(query: &Query, answer: &Answer, rcode: Rcode, bench: &Bench, looked: Option<&Reply>) -> Option<Answer> {
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    let mut flags = answer.message().flags() & (Flags::AA | Flags::AD | Flags::TC);
    if let Some(looked) = looked {
        let behind = looked.answer.message().flags();
        flags = flags & Flags::AA | flags & behind & Flags::AD | behind & Flags::TC;
    }
    composer.rcode(rcode).flags(flags);
    let message = bench.message();
    let (answers, others): (Vec<_>, Vec<_>) = bench.records().partition(|record| record.section == Section::Answer);
    for record in answers {
        composer.copy(&message, &record, record.ttl).ok()?;
    }
    if let Some(looked) = looked {
        let behind = looked.answer.message();
        for record in behind.section(Section::Answer) {
            composer.copy(&behind, &record, record.ttl).ok()?;
        }
    }
    for record in others {
        composer.copy(&message, &record, record.ttl).ok()?;
    }
    let (set, clear) = answer.forced_flags();
    Some(Answer::composed(composer.finish(), rcode).with_flags(set, clear))
}

/// What holds of a reply that is made of two: stale if one of them is.
fn joined(reply: Reply, looked: Reply) -> Reply {
    let lifetime = [reply.lifetime, looked.true_for()].into_iter().flatten().min();
    Reply {
        age: if looked.is_stale() { looked.age } else { reply.age },
        lifetime,
        storable: reply.storable && looked.storable,
        personal: reply.personal || looked.personal,
        ede: reply.ede.or(looked.ede),
        ..reply
    }
}

/// Where the name lies in RDATA that a rule may change: the types are CoreDNS's. `None` for other types.
pub(crate) fn value_at(rtype: RecordType, rdata: &[u8]) -> Option<usize> {
    use RecordType as T;
    match rtype {
        T::CNAME | T::DNAME | T::NS | T::PTR | T::SOA => Some(0),
        T::MX => Some(2),
        T::SRV => Some(6),
        T::NAPTR => {
            let mut at = 4; // ORDER, PREFERENCE; then FLAGS, SERVICES, REGEXP (RFC 3403 4.1)
            for _ in 0..3 {
                at += 1 + usize::from(*rdata.get(at)?);
            }
            Some(at)
        }
        _ => None,
    }
}
