//! RDATA from words to wire form, by a table of what each type is written with.

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::RecordType;

use super::fields::{self, Field};
use super::lexer::Word;
use super::{name, service};

/// What the RDATA of a type is written with; `None` for types that are written in the general form alone (RFC 3597 5).
fn layout(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::*;
    use RecordType as T;
    Some(match rtype {
        T::A => &[V4],
        T::AAAA => &[V6],
        T::NS | T::CNAME => &[Lower],
        T::PTR | T::DNAME | T::MB | T::MG | T::MR | T::MD | T::MF => &[Name],
        T::MX => &[U16, Lower],
        T::SOA => &[Lower, Lower, U32, Seconds, Seconds, Seconds, Seconds],
        T::TXT | T::SPF => &[Texts],
        T::SRV => &[U16, U16, U16, Name],
        T::AFSDB | T::KX => &[U16, Name],
        T::RP | T::MINFO => &[Name, Name],
        T::HINFO => &[Text, Text],
        T::NAPTR => &[U16, U16, Text, Text, Text, Name],
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
        _ => return None,
    })
}

/// The wire form of RDATA; names without a final dot are below `origin`.
pub(super) fn parse(rtype: RecordType, words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    if words.first().is_some_and(|word| word.octets == br"\#" && !word.is_quoted) {
        let has_names =
            layout(rtype).is_some_and(|layout| layout.iter().any(|field| matches!(field, Field::Name | Field::Lower)));
        return match has_names || matches!(rtype, RecordType::SVCB | RecordType::HTTPS) {
            true => Err(format!(r"{rtype} has names, which are not read in the form `\#`; write its words")),
            false => general(&words[1..]),
        };
    }
    if matches!(rtype, RecordType::SVCB | RecordType::HTTPS) {
        return service::parse(words, origin);
    }
    let layout = layout(rtype)
        .ok_or_else(|| format!(r"records of type {rtype} are read in the form `{rtype} \# LENGTH HEXADECIMAL` only"))?;
    let (mut rdata, mut rest) = (Vec::new(), words);
    for field in layout {
        if rest.is_empty() && !matches!(field, Field::Types) {
            return Err(format!("{rtype} needs more words"));
        }
        rest = read(*field, rest, origin, &mut rdata).map_err(|reason| format!("{rtype}: {reason}"))?;
    }
    if let Some(word) = rest.first() {
        return Err(format!("{rtype}: unexpected `{}`", word.octets.escape_ascii()));
    }
    if rdata.len() > usize::from(u16::MAX) {
        return Err(format!("{rtype}: longer than 65535 octets"));
    }
    Ok(rdata)
}

/// `LENGTH HEXADECIMAL` behind `\#` (RFC 3597 5).
fn general(words: &[Word]) -> Result<Vec<u8>, String> {
    let (length, digits) = words.split_first().ok_or(r"expected a length behind `\#`")?;
    let length: u16 = fields::number(length.text()?)?;
    let rdata = fields::hex(&joined(digits))?;
    if rdata.len() != usize::from(length) {
        return Err(format!("{} octets where {length} are announced", rdata.len()));
    }
    Ok(rdata)
}

/// Reads one field of at least one word into RDATA; gives back the words behind it.
fn read<'w>(field: Field, words: &'w [Word], origin: &[u8], to: &mut Vec<u8>) -> Result<&'w [Word], String> {
    if let Some(behind) = read_rest(field, words, to)? {
        return Ok(behind);
    }
    let (word, behind) = words.split_first().ok_or("a word is missing")?;
    let text = || word.text();
    match field {
        Field::U8 => to.push(fields::number(text()?)?),
        Field::U16 => to.extend(fields::number::<u16>(text()?)?.to_be_bytes()),
        Field::U32 => to.extend(fields::number::<u32>(text()?)?.to_be_bytes()),
        Field::Seconds => {
            let seconds =
                fields::seconds(text()?).ok_or_else(|| format!("`{}` is no time", word.octets.escape_ascii()))?;
            to.extend(seconds.to_be_bytes());
        }
        Field::Name => to.extend(name::absolute(&word.octets, origin)?),
        Field::Lower => to.extend(name::absolute(&word.octets, origin)?.to_ascii_lowercase()),
        Field::V4 => to.extend(
            text()?
                .parse::<Ipv4Addr>()
                .map_err(|_| format!("`{}` is no IPv4 address", word.octets.escape_ascii()))?
                .octets(),
        ),
        Field::V6 => to.extend(
            text()?
                .parse::<Ipv6Addr>()
                .map_err(|_| format!("`{}` is no IPv6 address", word.octets.escape_ascii()))?
                .octets(),
        ),
        Field::Text => push_string(&word.octets, to)?,
        Field::Type => to.extend(fields::record_type(text()?)?.0.to_be_bytes()),
        Field::Algorithm => to.push(fields::algorithm(text()?)?),
        Field::Certificate => to.extend(fields::certificate(text()?)?.to_be_bytes()),
        Field::Moment => to.extend(fields::moment(text()?)?.to_be_bytes()),
        Field::Eui(count) => to.extend(eui(text()?, count)?),
        Field::Salt => {
            let salt = if word.octets == b"-" { Vec::new() } else { fields::hex(&word.octets)? };
            to.push(u8::try_from(salt.len()).map_err(|_| "a salt longer than 255 octets")?);
            to.extend(salt);
        }
        Field::Texts | Field::Hex | Field::Base64 | Field::Bare | Field::Types => unreachable!("they take all words"),
    }
    Ok(behind)
}

/// The fields that take all words that are left.
fn read_rest<'w>(field: Field, words: &'w [Word], to: &mut Vec<u8>) -> Result<Option<&'w [Word]>, String> {
    match field {
        Field::Texts => words.iter().try_for_each(|word| push_string(&word.octets, to))?,
        Field::Hex => to.extend(fields::hex(&joined(words))?),
        Field::Base64 => to.extend(fields::base64(&joined(words))?),
        Field::Bare => {
            let (word, behind) = words.split_first().ok_or("a text is missing")?;
            to.extend(name::string(&word.octets, usize::from(u16::MAX))?);
            return Ok(Some(behind));
        }
        Field::Types => {
            let types: Result<Vec<_>, _> = words.iter().map(|word| fields::record_type(word.text()?)).collect();
            to.extend(fields::types(&types?));
        }
        _ => return Ok(None),
    }
    Ok(Some(&[]))
}

fn joined(words: &[Word]) -> Vec<u8> {
    words.iter().flat_map(|word| word.octets.iter().copied()).collect()
}

/// A character string with its length.
fn push_string(text: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
    let octets = name::string(text, 255)?;
    to.push(octets.len() as u8);
    to.extend(octets);
    Ok(())
}

/// `00-00-5e-00-53-2a` (RFC 7043).
fn eui(text: &str, count: u8) -> Result<Vec<u8>, String> {
    let octets: Result<Vec<u8>, _> = text.split('-').map(|pair| u8::from_str_radix(pair, 16)).collect();
    let octets = octets.ok().filter(|octets| octets.len() == usize::from(count));
    octets.ok_or_else(|| format!("`{text}` is not {count} octets with hyphens between them"))
}
