//! Answers made of what objects say, for names that nobody can be asked for.

use std::sync::Arc;

use contract::limits::MADE_TTL_MAX;
use contract::told;
use contract::wire::{Class, Composer, Rcode, RecordType, Section};
use contract::{Answer, Object, Publication, Published, Query};

use super::said::records;

/// Types that are made: those that ExternalDNS publishes unless it is told to publish others as well. Whether it was, nobody here
/// knows.
const MADE: [RecordType; 3] = [RecordType::A, RecordType::AAAA, RecordType::CNAME];

/// An answer, if objects say all that the zone would show. Without records and without an SOA for a type of address that they
/// do not publish beside the other one: who asks for both gives up if one fails. Its asker says for how long that holds.
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
    if !MADE.contains(&rtype) {
        return None;
    }
    let (of_type, others): (Vec<_>, Vec<_>) = holders.iter().partition(|(_, one)| one.rtype == Some(rtype));
    if is_alias && !others.is_empty() {
        return None; // a zone has no other records beside a CNAME: ExternalDNS picks
    }
    let Some((object, first)) = of_type.first() else {
        return no_address(&holders, query);
    };
    let held = records(first)?;
    if (is_alias && held.len() > 1) || of_type.iter().any(|(_, one)| records(one).as_ref() != Some(&held)) {
        return None;
    }
    let ttl = of_type.iter().filter_map(|(_, one)| one.ttl.filter(|ttl| *ttl > 0)).fold(MADE_TTL_MAX, u32::min);
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    for (rtype, data) in &held {
        composer.record(Section::Answer, &query.name, *rtype, ttl, |to| data.write(to)).ok()?;
    }
    Some(made_of(object, composer))
}

/// That a name has no address of this type, if objects say of which type its addresses are.
fn no_address(holders: &[(Arc<Object>, Publication)], query: &Query) -> Option<Answer> {
    let is_address = |rtype| matches!(rtype, RecordType::A | RecordType::AAAA);
    let mut addresses = holders.iter().filter(|(_, one)| one.rtype.is_some_and(is_address));
    let (object, _) = addresses.clone().next()?;
    // a host name in the place of one may become addresses of both types
    let are_told = addresses.all(|(_, one)| records(one).is_some());
    (is_address(query.rtype) && are_told).then(|| made_of(object, Composer::new(&query.name, query.rtype, query.class)))
}

fn made_of(object: &Object, composer: Composer) -> Answer {
    let told = told::SYNTHESIZED.with(&[("object", object.to_string())]);
    Answer::composed(composer.finish(), Rcode::NOERROR).with_ede(told)
}
