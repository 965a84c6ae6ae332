//! Questions as clients send them, and replies as clients read them: strictly, and with expectations in DNS terms.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::RecordType;

use crate::record;

/// A question under construction.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The id.
    pub id: u16,
    /// The second pair of octets of the header; RD unless changed.
    pub flags: u16,
    /// QNAME on the wire.
    pub name: Vec<u8>,
    /// QTYPE.
    pub rtype: u16,
    /// QCLASS.
    pub class: u16,
    /// EDNS: size, version, flags, options.
    pub edns: Option<(u16, u8, u16, Vec<u8>)>,
}

/// A question for a name and a type's mnemonic, class IN, RD set, without EDNS.
#[track_caller]
pub fn ask(name: &str, rtype: &str) -> Ask {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0x1001);
    let id = NEXT.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    let name = record::name_wire(name);
    Ask { id, flags: 0x0100, name, rtype: record::number(rtype), class: 1, edns: None }
}

impl Ask {
    /// With EDNS and this size.
    #[must_use]
    pub fn edns(mut self, size: u16) -> Self {
        self.edns = Some((size, 0, 0, Vec::new()));
        self
    }

    /// With DO, and EDNS if there was none.
    #[must_use]
    pub fn dnssec(mut self) -> Self {
        self.edns.get_or_insert((1232, 0, 0, Vec::new())).2 |= 0x8000;
        self
    }

    /// With an EDNS option.
    #[must_use]
    pub fn option(mut self, code: u16, octets: &[u8]) -> Self {
        let (.., options) = self.edns.get_or_insert((1232, 0, 0, Vec::new()));
        options.extend(code.to_be_bytes());
        options.extend((octets.len() as u16).to_be_bytes());
        options.extend(octets);
        self
    }

    /// With more flags in the header.
    #[must_use]
    pub fn flag(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// In another class.
    #[must_use]
    pub fn class(mut self, class: u16) -> Self {
        self.class = class;
        self
    }

    /// The message.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(64);
        wire.extend(self.id.to_be_bytes());
        wire.extend(self.flags.to_be_bytes());
        wire.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        wire.extend(&self.name);
        wire.extend(self.rtype.to_be_bytes());
        wire.extend(self.class.to_be_bytes());
        if let Some((size, version, flags, options)) = &self.edns {
            wire.extend([0, 0, 41]);
            wire.extend(size.to_be_bytes());
            wire.extend([0, *version]);
            wire.extend(flags.to_be_bytes());
            wire.extend((options.len() as u16).to_be_bytes());
            wire.extend(options);
        }
        wire
    }
}

/// A record as a reply has it; RDATA as text, names in it uncompressed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// 0 answer, 1 authority, 2 additional.
    pub section: usize,
    /// `OWNER TYPE RDATA`.
    pub text: String,
    /// Seconds.
    pub ttl: u32,
}

/// OPT of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The responder's size.
    pub size: u16,
    /// The version.
    pub version: u8,
    /// DO.
    pub dnssec_ok: bool,
    /// All flags.
    pub flags: u16,
    /// Options by code.
    pub options: Vec<(u16, Vec<u8>)>,
}

/// A reply, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The octets.
    pub wire: Vec<u8>,
    /// The id.
    pub id: u16,
    /// The second pair of octets.
    pub flags: u16,
    /// The RCODE with OPT's upper bits.
    pub rcode: u16,
    /// The question section as it stands.
    pub question: Vec<u8>,
    /// All records but OPT.
    pub lines: Vec<Line>,
    /// OPT.
    pub opt: Option<Opt>,
}

/// RCODEs by their mnemonics.
const RCODES: [(&str, u16); 7] =
    [("NOERROR", 0), ("FORMERR", 1), ("SERVFAIL", 2), ("NXDOMAIN", 3), ("NOTIMP", 4), ("REFUSED", 5), ("BADVERS", 16)];

impl Reply {
    /// Reads a reply: every octet must belong to something.
    pub fn read(wire: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor { wire, at: 0 };
        let mut header = [0; 6];
        for pair in &mut header {
            *pair = cursor.pair()?;
        }
        let [id, flags, questions, counts @ ..] = header;
        for _ in 0..questions {
            cursor.name()?;
            cursor.take(4)?;
        }
        let question = wire[12..cursor.at].to_vec();
        let (mut lines, mut opt, mut rcode) = (Vec::new(), None, flags & 15);
        for (section, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                let owner = cursor.name()?;
                let (rtype, class) = (cursor.pair()?, cursor.pair()?);
                let ttl = u32::from(cursor.pair()?) << 16 | u32::from(cursor.pair()?);
                let length = usize::from(cursor.pair()?);
                let end = cursor.at + length;
                if rtype == RecordType::OPT.0 {
                    if owner != "." || section != 2 || opt.is_some() {
                        return Err("an OPT record out of place".to_owned());
                    }
                    rcode |= (ttl >> 24 << 4) as u16;
                    opt = Some(cursor.opt(class, ttl, end)?);
                    continue;
                }
                let rdata = cursor.rdata(rtype, end)?;
                let text = format!("{owner} {} {rdata}", RecordType(rtype)).trim_end().to_owned();
                lines.push(Line { section, text, ttl });
            }
        }
        match cursor.at == wire.len() {
            true => Ok(Self { wire: wire.to_vec(), id, flags, rcode, question, lines, opt }),
            false => Err(format!("{} octets after the last record", wire.len() - cursor.at)),
        }
    }

    /// The text form of a section's records, sorted.
    pub fn section(&self, section: usize) -> Vec<&str> {
        let mut texts: Vec<_> =
            self.lines.iter().filter(|line| line.section == section).map(|line| line.text.as_str()).collect();
        texts.sort_unstable();
        texts
    }

    /// The answer section's records in order.
    pub fn answers(&self) -> Vec<&str> {
        self.lines.iter().filter(|line| line.section == 0).map(|line| line.text.as_str()).collect()
    }

    /// The codes of the Extended DNS Errors in it.
    pub fn edes(&self) -> Vec<u16> {
        let options = self.opt.iter().flat_map(|opt| &opt.options);
        options
            .filter(|(code, octets)| *code == 15 && octets.len() >= 2)
            .map(|(_, octets)| u16::from_be_bytes([octets[0], octets[1]]))
            .collect()
    }

    /// Expects an RCODE.
    #[track_caller]
    pub fn is(&self, rcode: &str) -> &Self {
        let expected = RCODES.iter().find(|(name, _)| *name == rcode).expect("an RCODE by name").1;
        assert!(self.rcode == expected, "expected {rcode}, got\n{self}");
        self.always()
    }

    /// What holds for every reply: QR and RA, and none of the bits that must be zero.
    #[track_caller]
    pub fn always(&self) -> &Self {
        assert!(self.flags & 0x8080 == 0x8080, "expected QR and RA, got\n{self}");
        assert!(self.flags & 0x0040 == 0, "expected Z to be zero, got\n{self}");
        self
    }

    /// Expects exactly these records in the answer section, in any order, `OWNER TYPE RDATA`.
    #[track_caller]
    pub fn answers_are(&self, expected: &[&str]) -> &Self {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert!(self.section(0) == expected, "expected {expected:?}, got\n{self}");
        self
    }

    /// Expects these records at the start of the answer section, in this order.
    #[track_caller]
    pub fn answers_in_order(&self, expected: &[&str]) -> &Self {
        assert!(self.answers() == expected, "expected {expected:?}, got\n{self}");
        self
    }

    /// Expects every TTL of the answer section within a range.
    #[track_caller]
    pub fn ttls_within(&self, range: std::ops::RangeInclusive<u32>) -> &Self {
        let good = self.lines.iter().filter(|line| line.section == 0).all(|line| range.contains(&line.ttl));
        assert!(good, "expected TTLs within {range:?}, got\n{self}");
        self
    }

    /// Expects an Extended DNS Error with one of these codes.
    #[track_caller]
    pub fn ede(&self, codes: &[u16]) -> &Self {
        assert!(self.edes().iter().any(|code| codes.contains(code)), "expected EDE of {codes:?}, got\n{self}");
        self
    }

    /// Expects an SOA in the authority section, as negative answers have it.
    #[track_caller]
    pub fn has_soa(&self) -> &Self {
        let found = self.lines.iter().any(|line| line.section == 1 && line.text.contains(" SOA "));
        assert!(found, "expected an SOA, got\n{self}");
        self
    }

    /// True if the reply was cut.
    pub fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rcode = RCODES.iter().find(|(_, code)| *code == self.rcode).map_or("?", |(name, _)| *name);
        writeln!(f, "  {rcode} id {} flags {:#06x} {} octets", self.id, self.flags, self.wire.len())?;
        for line in &self.lines {
            writeln!(f, "  section {}: {} (TTL {})", line.section, line.text, line.ttl)?;
        }
        if let Some(opt) = &self.opt {
            write!(f, "  OPT size {} version {} flags {:#06x}", opt.size, opt.version, opt.flags)?;
            for (code, octets) in &opt.options {
                write!(f, " option {code}: {}", String::from_utf8_lossy(octets))?;
            }
        }
        Ok(())
    }
}

struct Cursor<'w> {
    wire: &'w [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], String> {
        let octets = self.wire.get(self.at..self.at + length).ok_or("the message ends too early")?;
        self.at += length;
        Ok(octets)
    }

    fn pair(&mut self) -> Result<u16, String> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// A name in lower case with its final dot.
    fn name(&mut self) -> Result<String, String> {
        let (mut text, mut at, mut after, mut jumps) = (String::new(), self.at, None, 0);
        loop {
            let length = usize::from(*self.wire.get(at).ok_or("a name runs out of the message")?);
            if length >= 0xc0 {
                let low = usize::from(*self.wire.get(at + 1).ok_or("a pointer runs out of the message")?);
                after.get_or_insert(at + 2);
                at = (length & 0x3f) << 8 | low;
                jumps += 1;
                if jumps > 64 {
                    return Err("pointers in a circle".to_owned());
                }
                continue;
            }
            let label = self.wire.get(at + 1..at + 1 + length).ok_or("a label runs out of the message")?;
            at += 1 + length;
            if length == 0 {
                break;
            }
            for &octet in label {
                match octet.to_ascii_lowercase() {
                    octet @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*') => text.push(char::from(octet)),
                    octet => write!(text, "\\{octet:03}").expect("a String takes all"),
                }
            }
            text.push('.');
        }
        self.at = after.unwrap_or(at);
        Ok(if text.is_empty() { ".".to_owned() } else { text })
    }

    fn opt(&mut self, class: u16, ttl: u32, end: usize) -> Result<Opt, String> {
        let mut options = Vec::new();
        while self.at < end {
            let (code, length) = (self.pair()?, self.pair()?);
            options.push((code, self.take(length.into())?.to_vec()));
        }
        let flags = ttl as u16;
        let version = (ttl >> 16) as u8;
        match self.at == end {
            true => Ok(Opt { size: class, version, dnssec_ok: flags & 0x8000 != 0, flags, options }),
            false => Err("OPT does not add up".to_owned()),
        }
    }

    fn rdata(&mut self, rtype: u16, end: usize) -> Result<String, String> {
        let mut text = String::new();
        let put = |text: &mut String, word: String| {
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(&word);
        };
        let (before, names) = match RecordType(rtype) {
            RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => (0, 1),
            RecordType::MX => (1, 1),
            RecordType::SRV => (3, 1),
            RecordType::SOA => (0, 2),
            _ => (0, 0),
        };
        for _ in 0..before {
            put(&mut text, self.pair()?.to_string());
        }
        for _ in 0..names {
            put(&mut text, self.name()?);
        }
        let rest = end.checked_sub(self.at).ok_or("RDATA is longer than said")?;
        let octets = self.take(rest)?;
        let word = match (RecordType(rtype), octets.len()) {
            (_, 0) => return Ok(text),
            (RecordType::A, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(octets).expect("four octets")).to_string(),
            (RecordType::AAAA, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("16 octets")).to_string(),
            (RecordType::SOA, 20) => {
                let number = |four: &[u8]| four.iter().fold(0u32, |sum, &octet| sum << 8 | u32::from(octet));
                octets.chunks(4).map(|four| number(four).to_string()).collect::<Vec<_>>().join(" ")
            }
            (RecordType::TXT | RecordType::HINFO, _) => strings(octets),
            _ => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        put(&mut text, word);
        Ok(text)
    }
}

fn strings(mut octets: &[u8]) -> String {
    let mut words = Vec::new();
    while let Some((&length, rest)) = octets.split_first() {
        let (word, tail) = rest.split_at(usize::from(length).min(rest.len()));
        words.push(word.escape_ascii().to_string());
        octets = tail;
    }
    words.join(" ")
}
