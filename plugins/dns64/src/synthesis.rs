//! How the reply to AAAA is composed of the one to A.

use contract::wire::{Composer, Flags, Full, Message, Record, RecordType, Section};
use contract::{Answer, Query};

use crate::Prefix;

/// The TTL of what is made is bounded by this where the reply to AAAA has no SOA, seconds (RFC 6147 5.1.7).
const TTL_WITHOUT_SOA: u32 = 600;

/// The reply to A with each address behind the prefix; everything else in it stays (RFC 6147 5.3.2, 5.3.3). Its RCODE stays
/// too: that A failed does not mean that the name has no address.
pub(crate) fn answer(query: &Query, asked: Option<&Answer>, found: &Answer, prefix: Prefix) -> Answer {
    let most = asked.and_then(soa_ttl).unwrap_or(TTL_WITHOUT_SOA);
    let message = found.message();
    let mut composer = Composer::new(&query.name, query.rtype, query.class);
    composer.rcode(found.rcode()).flags(message.flags() & Flags::TC);
    for record in message.records().flatten() {
        let added = match (record.section, record.rtype) {
            (Section::Answer, RecordType::A) => translated(&mut composer, &message, &record, most, prefix),
            (_, RecordType::OPT) => Ok(()),
            _ => composer.copy(&message, &record, record.ttl).map(drop),
        };
        if added.is_err() {
            // twelve octets more for each address: only what no message can hold is left out
            composer.flags(Flags::TC);
            break;
        }
    }
    let answer = Answer::composed(composer.finish(), found.rcode());
    match found.ede() {
        Some(ede) => answer.with_ede(ede.clone()),
        None => answer,
    }
}

/// The TTL of the SOA in the reply to AAAA, seconds: a made record lives no longer.
fn soa_ttl(asked: &Answer) -> Option<u32> {
    let message = asked.message();
    message.section(Section::Authority).filter(|record| record.rtype == RecordType::SOA).last().map(|soa| soa.ttl)
}

/// Adds the AAAA of an A; an A whose RDATA is no address is left out.
fn translated(
    composer: &mut Composer,
    message: &Message<'_>,
    record: &Record,
    most: u32,
    prefix: Prefix,
) -> Result<(), Full> {
    let address = <[u8; 4]>::try_from(message.rdata(record)).ok();
    let Some((owner, address)) = message.name(record.owner).zip(address) else { return Ok(()) };
    let made = prefix.embed(address.into()).octets();
    composer.record(Section::Answer, &owner, RecordType::AAAA, record.ttl.min(most), |to| to.octets(&made))
}
