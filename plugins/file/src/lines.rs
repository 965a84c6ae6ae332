//! Records as they are told: under an owner, with what belongs to them in the other sections.

use std::borrow::Cow;

use contract::wire::{Name, RecordType};

use crate::lookup::Outcome;
use crate::zone::{Node, Record, Zone};

/// A record under the owner that it is told with.
#[derive(Clone, Debug)]
pub(crate) struct Line<'z> {
    pub(crate) owner: Cow<'z, Name>,
    pub(crate) rtype: RecordType,
    pub(crate) ttl: u32,
    pub(crate) rdata: Cow<'z, [u8]>,
}

impl Zone {
    /// Addresses of the names in an answer that are in the zone.
    pub(crate) fn additional(&self, answer: &[Line<'_>], dnssec_ok: bool) -> Vec<Line<'_>> {
        self.addresses_of(answer.iter().filter_map(Line::points_to), dnssec_ok)
    }

    /// Addresses of names that are in the zone, each once.
    pub(crate) fn addresses_of(&self, names: impl Iterator<Item = Name>, dnssec_ok: bool) -> Vec<Line<'_>> {
        let mut targets: Vec<Name> = Vec::new();
        for name in names.filter(|name| self.origin.encloses(name)) {
            if !targets.contains(&name) {
                targets.push(name);
            }
        }
        targets.iter().filter_map(|name| self.node(name)).flat_map(|node| addresses(node, dnssec_ok)).collect()
    }

    /// The authority section of an answer that was found elsewhere.
    pub(crate) fn authority(&self, outcome: Outcome, dnssec_ok: bool) -> Vec<Line<'_>> {
        match outcome {
            Outcome::NameError | Outcome::NoData => self.soa(dnssec_ok),
            Outcome::Success | Outcome::Delegation | Outcome::ServerFailure => self.ns(dnssec_ok),
        }
    }

    pub(crate) fn soa(&self, dnssec_ok: bool) -> Vec<Line<'_>> {
        let owner = Cow::Borrowed(&self.apex.owner);
        let mut soa = lines(owner.clone(), RecordType::SOA, std::slice::from_ref(&self.apex.soa));
        if dnssec_ok {
            soa.extend(lines(owner, RecordType::RRSIG, &self.apex.soa_signatures));
        }
        soa
    }

    pub(crate) fn ns(&self, dnssec_ok: bool) -> Vec<Line<'_>> {
        let owner = Cow::Borrowed(&self.origin);
        let mut ns = lines(owner.clone(), RecordType::NS, &self.apex.ns);
        if dnssec_ok {
            ns.extend(lines(owner, RecordType::RRSIG, &self.apex.ns_signatures));
        }
        ns
    }
}

impl Line<'_> {
    /// The name whose addresses are of use to whoever gets this record.
    pub(crate) fn points_to(&self) -> Option<Name> {
        let octets = self.rdata.get(pointing_at(self.rtype)?..)?;
        let end = contract::wire::skip_name(octets, 0)?;
        Name::from_wire(&octets[..end])
    }
}

/// Where the RDATA of such a record has a name whose addresses are of use.
pub(crate) fn pointing_at(rtype: RecordType) -> Option<usize> {
    match rtype {
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    }
}

pub(crate) fn lines<'z>(owner: Cow<'z, Name>, rtype: RecordType, records: &'z [Record]) -> Vec<Line<'z>> {
    let line =
        |record: &'z Record| Line { owner: owner.clone(), rtype, ttl: record.ttl, rdata: Cow::Borrowed(&record.rdata) };
    records.iter().map(line).collect()
}

pub(crate) fn signatures<'z>(
    owner: Cow<'z, Name>,
    node: &'z Node,
    covered: RecordType,
) -> impl Iterator<Item = Line<'z>> {
    let rtype = RecordType::RRSIG;
    let line = move |record: &'z Record| Line {
        owner: owner.clone(),
        rtype,
        ttl: record.ttl,
        rdata: Cow::Borrowed(&record.rdata),
    };
    node.signatures(covered).map(line)
}

/// A set, and its signatures if they are wanted.
pub(crate) fn with_signatures(node: &Node, rtype: RecordType, dnssec_ok: bool) -> Vec<Line<'_>> {
    let owner = Cow::Borrowed(&node.owner);
    let mut set = lines(owner.clone(), rtype, node.set(rtype));
    if dnssec_ok {
        set.extend(signatures(owner, node, rtype));
    }
    set
}

pub(crate) fn addresses(node: &Node, dnssec_ok: bool) -> Vec<Line<'_>> {
    let mut both = with_signatures(node, RecordType::A, dnssec_ok);
    both.extend(with_signatures(node, RecordType::AAAA, dnssec_ok));
    both
}
