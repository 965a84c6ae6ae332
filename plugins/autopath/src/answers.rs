//! The answers that a walk ends with, composed under the name that the pod asked for.

use std::sync::Arc;

use contract::limits;
use contract::told;
use contract::wire::{Composer, Ede, Flags, Full, Name, Rcode, RecordType, Section, ede};
use contract::{Age, Answer, Bound, Decided, Query, Reply, Served};

use crate::facts::Facts;

/// The candidate's answer behind a CNAME from the asked name. AA and TC are the candidate's; AD is not: nobody has
/// signed the CNAME.
pub(crate) fn behind_cname(query: &Query, candidate: &Name, reply: &Reply, facts: &Facts) -> Served {
    let message = reply.answer.message();
    let mut composer = begin(query, Rcode::NOERROR, message.flags() & (Flags::AA | Flags::TC));
    let composed = composer.cname(&query.name, candidate, facts.ttl()).and_then(|()| {
        for record in message.records().flatten().filter(|record| record.rtype != RecordType::OPT) {
            composer.copy(&message, &record, aged(reply.age, record.ttl))?;
        }
        Ok(())
    });
    finish(composer, composed, Rcode::NOERROR, reply, facts)
}

/// NODATA or NXDOMAIN under the asked name, with the SOA of the first of `proofs` that has one. Its TTL is cut to what
/// the answer rests on, because a stub's cache reads no more of it than that.
pub(crate) fn denial(query: &Query, rcode: Rcode, proofs: &[&Reply], facts: &Facts) -> Served {
    let source = proofs.first().expect("a denial rests on a proof");
    let flags = source.answer.message().flags() & Flags::AA;
    let mut composer = begin(query, rcode, flags);
    let composed = match proofs.iter().find_map(|proof| Some((proof, soa(&proof.answer)?))) {
        Some((proof, record)) => {
            composer.copy(&proof.answer.message(), &record, aged(proof.age, record.ttl).min(facts.ttl())).map(|_| ())
        }
        None => Ok(()),
    };
    finish(composer, composed, rcode, source, facts)
}

/// SERVFAIL for a candidate that nobody can judge: the text names it. Never memorised: what failed is the candidate,
/// and that is memorised for everybody.
pub(crate) fn failed(query: &Query, candidate: &Name, result: Served) -> Served {
    let (code, why) = match result {
        Ok(reply) => (ede::OTHER, reply.answer.rcode().to_string()),
        Err(failure) => match failure.told() {
            (Rcode::SERVFAIL, _) => return Err(failure), // tells its own story
            (rcode, told) => (told.code, format!("{rcode}, {}", told.text)),
        },
    };
    let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
    let (candidate, rtype) = (candidate.to_string(), query.rtype.to_string());
    let told = told::SEARCH_STOPPED.with(&[("candidate", candidate), ("type", rtype), ("why", why)]);
    let answer = answer.with_ede(Ede { code, ..told });
    Ok(Reply::fresh(answer, contract::Source::Plugin("autopath")).unstored())
}

fn begin(query: &Query, rcode: Rcode, flags: u16) -> Composer {
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.rcode(rcode).flags(flags);
    composer
}

fn finish(composer: Composer, composed: Result<(), Full>, rcode: Rcode, from: &Reply, facts: &Facts) -> Served {
    if composed.is_err() {
        return Err(Bound::MessageSize.reached());
    }
    let ede = match facts.is_proof_stale() {
        true => Some(told::STALE_PROOFS.plain()),
        false => from.ede.clone(),
    };
    let (set, clear) = from.answer.forced_flags();
    let answer = Answer::composed(composer.finish(), rcode).with_flags(set, clear);
    Ok(Reply {
        // what is said of the answer itself is said of it in memory as well
        answer: Arc::new(match from.answer.ede() {
            Some(ede) => answer.with_ede(ede.clone()),
            None => answer,
        }),
        age: facts.age(),
        lifetime: Some(facts.lifetime()),
        storable: facts.is_storable(),
        personal: from.personal,
        source: from.source,
        decided: Decided::NoSearch,
        ede,
    })
}

fn soa(answer: &Answer) -> Option<contract::wire::Record> {
    answer.message().section(Section::Authority).find(|record| record.rtype == RecordType::SOA)
}

/// What is left of a record's TTL, seconds.
fn aged(age: Age, ttl: u32) -> u32 {
    match age {
        Age::Fresh(seconds) => ttl.saturating_sub(seconds),
        Age::Stale => limits::STALE_TTL,
        Age::StaleWith(seconds) => seconds,
        Age::Kept => ttl,
    }
}
