//! What is made of a reply: whether it is memorised, as what, for how long, and with which TTLs.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use contract::wire::{Rcode, Section};
use contract::{Age, Answer, Reply};

use crate::capacity::Class;
use crate::key::KeyBuffer;
use crate::policy::{ClassPolicy, Policy, TTL_MIN};

/// The verdict over one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is memorised.
    Keep {
        /// What it is counted with.
        class: Class,
        /// How long it is fresh.
        life: Duration,
        /// True if it may be served past its end; false for NOTIMP, which replaces nothing better.
        stale: bool,
    },
    /// It goes to whoever asked and is not memorised; what was memorised before is out of date.
    Pass,
    /// It goes to whoever asked; what was memorised before stands.
    PassBeside,
    /// Upstream answered, but with a failure: what was memorised before stands. If nothing does, the failure is memorised for
    /// so long (RFC 9520); zero: not at all.
    Failed(Duration),
    /// It answers another question.
    Foreign,
}

/// Judges a reply to the question of a key, and bounds its TTLs. The sources: RFC 2308 5 (denials), RFC 9520 (failures),
/// RFC 8767 4 (any RCODE but NOERROR and NXDOMAIN is no answer).
pub(crate) fn judge(key: &KeyBuffer, reply: Reply, policy: &Policy) -> (Judgement, Reply) {
    let (reply, denied_for) = bounded(reply, policy);
    (verdict(key, &reply, denied_for, policy), reply)
}

/// The reply with its TTLs within the bounds of its class: they hold for what is told, memorised or not, so that nobody hears
/// of a longer life from a reply that happens not to be memorised. A reply that is past its end has its TTL already. For a
/// denial also how long it holds, seconds, if that is known.
pub(crate) fn bounded(reply: Reply, policy: &Policy) -> (Reply, Option<u32>) {
    if reply.is_stale() {
        return (reply, None);
    }
    let (aged, floor_max, rcode) = (aging(&reply), floor_max(&reply), reply.answer.rcode());
    let denies = match rcode {
        Rcode::NOERROR => reply.answer.is_nodata(),
        Rcode::NXDOMAIN | Rcode::SERVFAIL | Rcode::NOTIMP => true,
        _ => false,
    };
    let denied_for = if denies { denial_seconds(&reply, &policy.denial) } else { None };
    // CNAMEs whose end nobody tells are no denial
    let is_open = rcode == Rcode::NOERROR && denied_for.is_none();
    let class = if denies && !is_open { &policy.denial } else { &policy.success };
    let answer = with_ttls(&reply.answer, |section, ttl| {
        let ttl = class.bounded(aged(ttl), floor_max);
        // who memorises the denial downstream goes by the SOA's TTL (RFC 2308 3)
        denied_for.filter(|_| section != Section::Answer).map_or(ttl, |seconds| ttl.min(seconds))
    });
    (Reply { answer, age: Age::Fresh(0), ..reply }, denied_for)
}

/// The verdict over a reply whose TTLs are bounded.
fn verdict(key: &KeyBuffer, reply: &Reply, denied_for: Option<u32>, policy: &Policy) -> Judgement {
    let answer = &reply.answer;
    if reply.is_stale() || reply.personal || answer.is_truncated() {
        return Judgement::PassBeside;
    }
    if !answers(key, answer) {
        return Judgement::Foreign;
    }
    if !reply.storable {
        let good = matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN);
        return if good { Judgement::Pass } else { Judgement::PassBeside };
    }
    let brief = reply.lifetime.map_or(policy.servfail, |lifetime| lifetime.min(policy.servfail));
    let (class, seconds) = match answer.rcode() {
        Rcode::SERVFAIL => return Judgement::Failed(brief),
        Rcode::NOTIMP if brief.is_zero() || !policy.denial.takes(key.name()) => {
            return Judgement::Failed(Duration::ZERO);
        }
        // as it is, for as long as a failure
        Rcode::NOTIMP => return Judgement::Keep { class: Class::Denial, life: brief, stale: false },
        Rcode::NOERROR if !answer.is_nodata() => (Class::Success, answer.smallest_ttl()),
        Rcode::NOERROR | Rcode::NXDOMAIN => (Class::Denial, denied_for),
        _ => return Judgement::Failed(Duration::ZERO),
    };
    let own = if class == Class::Success { &policy.success } else { &policy.denial };
    let life = Duration::from_secs(seconds.unwrap_or(0).into());
    let life = reply.lifetime.map_or(life, |lifetime| lifetime.min(life));
    let kept = own.takes(key.name()) && !life.is_zero();
    if kept { Judgement::Keep { class, life, stale: true } } else { Judgement::Pass }
}

/// True if the reply's question is the key's.
fn answers(key: &KeyBuffer, answer: &Answer) -> bool {
    let message = answer.message();
    message.question_type() == key.rtype()
        && message.question_class() == key.class()
        && message.question_name().is_some_and(|name| name.as_wire() == key.name())
}

/// How long a denial holds: as its SOA says. Without an SOA nothing is memorised, but for an empty NOERROR, the reply of
/// many simple servers to types that they do not know: that one is memorised for the least time.
fn denial_seconds(reply: &Reply, class: &ClassPolicy) -> Option<u32> {
    let floor_max = floor_max(reply);
    if let Some(ttl) = reply.answer.negative_ttl() {
        return Some(class.bounded(aging(reply)(ttl), floor_max));
    }
    if let Some(lifetime) = reply.lifetime {
        return Some(class.bounded(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX), floor_max));
    }
    let empty =
        reply.answer.rcode() == Rcode::NOERROR && reply.answer.message().section(Section::Answer).next().is_none();
    empty.then(|| class.bounded(class.ttl_min.min(TTL_MIN), floor_max))
}

/// What the age of a reply leaves of a TTL.
fn aging(reply: &Reply) -> impl Fn(u32) -> u32 + use<> {
    let age = if let Age::Fresh(age) = reply.age { age } else { 0 };
    move |ttl| ttl.saturating_sub(age)
}

/// A minimum must not make a TTL outlive what the reply rests on, seconds.
fn floor_max(reply: &Reply) -> u32 {
    reply.lifetime.map_or(u32::MAX, |lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX))
}

/// The answer with each TTL as `change` has it; the same object if nothing changes.
fn with_ttls(answer: &Arc<Answer>, change: impl Fn(Section, u32) -> u32) -> Arc<Answer> {
    let message = answer.message();
    if message.records().flatten().all(|record| change(record.section, record.ttl) == record.ttl) {
        return Arc::clone(answer);
    }
    let sections: Vec<Section> = message.records().flatten().map(|record| record.section).collect();
    let index = Cell::new(0); // the offsets of TTLs stand in the order of the records, one each
    Arc::new(Answer::clone(answer).with_ttls(|ttl| {
        let section = sections[index.replace(index.get() + 1)];
        change(section, ttl)
    }))
}
