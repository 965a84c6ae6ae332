//! Where a look-up is led to another name: DNAME, CNAME, and zone cuts.

use std::borrow::Cow;

use contract::limits::ZONE_LINKS_MAX;
use contract::wire::{Name, RecordType};

use crate::lines::{Line, addresses, lines, with_signatures};
use crate::lookup::{Asked, Found, Outcome};
use crate::zone::{Node, Record, Zone};

/// NS (and DS) of a zone cut, and its glue.
pub(crate) type Cut<'z> = (Vec<Line<'z>>, Vec<Line<'z>>);

impl Zone {
    /// What a DNAME above the name makes of it; `None` if there is none.
    pub(crate) fn substituted<'z>(&'z self, node: &'z Node, asked: Asked<'_>) -> Option<Found<'z>> {
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
    pub(crate) fn followed<'z>(&'z self, asked: Asked<'_>, mut answer: Vec<Line<'z>>, mut target: Name) -> Found<'z> {
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
    fn cut_above(&self, name: &Name, rtype: RecordType, dnssec_ok: bool) -> Option<Cut<'_>> {
        if !self.origin.encloses(name) {
            return None;
        }
        let nodes = self.way_down(name).into_iter().skip(1).filter_map(|part| self.node(&part));
        nodes.into_iter().find_map(|node| self.delegation(node, name, rtype, dnssec_ok))
    }

    /// NS, DS and glue of a zone cut. The DS of the cut itself is ours to tell (RFC 4035 3.1.4.1).
    pub(crate) fn delegation<'z>(
        &'z self,
        node: &'z Node,
        name: &Name,
        rtype: RecordType,
        dnssec_ok: bool,
    ) -> Option<Cut<'z>> {
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
    pub(crate) fn glue(&self, owner: &Name, servers: &[Record], dnssec_ok: bool) -> Vec<Line<'_>> {
        let names = servers.iter().map(|server| server.name_at(0)).filter(|name| owner.encloses(name));
        names.filter_map(|name| self.node(&name)).flat_map(|node| addresses(node, dnssec_ok)).collect()
    }
}
