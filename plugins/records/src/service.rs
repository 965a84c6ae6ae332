//! The parameters of SVCB and HTTPS (RFC 9460 2.1).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::lexer::{Word, shown};
use crate::name::unescaped;
use crate::values::{base64, number};

/// Keys by name (RFC 9460 14.3.2, RFC 9461 5, RFC 9540 4).
const KEYS: [(&str, u16); 9] = [
    ("mandatory", 0),
    ("alpn", 1),
    ("no-default-alpn", 2),
    ("port", 3),
    ("ipv4hint", 4),
    ("ech", 5),
    ("ipv6hint", 6),
    ("dohpath", 7),
    ("ohttp", 8),
];

/// `[KEY[=VALUE]...]`, put in the order of keys.
pub(crate) fn parameters(mut words: &[Word], to: &mut Vec<u8>) -> Result<(), String> {
    let mut values = BTreeMap::new();
    while let Some((word, behind)) = words.split_first() {
        words = behind;
        if word.is_quoted {
            return Err(format!("`{word}` is no key of a service"));
        }
        let equals = word.octets.iter().position(|&octet| octet == b'=');
        let (name, mut text) = match equals {
            Some(at) => (&word.octets[..at], &word.octets[at + 1..]),
            None => (&word.octets[..], &[][..]),
        };
        // a quoted value is a word of its own: `alpn="h2,h3"`
        if equals == Some(word.octets.len() - 1)
            && let Some((quoted, further)) = words.split_first()
            && quoted.is_quoted
        {
            (text, words) = (&quoted.octets, further);
        }
        let key = key(name)?;
        let value = value(key, text).map_err(|reason| format!("`{}`: {reason}", shown(name)))?;
        if values.insert(key, value).is_some() {
            return Err(format!("`{}` stands twice", shown(name)));
        }
    }
    for (key, value) in values {
        to.extend(key.to_be_bytes());
        to.extend(u16::try_from(value.len()).map_err(|_| "a value is too long")?.to_be_bytes());
        to.extend(value);
    }
    Ok(())
}

fn key(name: &[u8]) -> Result<u16, String> {
    let named = KEYS.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, number)| *number);
    let numbered = || number(str::from_utf8(name).ok()?.strip_prefix("key")?);
    named.or_else(numbered).ok_or_else(|| format!("`{}` is no key of a service", shown(name)))
}

fn value(key: u16, text: &[u8]) -> Result<Vec<u8>, String> {
    let octets = unescaped(text)?;
    let wrong = |what: &str| format!("`{}` is not {what}", shown(text));
    match key {
        0 => {
            let mut keys = octets.split(|&octet| octet == b',').map(self::key).collect::<Result<Vec<_>, _>>()?;
            keys.sort_unstable();
            Ok(keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        1 => protocols(&octets).ok_or_else(|| wrong("a list of protocols")),
        2 | 8 if octets.is_empty() => Ok(octets),
        2 | 8 => Err("it has no value".to_owned()),
        3 => Ok(str::from_utf8(&octets)
            .ok()
            .and_then(number::<u16>)
            .ok_or_else(|| wrong("a port"))?
            .to_be_bytes()
            .into()),
        4 => addresses(&octets, |one| Some(one.parse::<Ipv4Addr>().ok()?.octets()))
            .ok_or_else(|| wrong("a list of IPv4 addresses")),
        5 => base64(&octets).ok_or_else(|| wrong("base64")),
        6 => addresses(&octets, |one| Some(one.parse::<Ipv6Addr>().ok()?.octets()))
            .ok_or_else(|| wrong("a list of IPv6 addresses")),
        _ => Ok(octets),
    }
}

/// Each with its length; commas and backslashes inside are escaped once more (RFC 9460 A.1).
fn protocols(octets: &[u8]) -> Option<Vec<u8>> {
    let mut list = vec![Vec::new()];
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            b',' => list.push(Vec::new()),
            b'\\' => list.last_mut()?.push(*rest.next().filter(|next| b",\\".contains(next))?),
            _ => list.last_mut()?.push(octet),
        }
    }
    let mut wire = Vec::new();
    for protocol in list {
        wire.push(u8::try_from(protocol.len()).ok().filter(|&length| length > 0)?);
        wire.extend(protocol);
    }
    Some(wire)
}

fn addresses<const N: usize>(octets: &[u8], parse: impl Fn(&str) -> Option<[u8; N]>) -> Option<Vec<u8>> {
    let each = str::from_utf8(octets).ok()?.split(',').map(parse);
    Some(each.collect::<Option<Vec<_>>>()?.concat())
}
