//! An answer as it is memorised: immutable, in wire form, ready to be copied and patched for whoever asks.
//!
//! ```text
//!   upstream's bytes --Answer::from_upstream--> Answer --write--> id, flags, spelling, TTL age, OPT, size
//!   Composer         --Answer::composed ------>
//! ```

use std::time::Duration;

use crate::limits;
use crate::query::Query;
use crate::wire::{
    Class, Composed, Composer, Ede, Flags, Full, HEADER, Malformed, Message, Name, Rcode, Record, RecordType, Section,
    ede, skip_name,
};

/// A reply without its asker: header, question and records in wire form, no OPT, no id.
///
/// The store holds many of these, so message and offsets are one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message, then where its TTLs stand: offsets of two octets, ascending.
    bytes: Box<[u8]>,
    /// Octets of the message.
    wire_len: u16,
    rcode: Rcode,
    /// Flags of the header that are said whatever the rules are, and flags that are not said.
    forced: (u16, u16),
    ede: Option<Box<Ede>>,
}

/// Why upstream's bytes are no answer to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// The frame is broken.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It answers another question, or is none.
    #[error("it is no response to this question")]
    Mismatch,
    /// Its RCODE is about the exchange of messages, not about the question (RFC 6891 6.1.3).
    #[error("it says {0}")]
    Extended(Rcode),
    /// Written out it is too large.
    #[error(transparent)]
    Full(#[from] Full),
}

/// How old an answer is when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Seconds since its TTLs were true.
    Fresh(u32),
    /// Past its end: every TTL becomes [`limits::STALE_TTL`].
    Stale,
    /// Past its end: every TTL becomes this many seconds (`serve_stale` may name one).
    StaleWith(u32),
    /// TTLs as memorised (`keepttl`).
    Kept,
}

/// What of the asker goes into a reply.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'p> {
    /// The id.
    pub id: u16,
    /// The query's flags: RD and CD come back, AD allows AD (RFC 6840 5.7).
    pub flags: u16,
    /// Name, type and class as they came: the spelling comes back.
    pub question: &'p [u8],
    /// Present if the client speaks EDNS: DO.
    pub edns: Option<bool>,
    /// The node's name where the client asked for it (RFC 5001).
    pub nsid: Option<&'p [u8]>,
    /// By which way the answer came about, where the client asked for NSID: told as EDE 0.
    pub way: Option<&'p str>,
    /// The largest reply, octets, OPT included.
    pub limit: usize,
}

impl Answer {
    /// What a plugin composed.
    pub fn composed(composed: Composed, rcode: Rcode) -> Self {
        let wire_len = u16::try_from(composed.wire.len()).expect("a composer writes no larger message");
        let mut bytes = Vec::with_capacity(composed.wire.len() + 2 * composed.ttls.len());
        bytes.extend_from_slice(&composed.wire);
        bytes.extend(composed.ttls.iter().flat_map(|at| at.to_be_bytes()));
        Self { bytes: bytes.into(), wire_len, rcode, forced: (0, 0), ede: None }
    }

    /// A reply without records.
    pub fn empty(name: &Name, rtype: RecordType, class: Class, rcode: Rcode) -> Self {
        let mut composer = Composer::new(name, rtype, class);
        composer.rcode(rcode);
        Self::composed(composer.finish(), rcode)
    }

    /// The answer in an upstream's reply: whole, but without what does not belong to the question's chain. Kept are
    /// AA, AD and TC as upstream gave them; OPT, TSIG and SIG(0) are hop by hop and go.
    pub fn from_upstream(query: &Query, wire: &[u8]) -> Result<Self, BadAnswer> {
        let message = Message::parse(wire)?;
        if !message.is_response() || !message.asks(&query.name, query.rtype, query.class) {
            return Err(BadAnswer::Mismatch);
        }
        let mut composer = Composer::new(&query.name, query.rtype, query.class);
        let rcode = message.rcode();
        if rcode.0 > Flags::RCODE {
            return Err(BadAnswer::Extended(rcode));
        }
        composer.rcode(rcode).flags(message.flags() & (Flags::AA | Flags::AD | Flags::TC));
        for record in chain(&message, &query.name, query.rtype)? {
            // an answer without a record that was sent would be another answer
            if !composer.copy(&message, &record, record.ttl)? {
                return Err(Malformed::Name.into());
            }
        }
        for section in [Section::Authority, Section::Additional] {
            for record in message.section(section) {
                if !matches!(record.rtype, RecordType::OPT | RecordType::TSIG | RecordType::SIG) {
                    composer.copy(&message, &record, record.ttl)?;
                }
            }
        }
        Ok(Self::composed(composer.finish(), rcode))
    }

    /// An answer out of octets that were kept outside the process, as [`Answer::message`] gave them; `None` unless they are a
    /// whole message that answers this question.
    pub fn from_kept(wire: &[u8], name: &Name, rtype: RecordType, class: Class) -> Option<Self> {
        let message = Message::parse(wire).ok()?;
        let rcode = Rcode(message.flags() & Flags::RCODE);
        if !message.is_response() || message.opt().is_some() || !message.asks(name, rtype, class) {
            return None;
        }
        let mut composer = Composer::new(name, rtype, class);
        composer.rcode(rcode).flags(message.flags() & (Flags::AA | Flags::AD | Flags::TC));
        for record in message.records() {
            let record = record.ok()?;
            if !composer.copy(&message, &record, record.ttl).ok()? {
                return None;
            }
        }
        Some(Self::composed(composer.finish(), rcode))
    }

    /// The same answer with an Extended DNS Error.
    #[must_use]
    pub fn with_ede(mut self, ede: Ede) -> Self {
        self.ede = Some(Box::new(ede));
        self
    }

    /// The same answer with each TTL replaced by what `change` makes of it (seconds).
    #[must_use]
    pub fn with_ttls(mut self, change: impl Fn(u32) -> u32) -> Self {
        let (wire, ttls) = self.bytes.split_at_mut(self.wire_len.into());
        for at in offsets(ttls) {
            let ttl = change(read_ttl(wire, at));
            write_ttl(wire, at, ttl);
        }
        self
    }

    /// The same answer whose header says `set` and does not say `clear`, both of [`Flags`], whatever it and the asker's query
    /// would make of it. What was forced before and is not named stays.
    #[must_use]
    pub fn with_flags(mut self, set: u16, clear: u16) -> Self {
        let (before_set, before_clear) = self.forced;
        self.forced = (before_set & !clear | set, before_clear & !set | clear);
        self
    }

    /// The flags of the header that are forced: said, and not said.
    pub fn forced_flags(&self) -> (u16, u16) {
        self.forced
    }

    /// The same answer without AA: it is handed on by somebody who is no authority for it.
    #[must_use]
    pub fn without_authority(mut self) -> Self {
        self.bytes[2] &= !((Flags::AA >> 8) as u8);
        self
    }

    /// The bytes: id 0, TTLs as they were when it was made.
    pub fn message(&self) -> Message<'_> {
        Message::parse(self.wire()).expect("an answer is made of a composed message")
    }

    fn wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.wire_len)]
    }

    fn ttls(&self) -> impl Iterator<Item = usize> {
        offsets(&self.bytes[usize::from(self.wire_len)..])
    }

    /// The response code.
    pub fn rcode(&self) -> Rcode {
        self.rcode
    }

    /// The Extended DNS Error that belongs to it.
    pub fn ede(&self) -> Option<&Ede> {
        self.ede.as_deref()
    }

    /// Octets on the heap, for the store's bound.
    pub fn size(&self) -> usize {
        let ede = self.ede.as_ref().map_or(0, |ede| size_of::<Ede>() + ede.text.len());
        self.bytes.len() + ede
    }

    /// True if it was cut by its upstream.
    pub fn is_truncated(&self) -> bool {
        self.bytes[2] & (Flags::TC >> 8) as u8 != 0
    }

    /// NXDOMAIN, or NOERROR whose answer section has nothing of the type asked for (RFC 2308).
    pub fn is_negative(&self) -> bool {
        self.rcode == Rcode::NXDOMAIN || self.is_nodata()
    }

    /// NOERROR whose answer section does not hold the type asked for.
    pub fn is_nodata(&self) -> bool {
        let message = self.message();
        let asked = message.question_type();
        self.rcode == Rcode::NOERROR
            && !message.section(Section::Answer).any(|record| record.rtype == asked || asked == RecordType::ANY)
    }

    /// The smallest TTL of all records; `None` if there are none.
    pub fn smallest_ttl(&self) -> Option<u32> {
        self.ttls().map(|at| read_ttl(&self.bytes, at)).min()
    }

    /// How long a negative answer may be memorised: the smaller of the SOA's TTL and its MINIMUM (RFC 2308 5), and no
    /// longer than a CNAME that leads to it; `None` without an SOA.
    pub fn negative_ttl(&self) -> Option<u32> {
        let message = self.message();
        let soa = message.section(Section::Authority).find(|record| record.rtype == RecordType::SOA)?;
        let octets = message.rdata(&soa).last_chunk::<4>()?;
        let links = message.section(Section::Answer).map(|record| record.ttl).min().unwrap_or(u32::MAX);
        Some(u32::from_be_bytes(*octets).min(soa.ttl).min(links))
    }

    /// How long the answer is true: [`Answer::negative_ttl`] or [`Answer::smallest_ttl`].
    pub fn true_for(&self) -> Option<Duration> {
        let seconds = if self.is_negative() { self.negative_ttl() } else { self.smallest_ttl() };
        seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Writes the reply for one asker and returns its length. `out` must hold [`limits::MESSAGE_MAX`] octets, or the
    /// asker's limit if that is smaller. An RCODE above 15 is SERVFAIL to who does not speak EDNS. Allocates nothing.
    pub fn write(&self, asker: &Asker<'_>, age: Age, ede: Option<&Ede>, out: &mut [u8]) -> usize {
        let (limit, way) = (asker.limit.min(out.len()), asker.way);
        let room = limit.saturating_sub(HEADER + asker.question.len());
        let nsid = asker.nsid.filter(|nsid| OPT_FIXED + 4 + nsid.len() <= room);
        let asker = &Asker { nsid, way: None, ..*asker };
        let ede = ede.or(self.ede.as_deref()).filter(|ede| opt_length(asker, Some(ede)) <= room);
        let wire = self.wire();
        // what is said about the answer pushes no record out of it (RFC 8914 3)
        let is_whole = |asker: &Asker<'_>, ede| wire.len() + opt_length(asker, ede) <= limit;
        let ede = ede.filter(|ede| is_whole(asker, Some(ede)) || !is_whole(asker, None));
        let asker = &Asker { way: way.filter(|way| is_whole(&Asker { way: Some(way), ..*asker }, ede)), ..*asker };
        let opt = opt_length(asker, ede);
        let (mut length, complete) = match wire.len() + opt <= limit {
            true => (wire.len(), true),
            false => self.cut(limit.saturating_sub(opt)),
        };
        out[..length].copy_from_slice(&wire[..length]);
        if length < wire.len() {
            count_records(&mut out[..length], asker.question.len());
        }
        if !complete {
            out[2] |= (Flags::TC >> 8) as u8;
        }
        self.age(age, &mut out[..length]);
        write_header(asker, out);
        if self.rcode.0 > Flags::RCODE && asker.edns.is_none() {
            // its upper bits stand in OPT: without one, the lower ones would be another RCODE (RFC 6891 6.1.3)
            out[3] = out[3] & !(Flags::RCODE as u8) | Rcode::SERVFAIL.0 as u8;
        }
        if self.forced != (0, 0) {
            force(self.forced, out);
        }
        let opt = write_opt(asker, self.rcode, ede, &mut out[length..]);
        if opt > 0 {
            let additional = u16::from_be_bytes([out[10], out[11]]) + 1;
            out[10..12].copy_from_slice(&additional.to_be_bytes());
        }
        length += opt;
        length
    }

    fn age(&self, age: Age, out: &mut [u8]) {
        let end = out.len();
        for at in self.ttls().take_while(|&at| at < end) {
            let ttl = match age {
                Age::Fresh(0) | Age::Kept => return,
                Age::Fresh(seconds) => read_ttl(out, at).saturating_sub(seconds),
                Age::Stale => limits::STALE_TTL,
                Age::StaleWith(seconds) => seconds,
            };
            write_ttl(out, at, ttl);
        }
    }

    /// The end of the last whole record within `limit` octets, at least the question's; and true if nothing but additional
    /// records is cut, which needs no TC (RFC 2181 9).
    fn cut(&self, limit: usize) -> (usize, bool) {
        let mut end = skip_name(self.wire(), HEADER).map_or(HEADER, |end| end + 4);
        for record in self.message().records().flatten() {
            if record.end > limit {
                return (end, record.section == Section::Additional);
            }
            end = record.end;
        }
        (end, true)
    }
}

/// The records of the answer section that belong to the question: from QNAME along contiguous CNAME (and DNAME) links to
/// the type asked for, each with its signatures.
fn chain(message: &Message<'_>, name: &Name, rtype: RecordType) -> Result<Vec<Record>, Malformed> {
    let named = |record: Record| Ok((message.name(record.owner).ok_or(Malformed::Name)?, record));
    let answers: Vec<(Name, Record)> = message.section(Section::Answer).map(named).collect::<Result<_, _>>()?;
    let mut kept = Vec::with_capacity(answers.len());
    let mut current = name.clone();
    for _ in 0..=limits::CNAME_LINKS_MAX {
        let is_link = |record: &Record| record.rtype == RecordType::CNAME && rtype != RecordType::CNAME;
        for (owner, record) in &answers {
            let covered = covered_type(message, record);
            let asked = record.rtype == rtype || rtype == RecordType::ANY || covered == Some(rtype);
            let link = is_link(record) || covered == Some(RecordType::CNAME);
            let dname = record.rtype == RecordType::DNAME || covered == Some(RecordType::DNAME);
            let here = match *owner == current {
                true => asked || link,
                false => dname && owner.encloses(&current),
            };
            if here && !kept.iter().any(|one: &Record| one.owner == record.owner && one.rdata == record.rdata) {
                kept.push(*record);
            }
        }
        let link = answers.iter().find(|(owner, record)| *owner == current && is_link(record));
        match link {
            Some((_, record)) if rtype != RecordType::ANY => {
                current = message.name(record.rdata).ok_or(Malformed::Name)?;
            }
            _ => break,
        }
    }
    Ok(kept)
}

/// The type that an RRSIG covers.
fn covered_type(message: &Message<'_>, record: &Record) -> Option<RecordType> {
    let octets = message.rdata(record).first_chunk::<2>()?;
    (record.rtype == RecordType::RRSIG).then(|| RecordType(u16::from_be_bytes(*octets)))
}

/// Offsets of TTLs as an answer holds them.
fn offsets(ttls: &[u8]) -> impl Iterator<Item = usize> {
    ttls.chunks_exact(2).map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]])))
}

fn read_ttl(wire: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([wire[at], wire[at + 1], wire[at + 2], wire[at + 3]])
}

fn write_ttl(wire: &mut [u8], at: usize, ttl: u32) {
    wire[at..at + 4].copy_from_slice(&ttl.to_be_bytes());
}

fn write_header(asker: &Asker<'_>, out: &mut [u8]) {
    out[..2].copy_from_slice(&asker.id.to_be_bytes());
    out[2] |= ((asker.flags & Flags::RD) >> 8) as u8;
    out[3] |= (Flags::RA | asker.flags & Flags::CD) as u8;
    if asker.flags & Flags::AD == 0 && asker.edns != Some(true) {
        out[3] &= !(Flags::AD as u8);
    }
    out[HEADER..HEADER + asker.question.len()].copy_from_slice(asker.question);
}

/// Says what is said whatever the rules are.
#[inline(never)]
fn force((set, clear): (u16, u16), out: &mut [u8]) {
    let flags = u16::from_be_bytes([out[2], out[3]]) & !clear | set;
    out[2..4].copy_from_slice(&flags.to_be_bytes());
}

/// Counts the records that a cut left whole, section by section.
fn count_records(out: &mut [u8], question: usize) {
    let mut left = [0, 1, 2].map(|index| u16::from_be_bytes([out[6 + 2 * index], out[7 + 2 * index]]));
    let mut at = HEADER + question;
    for left in &mut left {
        let mut whole = 0;
        while *left > whole && at < out.len() {
            let Some(fixed) = skip_name(out, at) else { break };
            at = fixed + 10 + usize::from(u16::from_be_bytes([out[fixed + 8], out[fixed + 9]]));
            whole += 1;
        }
        *left = whole;
    }
    for (index, count) in left.iter().enumerate() {
        out[6 + 2 * index..8 + 2 * index].copy_from_slice(&count.to_be_bytes());
    }
}

/// Octets of OPT without options (RFC 6891 6.1.2).
const OPT_FIXED: usize = 11;

fn ede_text(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(limits::EDE_TEXT_MAX)]
}

/// Octets of an Extended DNS Error as an option.
fn ede_length(text: &str) -> usize {
    6 + ede_text(text).len()
}

/// Writes an Extended DNS Error as an option; says how long it is.
fn write_ede(code: u16, text: &str, out: &mut [u8]) -> usize {
    let text = ede_text(text);
    out[..2].copy_from_slice(&crate::wire::OPTION_EDE.to_be_bytes());
    out[2..4].copy_from_slice(&(2 + text.len() as u16).to_be_bytes());
    out[4..6].copy_from_slice(&code.to_be_bytes());
    out[6..6 + text.len()].copy_from_slice(text);
    6 + text.len()
}

fn opt_length(asker: &Asker<'_>, ede: Option<&Ede>) -> usize {
    match asker.edns {
        None => 0,
        Some(_) => {
            let told = ede.map_or(0, |ede| ede_length(&ede.text)) + asker.way.map_or(0, ede_length);
            OPT_FIXED + told + asker.nsid.map_or(0, |nsid| 4 + nsid.len())
        }
    }
}

fn write_opt(asker: &Asker<'_>, rcode: Rcode, ede: Option<&Ede>, out: &mut [u8]) -> usize {
    let length = opt_length(asker, ede);
    let Some(dnssec_ok) = asker.edns else { return 0 };
    if out.len() < length {
        return 0;
    }
    let [size_high, size_low] = (limits::UDP_REPLY_MAX as u16).to_be_bytes();
    let fixed = [0, 0, 41, size_high, size_low, (rcode.0 >> 4) as u8, 0, u8::from(dnssec_ok) << 7, 0];
    out[..9].copy_from_slice(&fixed);
    out[9..11].copy_from_slice(&((length - OPT_FIXED) as u16).to_be_bytes());
    let mut at = OPT_FIXED;
    if let Some(nsid) = asker.nsid {
        out[at..at + 2].copy_from_slice(&crate::wire::OPTION_NSID.to_be_bytes());
        out[at + 2..at + 4].copy_from_slice(&(nsid.len() as u16).to_be_bytes());
        out[at + 4..at + 4 + nsid.len()].copy_from_slice(nsid);
        at += 4 + nsid.len();
    }
    if let Some(ede) = ede {
        at += write_ede(ede.code, &ede.text, &mut out[at..]);
    }
    if let Some(way) = asker.way {
        write_ede(ede::OTHER, way, &mut out[at..]);
    }
    length
}

#[cfg(test)]
mod tests;
