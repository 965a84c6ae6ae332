//! What a zone says to a question (RFC 1034 4.3.2, RFC 4592, RFC 6672), in CoreDNS's order of steps.
//!
//! ```text
//!   from the apex down, a label at a time: DNAME? --> substitute;  NS? --> referral
//!   the name itself: CNAME --> follow it inside the zone, and say where it leads out;  its records;  or no data
//!   not there: a wildcard above --> as if the name had its records;  names below --> no data;  else it does not exist
//! ```

use std::borrow::Cow;

use contract::limits::ZONE_LINKS_MAX;
use contract::wire::{Name, RecordType};

use crate::zone::{Node, Record, Zone};

/// A record under the owner that it is told with.
#[derive(Clone, Debug)]
pub(crate) struct Line<'z> {
    pub(crate) owner: Cow<'z, Name>,
    pub(crate) rtype: RecordType,
    pub(crate) ttl: u32,
    pub(crate) rdata: Cow<'z, [u8]>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With records, or with a name that has none of its own but has names below.
    Success,
    /// The name does not exist.
    NameError,
    /// The name exists, without such records.
    NoData,
    /// Somebody else serves it.
    Delegation,
    /// It cannot be said.
    ServerFailure,
}

/// What is told.
#[derive(Debug)]
pub(crate) struct Found<'z> {
    pub(crate) outcome: Outcome,
    pub(crate) answer: Vec<Line<'z>>,
    pub(crate) authority: Vec<Line<'z>>,
    pub(crate) additional: Vec<Line<'z>>,
    /// Where a chain of CNAMEs leads on outside of what the zone knows: its owners, QNAME first, and the next name. What is found
    /// there goes behind the answer; the authority section is that of its outcome.
    pub(crate) leads_to: Option<(Vec<Name>, Name)>,
}

impl<'z> Found<'z> {
    fn new(outcome: Outcome, answer: Vec<Line<'z>>, authority: Vec<Line<'z>>, additional: Vec<Line<'z>>) -> Self {
        Self { outcome, answer, authority, additional, leads_to: None }
    }

    fn failure() -> Self {
        Self::new(Outcome::ServerFailure, Vec::new(), Vec::new(), Vec::new())
    }
}

/// A question to a zone.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'q> {
    pub(crate) name: &'q Name,
    pub(crate) rtype: RecordType,
    /// Signatures and NSEC too.
    pub(crate) dnssec_ok: bool,
}

impl Zone {
    /// Looks a name up that is in the zone.
    pub(crate) fn look_up<'z>(&'z self, asked: Asked<'_>) -> Found<'z> {
        let Asked { name, rtype, dnssec_ok } = asked;
        if *name == self.origin {
            match rtype {
                RecordType::SOA => {
                    return Found::new(Outcome::Success, self.soa(dnssec_ok), self.ns(dnssec_ok), Vec::new());
                }
                RecordType::NS => {
                    let glue = self.glue(&self.origin, &self.apex.ns, dnssec_ok);
                    return Found::new(Outcome::Success, self.ns(dnssec_ok), Vec::new(), glue);
                }
                _ => {}
            }
        }
        let mut wildcard = None;
        for part in self.way_down(name) {
            let Some(node) = self.node(&part) else {
                wildcard = self.wildcard(&part).or(wildcard);
                continue;
            };
            if let Some(found) = self.substituted(node, asked) {
                return found;
            }
            if let Some((authority, glue)) = self.delegation(node, name, rtype, dnssec_ok) {
                return Found::new(Outcome::Delegation, Vec::new(), authority, glue);
            }
        }
        if let Some(node) = self.node(name) {
            return self.at(node, asked, None);
        }
        match wildcard.filter(|wildcard| !self.is_closer(name, wildcard)) {
            Some(wildcard) => match self.node(&wildcard) {
                Some(node) => self.at(node, asked, Some(name)),
                None => Found::new(Outcome::NoData, Vec::new(), self.soa(dnssec_ok), Vec::new()),
            },
            None => self.missing(asked),
        }
    }

    /// The names from the apex down to this one.
    fn way_down(&self, name: &Name) -> Vec<Name> {
        let depth = name.label_count() - self.origin.label_count();
        let mut way: Vec<Name> = std::iter::successors(Some(name.clone()), Name::parent).take(depth + 1).collect();
        way.reverse();
        way
    }

    /// The wildcard beside a name, if it exists or has names below.
    fn wildcard(&self, name: &Name) -> Option<Name> {
        let parent = name.parent().filter(|parent| self.origin.encloses(parent))?;
        let wildcard = Name::join(b"\x01*", &parent)?;
        (self.node(&wildcard).is_some() || self.has_descendant(&wildcard)).then_some(wildcard)
    }

    /// True if a name without records lies between the wildcard and this one: then the wildcard is not for it (RFC 4592 2.2.2).
    fn is_closer(&self, name: &Name, wildcard: &Name) -> bool {
        let parent = wildcard.parent().expect("a wildcard has a parent");
        let above = std::iter::successors(name.parent(), Name::parent).take_while(|above| *above != parent);
        above.take_while(|above| parent.encloses(above)).any(|above| self.has_descendant(&above))
    }

    /// What a name's records say; for a wildcard's, told as those of `instead`.
    fn at<'z>(&'z self, node: &'z Node, asked: Asked<'_>, instead: Option<&Name>) -> Found<'z> {
        let Asked { name, rtype, dnssec_ok } = asked;
        let owner = || instead.map_or(Cow::Borrowed(&node.owner), |name| Cow::Owned(name.clone()));
        let links = node.set(RecordType::CNAME);
        if !links.is_empty() && rtype != RecordType::CNAME {
            let mut answer = lines(owner(), RecordType::CNAME, links);
            if dnssec_ok {
                answer.extend(signatures(owner(), node, RecordType::CNAME));
            }
            return self.followed(asked, answer, links[0].name_at(0));
        }
        let set = node.set(rtype);
        if set.is_empty() {
            let mut authority = self.soa(dnssec_ok);
            if dnssec_ok {
                authority.extend(with_signatures(node, RecordType::NSEC, true));
            }
            return Found::new(Outcome::NoData, Vec::new(), authority, Vec::new());
        }
        let mut answer = lines(owner(), rtype, set);
        let additional = self.additional(&answer, dnssec_ok);
        let mut authority = self.ns(dnssec_ok);
        if dnssec_ok {
            if instead.is_some()
                && let Some(denial) = self.at_or_before(name)
            {
                authority.extend(with_signatures(denial, RecordType::NSEC, true));
            }
            answer.extend(signatures(owner(), node, rtype));
        }
        Found::new(Outcome::Success, answer, authority, additional)
    }

    /// A name that has no records, and no wildcard.
    fn missing(&self, asked: Asked<'_>) -> Found<'_> {
        let name = asked.name;
        let is_there = self.has_descendant(name) || *name == self.origin;
        let outcome = if is_there { Outcome::Success } else { Outcome::NameError };
        let mut authority = self.soa(asked.dnssec_ok);
        if asked.dnssec_ok
            && let Some(denial) = self.at_or_before(name)
        {
            authority.extend(with_signatures(denial, RecordType::NSEC, true));
            let mut above = std::iter::successors(name.parent(), Name::parent);
            let closest = above.find(|above| self.node(above).is_some()).unwrap_or_else(|| self.origin.clone());
            if !is_there
                && let Some(wildcard) = Name::join(b"\x01*", &closest)
                && let Some(other) = self.at_or_before(&wildcard)
                && other.owner != denial.owner
            {
                authority.extend(with_signatures(other, RecordType::NSEC, true));
            }
        }
        Found::new(outcome, Vec::new(), authority, Vec::new())
    }

    /// What a DNAME above the name makes of it; `None` if there is none.
    fn substituted<'z>(&'z self, node: &'z Node, asked: Asked<'_>) -> Option<Found<'z>> {
        let Asked { name, rtype, dnssec_ok } = asked;
        let dname = node.set(RecordType::DNAME).first()?;
        let labels = Name::strip(name.as_wire(), node.owner.as_wire()).filter(|labels| !labels.is_empty())?;
        let Some(target) = Name::join(labels, &dname.name_at(0)).filter(|target| target != name) else {
            return Some(Found::failure()); // too long, or it leads to itself
        };
        let link = Line {
            owner: Cow::Owned(name.clone()),
            rtype: RecordType::CNAME,
            ttl: dname.ttl,
            rdata: Cow::Owned(target.as_wire().to_vec()),
        };
        let mut found = match rtype {
            RecordType::CNAME => Found::new(Outcome::Success, vec![link], self.ns(dnssec_ok), Vec::new()),
            _ => self.followed(asked, vec![link], target),
        };
        found.answer.splice(0..0, with_signatures(node, RecordType::DNAME, dnssec_ok));
        Some(found)
    }

    /// Follows a CNAME as long as the zone knows the next name.
    fn followed<'z>(&'z self, asked: Asked<'_>, mut answer: Vec<Line<'z>>, mut target: Name) -> Found<'z> {
        let Asked { name, rtype, dnssec_ok } = asked;
        let mut owners = vec![name.clone()];
        loop {
            let node = self.node(&target);
            if let Some((authority, glue)) = self.cut_above(&target, rtype, dnssec_ok) {
                return Found::new(Outcome::Delegation, answer, authority, glue);
            }
            let asks_apex = rtype == RecordType::NS || rtype == RecordType::SOA && target == self.origin;
            let Some(node) = node.filter(|_| !asks_apex) else {
                let found = Found::new(Outcome::Success, answer, Vec::new(), Vec::new());
                return Found { leads_to: Some((owners, target)), ..found };
            };
            let links = node.set(RecordType::CNAME);
            if links.is_empty() || owners.len() > ZONE_LINKS_MAX + 1 {
                if links.is_empty() {
                    answer.extend(with_signatures(node, rtype, dnssec_ok));
                }
                let additional = self.additional(&answer, dnssec_ok);
                return Found::new(Outcome::Success, answer, self.ns(dnssec_ok), additional);
            }
            answer.extend(with_signatures(node, RecordType::CNAME, dnssec_ok));
            owners.push(target);
            target = links[0].name_at(0);
        }
    }

    /// The first zone cut between the apex and a name.
    fn cut_above(&self, name: &Name, rtype: RecordType, dnssec_ok: bool) -> Option<(Vec<Line<'_>>, Vec<Line<'_>>)> {
        if !self.origin.encloses(name) {
            return None;
        }
        let nodes = self.way_down(name).into_iter().skip(1).filter_map(|part| self.node(&part));
        nodes.into_iter().find_map(|node| self.delegation(node, name, rtype, dnssec_ok))
    }

    /// NS, DS and glue of a zone cut. The DS of the cut itself is ours to tell (RFC 4035 3.1.4.1).
    fn delegation<'z>(
        &'z self,
        node: &'z Node,
        name: &Name,
        rtype: RecordType,
        dnssec_ok: bool,
    ) -> Option<(Vec<Line<'z>>, Vec<Line<'z>>)> {
        let servers = node.set(RecordType::NS);
        if servers.is_empty() || rtype == RecordType::DS && node.owner == *name {
            return None;
        }
        let mut authority = lines(Cow::Borrowed(&node.owner), RecordType::NS, servers);
        if dnssec_ok {
            authority.extend(with_signatures(node, RecordType::DS, true));
        }
        Some((authority, self.glue(&node.owner, servers, dnssec_ok)))
    }

    /// Addresses of servers whose names are below the name that they serve.
    fn glue(&self, owner: &Name, servers: &[Record], dnssec_ok: bool) -> Vec<Line<'_>> {
        let names = servers.iter().map(|server| server.name_at(0)).filter(|name| owner.encloses(name));
        names.filter_map(|name| self.node(&name)).flat_map(|node| addresses(node, dnssec_ok)).collect()
    }

    /// Addresses of the names in an answer that are in the zone.
    fn additional(&self, answer: &[Line<'_>], dnssec_ok: bool) -> Vec<Line<'_>> {
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

    fn soa(&self, dnssec_ok: bool) -> Vec<Line<'_>> {
        let owner = Cow::Borrowed(&self.apex.owner);
        let mut soa = lines(owner.clone(), RecordType::SOA, std::slice::from_ref(&self.apex.soa));
        if dnssec_ok {
            soa.extend(lines(owner, RecordType::RRSIG, &self.apex.soa_signatures));
        }
        soa
    }

    fn ns(&self, dnssec_ok: bool) -> Vec<Line<'_>> {
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

fn lines<'z>(owner: Cow<'z, Name>, rtype: RecordType, records: &'z [Record]) -> Vec<Line<'z>> {
    let line =
        |record: &'z Record| Line { owner: owner.clone(), rtype, ttl: record.ttl, rdata: Cow::Borrowed(&record.rdata) };
    records.iter().map(line).collect()
}

fn signatures<'z>(owner: Cow<'z, Name>, node: &'z Node, covered: RecordType) -> impl Iterator<Item = Line<'z>> {
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
fn with_signatures(node: &Node, rtype: RecordType, dnssec_ok: bool) -> Vec<Line<'_>> {
    let owner = Cow::Borrowed(&node.owner);
    let mut set = lines(owner.clone(), rtype, node.set(rtype));
    if dnssec_ok {
        set.extend(signatures(owner, node, rtype));
    }
    set
}

fn addresses(node: &Node, dnssec_ok: bool) -> Vec<Line<'_>> {
    let mut both = with_signatures(node, RecordType::A, dnssec_ok);
    both.extend(with_signatures(node, RecordType::AAAA, dnssec_ok));
    both
}
