//! Records as a zone file has them, `OWNER TTL TYPE RDATA`, and their wire form, uncompressed.

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::RecordType;

/// One record of a table.
#[derive(Clone, Debug)]
pub struct Record {
    /// Owner in lower case with its final dot.
    pub owner: String,
    /// Seconds.
    pub ttl: u32,
    /// The type's number.
    pub rtype: u16,
    /// RDATA on the wire.
    pub rdata: Vec<u8>,
    /// Where a CNAME leads.
    pub target: Option<String>,
}

impl Record {
    /// Reads a line such as `www.example. 60 A 192.0.2.1`.
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [owner, ttl, rtype, rdata @ ..] = words.as_slice() else { panic!("not OWNER TTL TYPE RDATA: {line}") };
        let (owner, ttl) = (owner.to_ascii_lowercase(), ttl.parse().expect("a TTL"));
        let rtype = number(rtype);
        let target = (rtype == RecordType::CNAME.0).then(|| rdata[0].to_ascii_lowercase());
        Self { owner, ttl, rtype, rdata: rdata_wire(rtype, rdata), target }
    }

    /// The record on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(name_wire(&self.owner));
        out.extend(self.rtype.to_be_bytes());
        out.extend([0, 1]);
        out.extend(self.ttl.to_be_bytes());
        out.extend((self.rdata.len() as u16).to_be_bytes());
        out.extend(&self.rdata);
    }
}

/// The number of a type by its mnemonic.
#[track_caller]
pub fn number(mnemonic: &str) -> u16 {
    RecordType::parse(mnemonic).unwrap_or_else(|| panic!("{mnemonic} is no record type")).0
}

/// A name on the wire, its spelling kept. Knows no escapes.
pub fn name_wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).expect("a label is short"));
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn rdata_wire(rtype: u16, words: &[&str]) -> Vec<u8> {
    let pair = |word: &str| word.parse::<u16>().expect("a number of 16 bits").to_be_bytes();
    let mut wire = Vec::new();
    match RecordType(rtype) {
        RecordType::A => wire.extend(words[0].parse::<Ipv4Addr>().expect("an IPv4 address").octets()),
        RecordType::AAAA => wire.extend(words[0].parse::<Ipv6Addr>().expect("an IPv6 address").octets()),
        RecordType::CNAME | RecordType::NS | RecordType::PTR | RecordType::DNAME => wire.extend(name_wire(words[0])),
        RecordType::TXT => {
            for word in words {
                wire.push(word.len() as u8);
                wire.extend(word.as_bytes());
            }
        }
        RecordType::MX => {
            wire.extend(pair(words[0]));
            wire.extend(name_wire(words[1]));
        }
        RecordType::SRV => {
            words[..3].iter().for_each(|word| wire.extend(pair(word)));
            wire.extend(name_wire(words[3]));
        }
        RecordType::SOA => {
            words[..2].iter().for_each(|word| wire.extend(name_wire(word)));
            words[2..].iter().for_each(|word| wire.extend(word.parse::<u32>().expect("32 bits").to_be_bytes()));
        }
        other => panic!("records of type {other} cannot be written in a table"),
    }
    wire
}
