//! What was found, as a reply; and what lies behind a CNAME that leads out of the zone.

use contract::wire::{Composer, Flags, Full, Name, Rcode, RecordType, Section};
use contract::{Answer, Blocks, Bound, Failure, Query, Reply, Source};

use crate::NAME;
use crate::lines::{Line, pointing_at};
use crate::lookup::{Found, Outcome};
use crate::zone::Zone;

/// The reply to a question. A chain that leads out is followed through the server blocks.
pub(crate) async fn made(query: &Query, zone: &Zone, found: Found<'_>, blocks: &dyn Blocks) -> Reply {
    let Some((owners, target)) = found.leads_to.clone() else {
        return composed(query, &found, None).map_or_else(|Full| failed(query), fresh);
    };
    let (outcome, behind) = match query.chase(&owners, target) {
        Ok(question) => match blocks.resolve(question).await {
            Ok(reply) => {
                let reply = reply.settled();
                (outcome_of(&reply.answer), Ok(reply))
            }
            Err(failure) => (outcome_of_failure(&failure), Err(failure)),
        },
        Err(failure) => (Outcome::ServerFailure, Err(failure)),
    };
    let behind_answer = behind.as_ref().ok().map(|reply| &*reply.answer);
    let pointed = behind_answer.into_iter().flat_map(targets);
    let ours = found.answer.iter().filter_map(Line::points_to);
    let additional = zone.addresses_of(ours.chain(pointed), query.dnssec_ok);
    let authority = zone.authority(outcome, query.dnssec_ok);
    let whole = Found { outcome, authority, additional, ..found };
    let Ok(answer) = composed(query, &whole, behind_answer) else { return failed(query) };
    let reply = fresh(answer);
    match behind {
        Ok(behind) => Reply {
            lifetime: behind.true_for(),
            storable: behind.storable,
            personal: behind.personal,
            ede: behind.ede.clone().or_else(|| behind.answer.ede().cloned()),
            ..reply.as_old_as(behind.age)
        },
        Err(Failure::Silent) => reply.unstored(),
        Err(failure) => Reply { ede: Some(failure.told().1), ..reply }.unstored(),
    }
}

fn fresh(answer: Answer) -> Reply {
    Reply::fresh(answer, Source::Plugin(NAME))
}

/// It fits into no message.
fn failed(query: &Query) -> Reply {
    let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::SERVFAIL);
    Reply { ede: Some(Bound::MessageSize.reached().told().1), ..fresh(answer) }.unstored()
}

/// What the end of a chain means for all of it (RFC 6604 3).
fn outcome_of(answer: &Answer) -> Outcome {
    match answer.rcode() {
        Rcode::NXDOMAIN => Outcome::NameError,
        Rcode::SERVFAIL => Outcome::ServerFailure,
        Rcode::NOERROR if answer.message().section(Section::Answer).next().is_none() => Outcome::NoData,
        _ => Outcome::Success,
    }
}

/// Whoever refuses says nothing about the name: the CNAME alone is told.
fn outcome_of_failure(failure: &Failure) -> Outcome {
    match failure {
        Failure::Silent => Outcome::Success,
        other if other.told().0 == Rcode::SERVFAIL => Outcome::ServerFailure,
        _ => Outcome::Success,
    }
}

/// The names in an answer whose addresses are of use.
fn targets(answer: &Answer) -> Vec<Name> {
    let message = answer.message();
    let records = message.section(Section::Answer);
    records.filter_map(|record| message.name(record.rdata + pointing_at(record.rtype)?)).collect()
}

/// The message; behind our own answer stands what was found elsewhere.
fn composed(query: &Query, found: &Found<'_>, behind: Option<&Answer>) -> Result<Answer, Full> {
    let is_failure = found.outcome == Outcome::ServerFailure && found.answer.is_empty();
    let is_referral = found.outcome == Outcome::Delegation && found.answer.is_empty();
    let rcode = match found.outcome {
        Outcome::NameError => Rcode::NXDOMAIN,
        Outcome::ServerFailure => Rcode::SERVFAIL,
        Outcome::Success | Outcome::NoData | Outcome::Delegation => Rcode::NOERROR,
    };
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.rcode(rcode).flags(if is_failure || is_referral { 0 } else { Flags::AA });
    for line in &found.answer {
        add(&mut composer, Section::Answer, line)?;
    }
    if let Some(behind) = behind {
        let message = behind.message();
        for record in message.section(Section::Answer) {
            composer.copy(&message, &record, record.ttl)?;
        }
    }
    for (section, lines) in [(Section::Authority, &found.authority), (Section::Additional, &found.additional)] {
        for line in lines {
            add(&mut composer, section, line)?;
        }
    }
    Ok(Answer::composed(composer.finish(), rcode))
}

/// Adds a record; the names in it that may be compressed are (RFC 3597 4).
fn add(composer: &mut Composer, section: Section, line: &Line<'_>) -> Result<(), Full> {
    let (before, names) = match line.rtype {
        RecordType::NS | RecordType::CNAME => (0, 1),
        RecordType::MX => (2, 1),
        RecordType::SOA => (0, 2),
        _ => (line.rdata.len(), 0),
    };
    composer.record(section, &line.owner, line.rtype, line.ttl, |to| {
        let (octets, mut rest) = line.rdata.split_at(before);
        to.octets(octets);
        for _ in 0..names {
            let end = contract::wire::skip_name(rest, 0).expect("names in RDATA were checked as they were read");
            let (name, behind) = rest.split_at(end);
            to.rdata_name(&Name::from_wire(name).expect("names in RDATA were checked as they were read"));
            rest = behind;
        }
        to.octets(rest);
    })
}
