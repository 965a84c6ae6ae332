//! What a zone says to a question (RFC 1034 4.3.2, RFC 4592, RFC 6672), in CoreDNS's order of steps.
//!
//! ```text
//!   from the apex down, a label at a time: DNAME? --> substitute;  NS? --> referral
//!   the name itself: CNAME --> follow it inside the zone, and say where it leads out;  its records;  or no data
//!   not there: a wildcard above --> as if the name had its records;  names below --> no data;  else it does not exist
//! ```

use std::borrow::Cow;

use contract::wire::{Name, RecordType};

use crate::lines::{Line, lines, signatures, with_signatures};
use crate::zone::{Node, Zone};

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
    pub(crate) fn new(
        outcome: Outcome,
        answer: Vec<Line<'z>>,
        authority: Vec<Line<'z>>,
        additional: Vec<Line<'z>>,
    ) -> Self {
        Self { outcome, answer, authority, additional, leads_to: None }
    }

    pub(crate) fn failure() -> Self {
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
    pub(crate) fn way_down(&self, name: &Name) -> Vec<Name> {
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
}
