//! A message read in place: header, question, and records as offsets into the bytes.

use super::types::{Class, Flags, Rcode, RecordType};
use super::{HEADER, Name};

/// Where a message breaks the format (RFC 1035 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer octets than a header.
    #[error("shorter than a header")]
    Header,
    /// A name that runs out of the message, is too long, or whose pointers do not lead backwards.
    #[error("a name is broken")]
    Name,
    /// A record or question that runs out of the message.
    #[error("a record runs out of the message")]
    Record,
    /// An OPT record whose options do not add up, or more than one.
    #[error("EDNS is broken")]
    Edns,
    /// Octets after the last record.
    #[error("octets after the last record")]
    Trailing,
    /// Other than one question.
    #[error("other than one question")]
    QuestionCount,
}

/// Which part of a message a record stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // RFC 1035's names
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// A record as offsets into its message.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The section.
    pub section: Section,
    /// Where the owner name starts.
    pub owner: usize,
    /// The type.
    pub rtype: RecordType,
    /// The class.
    pub class: Class,
    /// Seconds.
    pub ttl: u32,
    /// Where the four octets of the TTL stand.
    pub ttl_at: usize,
    /// Where RDATA starts.
    pub rdata: usize,
    /// Where RDATA ends, and the record with it.
    pub end: usize,
}

/// A whole message, checked as far as its frame goes: every record lies inside, nothing follows the last.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    wire: &'m [u8],
    records_at: usize,
}

impl<'m> Message<'m> {
    /// Checks the frame of a message with one question.
    pub fn parse(wire: &'m [u8]) -> Result<Self, Malformed> {
        if wire.len() < HEADER {
            return Err(Malformed::Header);
        }
        if count(wire, 4) != 1 {
            return Err(Malformed::QuestionCount);
        }
        let name_end = skip_name(wire, HEADER).ok_or(Malformed::Name)?;
        let records_at = name_end + 4;
        if records_at > wire.len() {
            return Err(Malformed::Record);
        }
        let message = Self { wire, records_at };
        let mut end = records_at;
        for record in message.records() {
            end = record?.end;
        }
        if end != wire.len() {
            return Err(Malformed::Trailing);
        }
        Ok(message)
    }

    /// The bytes.
    pub fn wire(&self) -> &'m [u8] {
        self.wire
    }

    /// The id.
    pub fn id(&self) -> u16 {
        count(self.wire, 0)
    }

    /// The second pair of octets, see [`Flags`].
    pub fn flags(&self) -> u16 {
        count(self.wire, 2)
    }

    /// True for a response.
    pub fn is_response(&self) -> bool {
        self.flags() & Flags::QR != 0
    }

    /// The response code, with OPT's upper bits.
    pub fn rcode(&self) -> Rcode {
        let low = self.flags() & Flags::RCODE;
        let high = self.opt().map_or(0, |opt| (opt.ttl >> 24) as u16);
        Rcode(high << 4 | low)
    }

    /// The OPT record, if there is one.
    pub fn opt(&self) -> Option<Record> {
        self.records().flatten().find(|record| record.rtype == RecordType::OPT && record.section == Section::Additional)
    }

    /// The question's name.
    pub fn question_name(&self) -> Option<Name> {
        self.name(HEADER)
    }

    /// The question's type.
    pub fn question_type(&self) -> RecordType {
        RecordType(count(self.wire, self.records_at - 4))
    }

    /// The question's class.
    pub fn question_class(&self) -> Class {
        Class(count(self.wire, self.records_at - 2))
    }

    /// True if the question is this one, names compared without case.
    pub fn asks(&self, name: &Name, rtype: RecordType, class: Class) -> bool {
        self.question_type() == rtype && self.question_class() == class && self.stands_at(HEADER, name)
    }

    /// True if this name stands at an offset, compression followed, names compared without case.
    fn stands_at(&self, at: usize, name: &Name) -> bool {
        let mut buffer = [0; 255];
        // octets of length are smaller than letters
        read_name(self.wire, at, &mut buffer)
            .is_some_and(|length| buffer[..length].eq_ignore_ascii_case(name.as_wire()))
    }

    /// The name at an offset, compression followed; `None` if it is broken.
    pub fn name(&self, at: usize) -> Option<Name> {
        let mut buffer = [0; 255];
        let length = read_name(self.wire, at, &mut buffer)?;
        Name::from_wire(&buffer[..length])
    }

    /// The RDATA of a record.
    pub fn rdata(&self, record: &Record) -> &'m [u8] {
        &self.wire[record.rdata..record.end]
    }

    /// All records in order. After an error nothing follows. On a parsed message no error occurs.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, Malformed>> + use<'m> {
        let wire = self.wire;
        let mut at = self.records_at;
        let mut left = [count(wire, 6), count(wire, 8), count(wire, 10)];
        std::iter::from_fn(move || {
            let section = left.iter().position(|&left| left > 0)?;
            left[section] -= 1;
            let record = read_record(wire, at, [Section::Answer, Section::Authority, Section::Additional][section]);
            match &record {
                Ok(record) => at = record.end,
                Err(_) => left = [0; 3],
            }
            Some(record)
        })
    }

    /// The records of one section.
    pub fn section(&self, section: Section) -> impl Iterator<Item = Record> + use<'m> {
        self.records().flatten().filter(move |record| record.section == section)
    }
}

fn read_record(wire: &[u8], at: usize, section: Section) -> Result<Record, Malformed> {
    let fixed = skip_name(wire, at).ok_or(Malformed::Name)?;
    let octets = wire.get(fixed..fixed + 10).ok_or(Malformed::Record)?;
    let length = usize::from(count(octets, 8));
    let rdata = fixed + 10;
    let end = rdata + length;
    if end > wire.len() {
        return Err(Malformed::Record);
    }
    Ok(Record {
        section,
        owner: at,
        rtype: RecordType(count(octets, 0)),
        class: Class(count(octets, 2)),
        ttl: u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]),
        ttl_at: fixed + 4,
        rdata,
        end,
    })
}

fn count(wire: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([wire[at], wire[at + 1]])
}

/// The offset after the name at `at`, without following its pointer; `None` if it runs out of the message.
pub fn skip_name(wire: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*wire.get(at)?);
        match length {
            0 => return Some(at + 1),
            1..=63 => at += 1 + length,
            0xc0.. => return (at + 2 <= wire.len()).then_some(at + 2),
            _ => return None,
        }
    }
}

/// Writes the name at `at` uncompressed, its case kept, and returns its length; `None` if it is broken: pointers must
/// lead backwards, so that no loop is possible.
pub fn read_name(wire: &[u8], mut at: usize, out: &mut [u8; 255]) -> Option<usize> {
    let mut written = 0;
    let mut lowest = at;
    loop {
        let length = usize::from(*wire.get(at)?);
        match length {
            0 => {
                *out.get_mut(written)? = 0;
                return Some(written + 1);
            }
            1..=63 => {
                let label = wire.get(at..at + 1 + length)?;
                out.get_mut(written..written + 1 + length)?.copy_from_slice(label);
                written += 1 + length;
                at += 1 + length;
            }
            0xc0.. => {
                let target = (length & 0x3f) << 8 | usize::from(*wire.get(at + 1)?);
                if target >= lowest {
                    return None;
                }
                lowest = target;
                at = target;
            }
            _ => return None,
        }
    }
}
