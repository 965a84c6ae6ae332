//! The records of a zone in canonical order (RFC 4034 6.1), so that the names around one that is missing are at hand.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use contract::limits::ZONE_SET_MAX;
use contract::wire::{Name, RecordType};

use crate::master::{self, BadZone, Parsed};
use crate::stamps::Stamps;

/// A zone as it is served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) origin: Name,
    pub(crate) apex: Apex,
    /// Owners by their canonical key. SOA and NS of the apex, and their signatures, are in [`Apex`].
    nodes: BTreeMap<Box<[u8]>, Node>,
}

/// What stands at the top of a zone and goes into the authority section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Apex {
    /// The owner of the SOA: one file may serve several zones.
    pub(crate) owner: Name,
    pub(crate) soa: Record,
    pub(crate) soa_signatures: Vec<Record>,
    pub(crate) ns: Vec<Record>,
    pub(crate) ns_signatures: Vec<Record>,
}

/// An owner and its records.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) owner: Name,
    sets: Vec<(RecordType, Vec<Record>)>,
}

/// A record without what it shares with others of its set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Seconds.
    pub(crate) ttl: u32,
    /// Uncompressed.
    pub(crate) rdata: Box<[u8]>,
}

impl Zone {
    /// Reads a zone out of a file's octets; the files that it includes are noted. `Ok(None)` if the first SOA has the serial
    /// that is known: what follows it is not looked at.
    pub(crate) fn read(
        path: &Path,
        octets: &[u8],
        origin: &Name,
        known: Option<u32>,
        files: &mut Stamps,
    ) -> Result<Option<Self>, BadZone> {
        let mut draft = Draft { origin, known, soa: None, apex: Default::default(), nodes: BTreeMap::new() };
        let read = master::read(path, octets, origin, files, &mut |parsed| draft.insert(parsed))?;
        if read.is_break() {
            return Ok(None);
        }
        let Some((owner, soa)) = draft.soa else {
            let reason = format!("it has no SOA for the zone {origin}");
            return Err(BadZone { file: path.to_owned(), line: 1, reason });
        };
        let [soa_signatures, ns, ns_signatures] = draft.apex;
        let apex = Apex { owner, soa, soa_signatures, ns, ns_signatures };
        Ok(Some(Self { origin: origin.clone(), apex, nodes: draft.nodes }))
    }

    /// The SOA's serial.
    pub(crate) fn serial(&self) -> u32 {
        self.apex.soa.serial()
    }

    /// How many owners it has beside the apex.
    pub(crate) fn names(&self) -> usize {
        self.nodes.len()
    }

    /// The records of a name, if it has any.
    pub(crate) fn node(&self, name: &Name) -> Option<&Node> {
        self.nodes.get(&key(name))
    }

    /// True if there is a name below.
    pub(crate) fn has_descendant(&self, name: &Name) -> bool {
        let key = key(name);
        let mut behind = self.nodes.range((Bound::Excluded(key.clone()), Bound::Unbounded));
        behind.next().is_some_and(|(next, _)| next.starts_with(&key))
    }

    /// The name itself or the last one before it.
    pub(crate) fn at_or_before(&self, name: &Name) -> Option<&Node> {
        self.nodes.range(..=key(name)).next_back().map(|(_, node)| node)
    }
}

impl Node {
    /// The records of a type; empty if there are none.
    pub(crate) fn set(&self, rtype: RecordType) -> &[Record] {
        let set = self.sets.iter().find(|(one, _)| *one == rtype);
        set.map_or(&[], |(_, records)| records)
    }

    /// The signatures over a type.
    pub(crate) fn signatures(&self, covered: RecordType) -> impl Iterator<Item = &Record> {
        self.set(RecordType::RRSIG).iter().filter(move |record| record.covers(covered))
    }

    fn insert(&mut self, rtype: RecordType, record: Record) -> Result<(), String> {
        let set = match self.sets.iter_mut().position(|(one, _)| *one == rtype) {
            Some(place) => &mut self.sets[place].1,
            None => &mut self.sets.push_mut((rtype, Vec::new())).1,
        };
        add(set, record)
    }
}

impl Record {
    /// For an SOA: its serial (RFC 1035 3.3.13).
    fn serial(&self) -> u32 {
        let fields = self.rdata.last_chunk::<20>().expect("an SOA has five numbers");
        u32::from_be_bytes([fields[0], fields[1], fields[2], fields[3]])
    }

    /// For an RRSIG: whether it is over this type.
    fn covers(&self, covered: RecordType) -> bool {
        self.rdata.starts_with(&covered.0.to_be_bytes())
    }

    /// The name that RDATA begins with after so many octets, in lower case.
    pub(crate) fn name_at(&self, at: usize) -> Name {
        let octets = &self.rdata[at..];
        let mut end = 0;
        while octets[end] != 0 {
            end += 1 + usize::from(octets[end]);
        }
        Name::from_wire(&octets[..=end]).expect("names in RDATA were checked as they were read")
    }
}

/// Adds a record to its set; the same once more changes nothing (RFC 2181 5).
fn add(set: &mut Vec<Record>, record: Record) -> Result<(), String> {
    if set.iter().any(|one| one.rdata == record.rdata) {
        return Ok(());
    }
    let octets: usize = set.iter().map(|one| one.rdata.len() + 12).sum();
    if octets + record.rdata.len() > ZONE_SET_MAX {
        return Err(format!("records of one owner and type with more than {ZONE_SET_MAX} octets fit into no message"));
    }
    set.push(record);
    Ok(())
}

/// A zone that is being read.
struct Draft<'o> {
    origin: &'o Name,
    /// Nothing is to be read of a zone with this serial.
    known: Option<u32>,
    soa: Option<(Name, Record)>,
    /// Signatures over the SOA, NS, signatures over NS.
    apex: [Vec<Record>; 3],
    nodes: BTreeMap<Box<[u8]>, Node>,
}

impl Draft<'_> {
    fn insert(&mut self, parsed: Parsed) -> Result<ControlFlow<()>, String> {
        let Parsed { owner, rtype, ttl, rdata } = parsed;
        let record = Record { ttl, rdata: rdata.into() };
        let is_apex = owner == *self.origin;
        match rtype {
            RecordType::SOA if self.soa.is_none() && self.known == Some(record.serial()) => {
                return Ok(ControlFlow::Break(()));
            }
            RecordType::SOA => self.soa = Some((owner, record)),
            RecordType::NSEC3 | RecordType::NSEC3PARAM => {
                return Err("zones signed with NSEC3 are not served; sign it with NSEC".to_owned());
            }
            RecordType::RRSIG if record.covers(RecordType::SOA) => add(&mut self.apex[0], record)?,
            RecordType::NS if is_apex => add(&mut self.apex[1], record)?,
            RecordType::RRSIG if is_apex && record.covers(RecordType::NS) => add(&mut self.apex[2], record)?,
            _ => {
                let node = self.nodes.entry(key(&owner)).or_insert_with(|| Node { owner, sets: Vec::new() });
                node.insert(rtype, record)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Octets whose order is the canonical order of names: labels from the right, each ended by a zero that is below all else.
fn key(name: &Name) -> Box<[u8]> {
    let labels: Vec<&[u8]> = name.labels().collect();
    let mut key = Vec::with_capacity(name.as_wire().len());
    for label in labels.into_iter().rev() {
        for &octet in label {
            match octet {
                0 | 1 => key.extend([1, octet + 1]),
                other => key.push(other),
            }
        }
        key.push(0);
    }
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_canonical_order() {
        // RFC 4034 6.1
        let names = [
            "example",
            "a.example",
            "yljkjljk.a.example",
            "Z.a.example",
            "zABC.a.EXAMPLE",
            "z.example",
            r"\001.z.example",
            "*.z.example",
            r"\200.z.example",
        ];
        let keys: Vec<_> = names.iter().map(|name| key(&Name::parse(name).unwrap())).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        let below = key(&Name::parse(r"\000.a.example").unwrap());
        assert!(
            below > key(&Name::parse("a.example").unwrap()) && below < key(&Name::parse(r"\000a.a.example").unwrap())
        );
    }
}
