//! Writes messages: names compressed (RFC 1035 4.1.4), offsets of TTLs noted as they are written.

use super::Name;
use super::message::{Message, Record, Section, read_name};
use super::types::{Class, Flags, Rcode, RecordType};

/// What a [`Composer`] wrote: header, question and records, no OPT.
#[derive(Debug)]
pub struct Composed {
    /// The message; id 0, QR and RA set.
    pub wire: Vec<u8>,
    /// Where TTLs stand, in ascending order.
    pub ttls: Vec<u16>,
}

/// The message would be larger than 65,535 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is larger than 65535 octets")]
pub struct Full;

/// Writes one reply, section by section in order.
#[derive(Debug)]
pub struct Composer {
    wire: Vec<u8>,
    ttls: Vec<u16>,
    /// Where labels start that a pointer may lead to.
    targets: Vec<u16>,
    counts: [u16; 3],
}

/// The highest offset a pointer can hold.
const POINTER_MAX: usize = 0x3fff;
/// How many label starts are remembered for compression: bounds the search for a suffix.
const TARGETS_MAX: usize = 128;

impl Composer {
    /// Begins a reply to a question.
    pub fn new(name: &Name, rtype: RecordType, class: Class) -> Self {
        let mut this = Self { wire: Vec::with_capacity(256), ttls: Vec::new(), targets: Vec::new(), counts: [0; 3] };
        this.wire.extend_from_slice(&[0, 0, 0x80, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
        this.name(name.as_wire(), true);
        this.wire.extend_from_slice(&rtype.0.to_be_bytes());
        this.wire.extend_from_slice(&class.0.to_be_bytes());
        this
    }

    /// Sets the RCODE (its lower four bits).
    pub fn rcode(&mut self, rcode: Rcode) -> &mut Self {
        self.wire[3] = self.wire[3] & 0xf0 | (rcode.0 & Flags::RCODE) as u8;
        self
    }

    /// Sets flags such as AA, AD and TC.
    pub fn flags(&mut self, flags: u16) -> &mut Self {
        let [high, low] = flags.to_be_bytes();
        self.wire[2] |= high;
        self.wire[3] |= low;
        self
    }

    /// Adds a record whose RDATA is written by `rdata`.
    pub fn record(
        &mut self,
        section: Section,
        owner: &Name,
        rtype: RecordType,
        ttl: u32,
        rdata: impl FnOnce(&mut Self),
    ) -> Result<(), Full> {
        self.framed(section, owner.as_wire(), (rtype, Class::IN, ttl), rdata)
    }

    /// Adds a TXT of class CHAOS, in which servers speak of themselves.
    pub fn chaos_text(&mut self, owner: &Name, text: &str) -> Result<(), Full> {
        let frame = (RecordType::TXT, Class::CH, 0);
        self.framed(Section::Answer, owner.as_wire(), frame, |to| to.string(text.as_bytes()))
    }

    /// Adds a CNAME (RFC 1035 3.3.1) to the answer section.
    pub fn cname(&mut self, owner: &Name, target: &Name, ttl: u32) -> Result<(), Full> {
        self.record(Section::Answer, owner, RecordType::CNAME, ttl, |to| to.name(target.as_wire(), true))
    }

    /// Octets of RDATA.
    pub fn octets(&mut self, octets: &[u8]) {
        self.wire.extend_from_slice(octets);
    }

    /// A character string (RFC 1035 3.3), cut at 255 octets.
    pub fn string(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(255)];
        self.wire.push(text.len() as u8);
        self.wire.extend_from_slice(text);
    }

    /// A name inside RDATA.
    pub fn rdata_name(&mut self, name: &Name) {
        self.name(name.as_wire(), true);
    }

    /// Copies a record of another message: names are read through its compression and compressed anew.
    /// `Ok(false)` if a name in it is broken: nothing is added.
    pub fn copy(&mut self, from: &Message<'_>, record: &Record, ttl: u32) -> Result<bool, Full> {
        let mut owner = [0; 255];
        let Some(length) = read_name(from.wire(), record.owner, &mut owner) else { return Ok(false) };
        let Some(parts) = rdata_parts(from, record) else { return Ok(false) };
        self.framed(record.section, &owner[..length], (record.rtype, record.class, ttl), |to| {
            for part in &parts {
                match part {
                    Part::Octets(octets) => to.octets(octets),
                    Part::Name(name) => to.name(name, compressible(record.rtype)),
                }
            }
        })?;
        Ok(true)
    }

    /// How many records a section has so far.
    pub fn count(&self, section: Section) -> u16 {
        self.counts[section as usize]
    }

    /// The finished message.
    pub fn finish(mut self) -> Composed {
        for (index, count) in self.counts.iter().enumerate() {
            self.wire[6 + 2 * index..8 + 2 * index].copy_from_slice(&count.to_be_bytes());
        }
        Composed { wire: self.wire, ttls: self.ttls }
    }

    fn framed(
        &mut self,
        section: Section,
        owner: &[u8],
        (rtype, class, ttl): (RecordType, Class, u32),
        rdata: impl FnOnce(&mut Self),
    ) -> Result<(), Full> {
        let start = self.wire.len();
        self.name(owner, true);
        self.wire.extend_from_slice(&rtype.0.to_be_bytes());
        self.wire.extend_from_slice(&class.0.to_be_bytes());
        let ttl_at = self.wire.len();
        self.wire.extend_from_slice(&ttl.to_be_bytes());
        self.wire.extend_from_slice(&[0, 0]);
        let body = self.wire.len();
        rdata(self);
        let length = self.wire.len() - body;
        let (Ok(ttl_at), Ok(length), true) =
            (u16::try_from(ttl_at), u16::try_from(length), self.wire.len() <= usize::from(u16::MAX))
        else {
            self.wire.truncate(start);
            self.targets.retain(|&target| usize::from(target) < start);
            return Err(Full);
        };
        self.wire[body - 2..body].copy_from_slice(&length.to_be_bytes());
        self.ttls.push(ttl_at);
        self.counts[section as usize] += 1;
        Ok(())
    }

    /// Writes a name (wire form, any case), as a pointer from the longest suffix that stands in the message already.
    fn name(&mut self, name: &[u8], compress: bool) {
        let mut rest = name;
        while rest[0] != 0 {
            if compress && let Some(target) = self.find(rest) {
                self.wire.extend_from_slice(&(0xc000 | target).to_be_bytes());
                return;
            }
            let at = self.wire.len();
            if at <= POINTER_MAX && self.targets.len() < TARGETS_MAX {
                self.targets.push(at as u16);
            }
            let (label, tail) = rest.split_at(1 + usize::from(rest[0]));
            self.wire.extend_from_slice(label);
            rest = tail;
        }
        self.wire.push(0);
    }

    fn find(&self, suffix: &[u8]) -> Option<u16> {
        self.targets.iter().copied().find(|&target| self.stands_at(usize::from(target), suffix))
    }

    /// True if the name at an offset of ours equals `suffix` to the letter: spelling is kept, so case counts.
    fn stands_at(&self, mut at: usize, mut suffix: &[u8]) -> bool {
        loop {
            // a name under way may end at the end of what is written
            let Some(&length) = self.wire.get(at) else { return false };
            if length >= 0xc0 {
                let Some(&low) = self.wire.get(at + 1) else { return false };
                at = usize::from(length & 0x3f) << 8 | usize::from(low);
                continue;
            }
            if length != suffix[0] {
                return false;
            }
            if length == 0 {
                return true;
            }
            let end = 1 + usize::from(length);
            if self.wire.get(at..at + end) != Some(&suffix[..end]) {
                return false;
            }
            at += end;
            suffix = &suffix[end..];
        }
    }
}

/// A piece of RDATA: names must be read through the compression of the message that they stand in.
enum Part<'m> {
    Octets(&'m [u8]),
    Name(Vec<u8>),
}

/// The types whose names in RDATA may be compressed on sending (RFC 3597 4).
fn compressible(rtype: RecordType) -> bool {
    use RecordType as T;
    matches!(rtype, T::NS | T::MD | T::MF | T::CNAME | T::SOA | T::MB | T::MG | T::MR | T::PTR | T::MINFO | T::MX)
}

/// RDATA cut at its names: octets before, how many names, octets after. `None` if a name is broken.
fn rdata_parts<'m>(from: &Message<'m>, record: &Record) -> Option<Vec<Part<'m>>> {
    use RecordType as T;
    let (before, names) = match record.rtype {
        T::NS | T::MD | T::MF | T::CNAME | T::MB | T::MG | T::MR | T::PTR | T::DNAME | T::NSEC => (0, 1),
        T::SOA | T::MINFO | T::RP => (0, 2),
        T::MX | T::AFSDB | T::KX => (2, 1),
        T::SRV => (6, 1),
        T::SIG | T::RRSIG => (18, 1),
        _ => return Some(vec![Part::Octets(from.rdata(record))]),
    };
    let mut at = record.rdata + before;
    let mut parts = Vec::with_capacity(4);
    parts.push(Part::Octets(from.wire().get(record.rdata..at.min(record.end))?));
    for _ in 0..names {
        let mut name = [0; 255];
        let length = read_name(from.wire(), at, &mut name)?;
        at = super::skip_name(from.wire(), at)?;
        parts.push(Part::Name(name[..length].to_vec()));
    }
    parts.push(Part::Octets(from.wire().get(at..record.end)?));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn what_is_composed_is_read_back_and_copied() {
        let asked = name("www.example.com");
        let mut composer = Composer::new(&asked, RecordType::A, Class::IN);
        composer.cname(&asked, &name("web.example.com"), 60).unwrap();
        composer
            .record(Section::Answer, &name("web.example.com"), RecordType::A, 30, |to| to.octets(&[192, 0, 2, 1]))
            .unwrap();
        composer
            .record(Section::Authority, &name("example.com"), RecordType::SRV, 9, |to| {
                to.octets(&[0, 1, 0, 2, 0, 53]);
                to.rdata_name(&name("ns.example.com"));
            })
            .unwrap();
        let composed = composer.finish();
        let message = Message::parse(&composed.wire).unwrap();
        assert!(message.asks(&asked, RecordType::A, Class::IN) && message.is_response());
        let ttls: Vec<u16> = message.records().map(|record| record.unwrap().ttl_at as u16).collect();
        assert_eq!(ttls, composed.ttls);
        let answers: Vec<_> = message.section(Section::Answer).collect();
        assert_eq!(message.name(answers[0].rdata), Some(name("web.example.com")));
        assert_eq!(message.name(answers[1].owner), Some(name("web.example.com")));
        assert!(composed.wire.len() < 12 + 21 + 12 + 6 + 16 + 12 + 18 + 4, "names are compressed");

        let mut again = Composer::new(&asked, RecordType::A, Class::IN);
        for record in message.records() {
            let record = record.unwrap();
            assert_eq!(again.copy(&message, &record, record.ttl), Ok(true));
        }
        assert_eq!(again.count(Section::Answer), 2);
        let again = again.finish();
        let copied = Message::parse(&again.wire).unwrap();
        let srv = copied.section(Section::Authority).next().unwrap();
        assert_eq!(copied.name(srv.rdata + 6), Some(name("ns.example.com")));
    }

    #[test]
    fn a_message_never_grows_over_its_bound() {
        let asked = name("big.example");
        let mut composer = Composer::new(&asked, RecordType::TXT, Class::IN);
        let big = vec![1; 30_000];
        assert_eq!(composer.record(Section::Answer, &asked, RecordType::TXT, 1, |to| to.octets(&big)), Ok(()));
        assert_eq!(composer.record(Section::Answer, &asked, RecordType::TXT, 1, |to| to.octets(&big)), Ok(()));
        assert_eq!(composer.record(Section::Answer, &asked, RecordType::TXT, 1, |to| to.octets(&big)), Err(Full));
        assert!(Message::parse(&composer.finish().wire).is_ok());
    }

    #[test]
    fn rdata_that_lies_about_its_names_is_left_out() {
        let asked = name("x");
        let mut composer = Composer::new(&asked, RecordType::NS, Class::IN);
        composer.record(Section::Answer, &asked, RecordType::NS, 1, |to| to.octets(&[0xc0])).unwrap();
        composer.record(Section::Answer, &asked, RecordType::NS, 1, |to| to.octets(&[3, b'a'])).unwrap();
        composer.record(Section::Answer, &asked, RecordType::SRV, 1, |to| to.octets(&[0])).unwrap();
        let composed = composer.finish();
        let message = Message::parse(&composed.wire).unwrap();
        let mut again = Composer::new(&asked, RecordType::NS, Class::IN);
        for record in message.section(Section::Answer) {
            assert_eq!(again.copy(&message, &record, 1), Ok(false));
        }
        assert_eq!(again.count(Section::Answer), 0);
    }
}
