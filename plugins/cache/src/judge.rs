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
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is memorised, with its TTLs within their bounds.
    Keep {
        /// With those TTLs.
        answer: Arc<Answer>,
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
    /// Upstream answered, but with a failure: what was memorised before stands. True: the failure is memorised if nothing
    /// stands (RFC 9520).
    Failed(bool),
    /// It answers another question.
    Foreign,
}

/// Judges a reply to the question of a key. The sources: RFC 2308 5 (denials), RFC 9520 (failures), RFC 8767 4 (any
/// RCODE but NOERROR and NXDOMAIN is no answer).
pub(crate) fn judge(key: &KeyBuffer, reply: &Reply, policy: &Policy) -> Judgement {
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
    match answer.rcode() {
        Rcode::SERVFAIL => Judgement::Failed(true),
        Rcode::NOTIMP => not_implemented(key, reply, policy),
        Rcode::NXDOMAIN => denial(key, reply, policy),
        Rcode::NOERROR if answer.is_nodata() => denial(key, reply, policy),
        Rcode::NOERROR => success(key, reply, policy),
        _ => Judgement::Failed(false),
    }
}

/// True if the reply's question is the key's.
fn answers(key: &KeyBuffer, answer: &Answer) -> bool {
    let message = answer.message();
    message.question_type() == key.rtype()
        && message.question_class() == key.class()
        && message.question_name().is_some_and(|name| name.as_wire() == key.name())
}

fn success(key: &KeyBuffer, reply: &Reply, policy: &Policy) -> Judgement {
    let class = &policy.success;
    if !class.takes(key.name()) {
        return Judgement::Pass;
    }
    let (aged, floor_max) = (aging(reply), floor_max(reply));
    let answer = with_ttls(&reply.answer, |_, ttl| class.bounded(aged(ttl), floor_max));
    let seconds = answer.smallest_ttl().unwrap_or(0);
    keep(answer, Class::Success, seconds, reply)
}

fn denial(key: &KeyBuffer, reply: &Reply, policy: &Policy) -> Judgement {
    let class = &policy.denial;
    if !class.takes(key.name()) {
        return Judgement::Pass;
    }
    let Some(seconds) = denial_seconds(reply, class) else { return Judgement::Pass };
    let (aged, floor_max) = (aging(reply), floor_max(reply));
    let answer = with_ttls(&reply.answer, |section, ttl| {
        let ttl = class.bounded(aged(ttl), floor_max);
        // who memorises the denial downstream goes by the SOA's TTL (RFC 2308 3)
        if section == Section::Answer { ttl } else { ttl.min(seconds) }
    });
    keep(answer, Class::Denial, seconds, reply)
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

/// NOTIMP is memorised as it is, for as long as a failure.
fn not_implemented(key: &KeyBuffer, reply: &Reply, policy: &Policy) -> Judgement {
    let life = reply.lifetime.map_or(policy.servfail, |lifetime| lifetime.min(policy.servfail));
    if life.is_zero() || !policy.denial.takes(key.name()) {
        return Judgement::Failed(false);
    }
    Judgement::Keep { answer: Arc::clone(&reply.answer), class: Class::Denial, life, stale: false }
}

fn keep(answer: Arc<Answer>, class: Class, seconds: u32, reply: &Reply) -> Judgement {
    let life = Duration::from_secs(seconds.into());
    let life = reply.lifetime.map_or(life, |lifetime| lifetime.min(life));
    if life.is_zero() { Judgement::Pass } else { Judgement::Keep { answer, class, life, stale: true } }
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
