//! Answers made of what objects say, for names that nobody can be asked for.

use contract::limits::MADE_TTL_MAX;
use contract::wire::{Class, Composer, Ede, Rcode, RecordType, Section, ede};
use contract::{Answer, Publication, Published, Query};

use super::data::{Records, is_registry};
use super::said::records;

/// An answer, if objects say all that the zone would show.
pub(super) fn answer(published: &Published, query: &Query) -> Option<Answer> {
    // signatures are not there to be had, and of all types only the zone knows
    let beyond = matches!(query.rtype, RecordType::ANY | RecordType::RRSIG | RecordType::NSEC);
    if query.class != Class::IN || query.dnssec_ok || beyond {
        return None;
    }
    let holders = published.covering(&query.name);
    if !holders.iter().all(|(_, one)| one.is_plain && one.rtype.is_some()) {
        return None;
    }
    let is_alias = holders.iter().any(|(_, one)| one.rtype == Some(RecordType::CNAME));
    let rtype = if is_alias { RecordType::CNAME } else { query.rtype };
    let (of_type, others): (Vec<_>, Vec<_>) = holders.iter().partition(|(_, one)| one.rtype == Some(rtype));
    if is_alias && !others.is_empty() {
        return None; // a zone has no other records beside a CNAME: ExternalDNS picks
    }
    let (object, first) = of_type.first()?;
    let held = told(first)?;
    if (is_alias && held.len() > 1) || of_type.iter().any(|(_, one)| told(one).as_ref() != Some(&held)) {
        return None;
    }
    let ttl = of_type.iter().filter_map(|(_, one)| one.ttl.filter(|ttl| *ttl > 0)).fold(MADE_TTL_MAX, u32::min);
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    for (rtype, data) in &held {
        composer.record(Section::Answer, &query.name, *rtype, ttl, |to| data.write(to)).ok()?;
    }
    let text = format!("made of {object}, its resolver does not answer");
    Some(Answer::composed(composer.finish(), Rcode::NOERROR).with_ede(Ede::new(ede::SYNTHESIZED, text)))
}

/// What a publication has the zone show to everybody.
fn told(publication: &Publication) -> Option<Records> {
    let is_text = publication.rtype == Some(RecordType::TXT);
    let is_marked = is_text && publication.targets.iter().any(|target| is_registry(target));
    records(publication).filter(|_| !is_marked)
}
