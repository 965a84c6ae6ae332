//! What is said about each local name: the same records as CoreDNS says.

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::{Composer, Full, Name, Rcode, RecordType, Section};
use contract::{Answer, Query};

use crate::Local;

/// The TTL and negative TTL of everything local, seconds: a week.
pub(crate) const TTL: u32 = 604_800;

/// A name around `localhost.`: both loopback addresses; NODATA for other types.
pub(crate) fn like_localhost(query: &Query) -> Result<Answer, Full> {
    let mut composer = begin(query);
    if !addresses(&mut composer, query)? {
        soa(&mut composer, Section::Authority, &query.name)?;
    }
    Ok(Answer::composed(composer.finish(), Rcode::NOERROR))
}

/// A name in one of the local zones.
pub(crate) fn in_zone(local: &Local, zone: &Name, query: &Query) -> Result<Answer, Full> {
    let mut composer = begin(query);
    let localhost = local.localhost();
    if query.name == local.loopback && query.rtype == RecordType::PTR {
        target(&mut composer, query, RecordType::PTR, localhost)?;
    } else if query.name == *zone {
        match query.rtype {
            RecordType::SOA => soa(&mut composer, Section::Answer, zone)?,
            RecordType::NS => target(&mut composer, query, RecordType::NS, localhost)?,
            _ if zone == localhost && addresses(&mut composer, query)? => {}
            _ => soa(&mut composer, Section::Authority, zone)?,
        }
    } else {
        soa(&mut composer, Section::Authority, zone)?;
        if query.name != local.loopback {
            composer.rcode(Rcode::NXDOMAIN);
            return Ok(Answer::composed(composer.finish(), Rcode::NXDOMAIN));
        }
    }
    Ok(Answer::composed(composer.finish(), Rcode::NOERROR))
}

fn begin(query: &Query) -> Composer {
    Composer::new(&query.name, query.rtype, query.class)
}

/// Adds the loopback address of the type asked for; false if an address was not asked for.
fn addresses(composer: &mut Composer, query: &Query) -> Result<bool, Full> {
    let mut address = |octets: &[u8]| {
        composer.record(Section::Answer, &query.name, query.rtype, TTL, |to| to.octets(octets))?;
        Ok(true)
    };
    match query.rtype {
        RecordType::A => address(&Ipv4Addr::LOCALHOST.octets()),
        RecordType::AAAA => address(&Ipv6Addr::LOCALHOST.octets()),
        _ => Ok(false),
    }
}

fn target(composer: &mut Composer, query: &Query, rtype: RecordType, target: &Name) -> Result<(), Full> {
    composer.record(Section::Answer, &query.name, rtype, TTL, |to| to.rdata_name(target))
}

fn soa(composer: &mut Composer, section: Section, owner: &Name) -> Result<(), Full> {
    let mname = Name::parse("localhost").expect("a constant is a name");
    let rname = Name::parse("root.localhost").expect("a constant is a name");
    composer.record(section, owner, RecordType::SOA, TTL, |to| {
        to.rdata_name(&mname);
        to.rdata_name(&rname);
        for number in [1, 0, 0, 0, TTL] {
            to.octets(&number.to_be_bytes()); // serial, refresh, retry, expire, minimum
        }
    })
}
