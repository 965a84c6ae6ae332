//! Data from words to wire form, by a table of what each type is written with.

use std::ops::Range;

use contract::wire::RecordType;

use crate::field::Field;
use crate::lexer::Word;
use crate::values;

/// What the data of a type is written with; `None` for types that are written in the general form alone (RFC 3597 5).
fn layout(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::*;
    use RecordType as T;
    Some(match rtype {
        T::A => &[V4],
        T::AAAA => &[V6],
        T::NS | T::CNAME | T::PTR | T::DNAME | T::MB | T::MG | T::MR | T::MD | T::MF => &[Name],
        T::SOA => &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds],
        T::TXT | T::SPF => &[Texts],
        T::SRV => &[U16, U16, U16, Name],
        T::MX | T::AFSDB | T::KX => &[U16, Name],
        T::RP | T::MINFO => &[Name, Name],
        T::HINFO => &[System],
        T::NAPTR => &[U16, U16, Quoted, Quoted, Quoted, Name],
        T::CAA => &[U8, Text, Bare],
        T::URI => &[U16, U16, Bare],
        T::DS | T::CDS => &[U16, Algorithm, U8, Hex],
        T::DNSKEY | T::CDNSKEY | T::KEY => &[U16, U8, Algorithm, Base64],
        T::RRSIG | T::SIG => &[Type, Algorithm, U8, Seconds, Moment, Moment, U16, Name, Base64],
        T::NSEC => &[Name, Types],
        T::CSYNC => &[U32, U16, Types],
        T::TLSA | T::SMIMEA => &[U8, U8, U8, Hex],
        T::SSHFP => &[U8, U8, Hex],
        T::CERT => &[Certificate, U16, Algorithm, Base64],
        T::OPENPGPKEY | T::DHCID => &[Base64],
        T::ZONEMD => &[U32, U8, U8, Hex],
        T::NSEC3PARAM => &[U8, U8, U16, Salt],
        T::EUI48 => &[Eui(6)],
        T::EUI64 => &[Eui(8)],
        T::SVCB | T::HTTPS => &[U16, Name, Parameters],
        _ => return None,
    })
}

/// The data of a record in wire form; names without a final dot are below `origin`, which is in wire form.
pub fn rdata(rtype: RecordType, words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    let made = match words {
        [] => Err("there is no data".to_owned()),
        [first, digits @ ..] if first.octets == br"\#" && !first.is_quoted => general(rtype, digits),
        _ => own(rtype, words, origin),
    };
    let fits = |rdata: &Vec<u8>| rdata.len() <= usize::from(u16::MAX);
    let made = made.and_then(|rdata| if fits(&rdata) { Ok(rdata) } else { Err("longer than 65535 octets".to_owned()) });
    made.map_err(|reason| format!("{rtype}: {reason}"))
}

/// Where names stand in data; `None` if it does not have the form of its type.
pub fn names(rtype: RecordType, rdata: &[u8]) -> Option<Vec<Range<usize>>> {
    let (mut names, mut at) = (Vec::new(), 0);
    let Some(layout) = layout(rtype) else { return Some(names) };
    for field in layout {
        let end = field.end(rdata, at)?;
        names.extend((*field == Field::Name).then_some(at..end));
        at = end;
    }
    (at == rdata.len()).then_some(names)
}

/// As the type is written.
fn own(rtype: RecordType, words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    let layout = layout(rtype).ok_or_else(|| format!(r"only the form `{rtype} \# LENGTH HEXADECIMAL` is read"))?;
    let (mut rdata, mut rest) = (Vec::new(), words);
    for field in layout {
        rest = field.read(rest, origin, &mut rdata)?;
    }
    match rest {
        [] => Ok(rdata),
        [word, ..] => Err(format!("unexpected `{word}`")),
    }
}

/// `LENGTH HEXADECIMAL` behind `\#` (RFC 3597 5), if it has the form of its type.
fn general(rtype: RecordType, words: &[Word]) -> Result<Vec<u8>, String> {
    let (length, digits) = words.split_first().ok_or(r"a length is missing behind `\#`")?;
    let announced: Option<u16> = length.text().and_then(values::number);
    let announced = announced.ok_or_else(|| format!("`{length}` is not a length"))?;
    let mut rdata = Vec::new();
    if !digits.is_empty() {
        Field::Hex.read(digits, &[], &mut rdata)?;
    }
    if rdata.len() != usize::from(announced) {
        return Err(format!("{} octets where {announced} are announced", rdata.len()));
    }
    match names(rtype, &rdata) {
        Some(_) => Ok(rdata),
        None => Err(format!("these octets are no data of {rtype}")),
    }
}
