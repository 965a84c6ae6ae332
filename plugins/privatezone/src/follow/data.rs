//! Records by what they hold: what objects have as text and zones in wire form, brought to one form and compared.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::Answer;
use contract::limits::CNAME_LINKS_MAX;
use contract::wire::{Composer, Message, Name, Rcode, Record, RecordType, Section};

/// What one record holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Data {
    Address(IpAddr),
    /// A name, and the octets before it (preference, weights).
    Host(Box<[u8]>, Name),
    /// All character strings as one: how a text is cut is the writer's choice.
    Text(Box<[u8]>),
    /// RDATA as it came.
    Octets(Box<[u8]>),
}

/// Records of one name with their types, in no order.
pub(super) type Records = BTreeSet<(RecordType, Data)>;

/// What an answer shows of the very name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Of the type asked for, or a CNAME in its place.
    pub(super) records: Records,
    /// False: NXDOMAIN.
    pub(super) exists: bool,
}

impl View {
    /// `None` if the answer does not tell: a failure of its server, or cut off.
    pub(super) fn of(answer: &Answer, name: &Name, rtype: RecordType) -> Option<Self> {
        if answer.is_truncated() || !matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            return None;
        }
        let message = answer.message();
        let of_name = |record: &Record| {
            [rtype, RecordType::CNAME].contains(&record.rtype) && message.name(record.owner).as_ref() == Some(name)
        };
        let records = message.section(Section::Answer).filter(of_name);
        let records: Records = records.map(|record| (record.rtype, Data::of_record(&message, &record))).collect();
        // the code of a chain is about its end (RFC 6604)
        let exists = answer.rcode() == Rcode::NOERROR || !records.is_empty();
        Some(Self { records, exists })
    }
}

/// The names to which the chain of an answer leads, in order; QNAME is not among them.
pub(super) fn targets(answer: &Answer, name: &Name, rtype: RecordType) -> Vec<Name> {
    if matches!(rtype, RecordType::CNAME | RecordType::ANY) {
        return Vec::new(); // it rests on no other name
    }
    let message = answer.message();
    let target = |owner: &Name| {
        let mut aliases = message.section(Section::Answer).filter(|record| record.rtype == RecordType::CNAME);
        let alias = aliases.find(|record| message.name(record.owner).as_ref() == Some(owner))?;
        message.name(alias.rdata)
    };
    std::iter::successors(target(name), target).take(CNAME_LINKS_MAX).collect()
}

impl Data {
    /// What an object's target becomes in the zone; `None` if that is not certain.
    pub(super) fn of_target(rtype: RecordType, target: &str) -> Option<Self> {
        match rtype {
            RecordType::A => Some(Self::Address(target.parse::<Ipv4Addr>().ok()?.into())),
            RecordType::AAAA => Some(Self::Address(target.parse::<Ipv6Addr>().ok()?.into())),
            RecordType::CNAME | RecordType::NS | RecordType::PTR => Self::host::<0>(target),
            RecordType::MX => Self::host::<1>(target),
            RecordType::SRV => Self::host::<3>(target),
            RecordType::TXT => text(target).map(|text| Self::Text(text.into())),
            _ => None,
        }
    }

    /// `N` numbers and a name.
    fn host<const N: usize>(target: &str) -> Option<Self> {
        let mut words = target.split_ascii_whitespace();
        let mut octets = Vec::with_capacity(2 * N);
        for _ in 0..N {
            octets.extend(words.next()?.parse::<u16>().ok()?.to_be_bytes());
        }
        let name = Name::parse(words.next()?).ok()?;
        words.next().is_none().then(|| Self::Host(octets.into(), name))
    }

    fn of_record(message: &Message<'_>, record: &Record) -> Self {
        let octets = message.rdata(record);
        let host = |at: usize| {
            let name = message.name(record.rdata + at)?;
            Some(Self::Host(octets.get(..at)?.into(), name))
        };
        let read = match record.rtype {
            RecordType::A => <[u8; 4]>::try_from(octets).ok().map(|octets| Self::Address(octets.into())),
            RecordType::AAAA => <[u8; 16]>::try_from(octets).ok().map(|octets| Self::Address(octets.into())),
            RecordType::CNAME | RecordType::NS | RecordType::PTR => host(0),
            RecordType::MX => host(2),
            RecordType::SRV => host(6),
            RecordType::TXT => strings(octets).map(|text| Self::Text(text.into())),
            _ => None,
        };
        read.unwrap_or_else(|| Self::Octets(octets.into()))
    }

    /// Writes it as RDATA.
    pub(super) fn write(&self, to: &mut Composer) {
        match self {
            Self::Address(IpAddr::V4(address)) => to.octets(&address.octets()),
            Self::Address(IpAddr::V6(address)) => to.octets(&address.octets()),
            Self::Host(before, name) => {
                to.octets(before);
                to.octets(name.as_wire());
            }
            Self::Text(text) if text.is_empty() => to.string(&[]),
            Self::Text(text) => text.chunks(255).for_each(|part| to.string(part)),
            Self::Octets(octets) => to.octets(octets),
        }
    }
}

/// A text as zone files have it: in quotes (RFC 1035 5.1), or one bare word. `None` for anything else: providers differ in what
/// they make of blanks.
fn text(target: &str) -> Option<Vec<u8>> {
    let is_bare = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet > b' ' && !b"\"\\;".contains(&octet));
    if is_bare(target) {
        return Some(target.into());
    }
    let mut rest = target.trim();
    let mut whole = Vec::new();
    while !rest.is_empty() {
        rest = quoted(rest.strip_prefix('"')?, &mut whole)?.trim_start();
    }
    (!target.trim().is_empty()).then_some(whole)
}

/// Reads up to the closing quote and returns what follows.
fn quoted<'t>(rest: &'t str, out: &mut Vec<u8>) -> Option<&'t str> {
    let mut octets = rest.bytes().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'"' => return rest.get(at + 1..),
            b'\\' => match octets.next()?.1 {
                first @ b'0'..=b'9' => {
                    let digits = [first, octets.next()?.1, octets.next()?.1];
                    out.push(std::str::from_utf8(&digits).ok()?.parse().ok()?);
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

/// The character strings of a TXT record, joined.
fn strings(mut octets: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(octets.len());
    while let Some((&length, tail)) = octets.split_first() {
        let (text, rest) = tail.split_at_checked(length.into())?;
        whole.extend_from_slice(text);
        octets = rest;
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_where_they_are_certain() {
        let read = |target| Data::of_target(RecordType::TXT, target);
        let text = |text: &[u8]| Some(Data::Text(text.into()));
        assert_eq!(read("v=spf1"), text(b"v=spf1"));
        assert_eq!(read(r#""v=spf1 -all""#), text(b"v=spf1 -all"));
        assert_eq!(read(r#""one" "two""#), text(b"onetwo"));
        assert_eq!(read(r#""a\"b\\\200""#), text(b"a\"b\\\xc8"));
        assert_eq!(read(r#""""#), text(b""));
        for unclear in ["", " ", "v=spf1 -all", r#""open"#, r#"a"b""#, r"a\b", "a;b", r#""\999""#, r#""a" b"#] {
            assert_eq!(read(unclear), None, "{unclear}");
        }
    }

    #[test]
    fn targets_that_are_none_of_their_type_are_refused() {
        for (rtype, target) in [
            (RecordType::A, "2001:db8::1"),
            (RecordType::AAAA, "192.0.2.1"),
            (RecordType::CNAME, ""),
            (RecordType::CNAME, "a b"),
            (RecordType::MX, "mail.example"),
            (RecordType::MX, "70000 mail.example"),
            (RecordType::SRV, "0 5 sip.example"),
            (RecordType::SRV, "0 5 5060 sip.example x"),
            (RecordType::NAPTR, "x"),
        ] {
            assert_eq!(Data::of_target(rtype, target), None, "{rtype} {target}");
        }
    }
}
