//! Records on their way from one message into another, some of their names changed.
//!
//! Names in RDATA may be pointers into their message. So records are not taken out of it: what is new is put behind it, and
//! the records' offsets lead there.

use std::ops::Range;

use contract::wire::{Message, Name, Record, RecordType, Section, read_name, skip_name};

use crate::pass::NoName;
use crate::reply::value_at;
use crate::swap::Swap;
use crate::text;

/// A record, and its names as text as far as rules look at them.
#[derive(Debug)]
pub(crate) struct Draft {
    record: Record,
    /// Its TTL as it is to be told, seconds.
    pub(crate) ttl: u32,
    owner: Text,
    /// The name that it points to, and where that begins and ends in the message; for types whose value rules change.
    value: Option<(Range<usize>, Text)>,
    /// The owner as it came.
    pub(crate) came_from: Option<Name>,
}

#[derive(Debug)]
struct Text {
    text: String,
    is_changed: bool,
}

impl Text {
    fn at(message: &Message<'_>, at: usize) -> Option<Self> {
        let mut name = [0; 255];
        let length = read_name(message.wire(), at, &mut name)?;
        Some(Self { text: text::of_wire(&name[..length]), is_changed: false })
    }

    fn swap(&mut self, swap: &Swap) -> bool {
        let Some(text) = swap.apply(&self.text) else { return false };
        self.is_changed |= text != self.text;
        self.text = text;
        true
    }
}

impl Draft {
    /// A record of a message, as it stands there.
    pub(crate) fn of(message: &Message<'_>, record: Record) -> Self {
        let owner = Text::at(message, record.owner).unwrap_or(Text { text: String::new(), is_changed: false });
        let value = value_at(record.rtype, message.rdata(&record)).and_then(|at| {
            let at = record.rdata + at;
            let behind = skip_name(message.wire(), at).filter(|behind| *behind <= record.end)?;
            Some((at..behind, Text::at(message, at)?))
        });
        Self { record, ttl: record.ttl, owner, value, came_from: message.name(record.owner) }
    }

    pub(crate) fn section(&self) -> Section {
        self.record.section
    }

    /// True for a CNAME in the answer section.
    pub(crate) fn is_link(&self) -> bool {
        self.section() == Section::Answer && self.record.rtype == RecordType::CNAME
    }

    pub(crate) fn swap_owner(&mut self, swap: &Swap) {
        self.owner.swap(swap);
    }

    pub(crate) fn swap_value(&mut self, swap: &Swap) {
        if let Some((_, value)) = &mut self.value {
            value.swap(swap);
        }
    }

    /// Lets it lead elsewhere; says where, if the swap concerns it.
    pub(crate) fn lead(&mut self, swap: &Swap) -> Option<String> {
        let (_, value) = self.value.as_mut()?;
        value.swap(swap).then(|| value.text.clone())
    }
}

/// A message with what is new behind it, and the records that lead there.
#[derive(Debug)]
pub(crate) struct Bench {
    wire: Vec<u8>,
    records: Vec<Record>,
}

impl Bench {
    /// The drafts of a message's records, written out.
    pub(crate) fn of(message: &Message<'_>, drafts: &[Draft]) -> Result<Self, NoName> {
        let mut wire = message.wire().to_vec();
        let mut records = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let mut record = Record { ttl: draft.ttl, ..draft.record };
            if draft.owner.is_changed {
                record.owner = put(&mut wire, name_of(&draft.owner)?.as_wire()).unwrap_or(record.owner);
            }
            if let Some((place, value)) = draft.value.as_ref().filter(|(_, value)| value.is_changed) {
                let (name, octets) = (name_of(value)?, message.wire());
                let (before, behind) = (&octets[record.rdata..place.start], &octets[place.end..record.end]);
                let rdata = [before, name.as_wire(), behind].concat();
                if let Some(at) = put(&mut wire, &rdata) {
                    (record.rdata, record.end) = (at, wire.len());
                }
            }
            records.push(record);
        }
        Ok(Self { wire, records })
    }

    /// The message that the records' offsets lead into.
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.wire).expect("whole records were put behind a whole message")
    }

    /// The records.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.records.iter().copied()
    }
}

fn name_of(text: &Text) -> Result<Name, NoName> {
    text::name(&text.text).ok_or_else(|| NoName(text.text.clone()))
}

/// Puts octets behind a message, as the RDATA of an additional record; says where. `None` if they are too many for one.
fn put(wire: &mut Vec<u8>, octets: &[u8]) -> Option<usize> {
    let length = u16::try_from(octets.len()).ok()?;
    let count = u16::from_be_bytes([wire[10], wire[11]]).checked_add(1)?;
    wire[10..12].copy_from_slice(&count.to_be_bytes());
    let [high, low] = length.to_be_bytes();
    wire.extend_from_slice(&[0, 0, RecordType::NULL.0 as u8, 0, 1, 0, 0, 0, 0, high, low]);
    let at = wire.len();
    wire.extend_from_slice(octets);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swap::Find;
    use contract::wire::{Class, Composer};

    #[test]
    fn a_value_that_runs_out_of_its_record_is_left_alone() {
        let owner = Name::parse("a.test").unwrap();
        for (rtype, rdata) in [
            (RecordType::SRV, &b"\0\x01"[..]),
            (RecordType::MX, b"\0\x01\x03ol"),
            (RecordType::NAPTR, b"\0\x01\0\x01\x09"),
            (RecordType::CNAME, b""),
        ] {
            let mut composer = Composer::new(&owner, rtype, Class::IN);
            composer.record(Section::Answer, &owner, rtype, 9, |to| to.octets(rdata)).unwrap();
            composer
                .record(Section::Answer, &owner, RecordType::TXT, 9, |to| to.octets(b"\x03old\0\x03old\0"))
                .unwrap();
            let wire = composer.finish().wire;
            let message = Message::parse(&wire).unwrap();
            let mut drafts: Vec<_> = message.records().flatten().map(|record| Draft::of(&message, record)).collect();
            let any = Swap::plain(Find::Substring(".".into()), "x.");
            drafts.iter_mut().for_each(|draft| {
                draft.swap_value(&any);
                draft.swap_owner(&any);
            });
            let bench = Bench::of(&message, &drafts).unwrap();
            let (whole, records): (_, Vec<_>) = (bench.message(), bench.records().collect());
            assert_eq!((records.len(), whole.rdata(&records[0])), (2, rdata), "{rtype}");
            assert_eq!(whole.name(records[0].owner).unwrap().to_string(), "ax.testx.");
        }
    }
}
