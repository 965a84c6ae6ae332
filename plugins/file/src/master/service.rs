//! RDATA of SVCB and HTTPS (RFC 9460 2.1).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::lexer::Word;
use super::{fields, name};

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

/// `PRIORITY TARGET [KEY[=VALUE]...]`.
pub(super) fn parse(words: &[Word], origin: &[u8]) -> Result<Vec<u8>, String> {
    let [priority, target, parameters @ ..] = words else { return Err("expected a priority and a name".to_owned()) };
    let mut rdata = fields::number::<u16>(priority.text()?)?.to_be_bytes().to_vec();
    rdata.extend(name::absolute(&target.octets, origin)?.to_ascii_lowercase());
    let mut values = std::collections::BTreeMap::new();
    let mut rest = parameters;
    while let Some((word, behind)) = rest.split_first() {
        rest = behind;
        let equals = word.octets.iter().position(|&octet| octet == b'=');
        let (key, mut text) = match equals {
            Some(at) => (&word.octets[..at], word.octets[at + 1..].to_vec()),
            None => (&word.octets[..], Vec::new()),
        };
        // a quoted value is a word of its own: `alpn="h2,h3"`
        if equals == Some(word.octets.len() - 1)
            && let Some((quoted, further)) = rest.split_first()
            && quoted.is_quoted
        {
            text.clone_from(&quoted.octets);
            rest = further;
        }
        let key = key_number(key)?;
        if values.insert(key, value(key, &text)?).is_some() {
            return Err(format!("key{key} stands twice"));
        }
    }
    for (key, value) in values {
        rdata.extend(key.to_be_bytes());
        rdata.extend(u16::try_from(value.len()).map_err(|_| "a value is too long")?.to_be_bytes());
        rdata.extend(value);
    }
    Ok(rdata)
}

fn key_number(key: &[u8]) -> Result<u16, String> {
    let text = str::from_utf8(key).map_err(|_| "a key is no UTF-8")?;
    match KEYS.iter().find(|(name, _)| *name == text) {
        Some((_, number)) => Ok(*number),
        None => match text.strip_prefix("key") {
            Some(digits) => fields::number(digits),
            None => Err(format!("`{text}` is no key of a service")),
        },
    }
}

fn value(key: u16, text: &[u8]) -> Result<Vec<u8>, String> {
    let plain = || str::from_utf8(text).map_err(|_| "a value is no UTF-8".to_owned());
    match key {
        0 => {
            let mut keys = text.split(|&octet| octet == b',').map(key_number).collect::<Result<Vec<_>, _>>()?;
            keys.sort_unstable();
            Ok(keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        1 => {
            let mut list = Vec::new();
            for protocol in text.split(|&octet| octet == b',') {
                let protocol = name::string(protocol, 255)?;
                if protocol.is_empty() {
                    return Err("an empty protocol".to_owned());
                }
                list.push(protocol.len() as u8);
                list.extend(protocol);
            }
            Ok(list)
        }
        2 | 8 if text.is_empty() => Ok(Vec::new()),
        2 | 8 => Err(format!("key{key} has no value")),
        3 => Ok(fields::number::<u16>(plain()?)?.to_be_bytes().to_vec()),
        4 => addresses(plain()?, |one| Some(one.parse::<Ipv4Addr>().ok()?.octets().to_vec())),
        5 => fields::base64(text),
        6 => addresses(plain()?, |one| Some(one.parse::<Ipv6Addr>().ok()?.octets().to_vec())),
        _ => name::string(text, usize::from(u16::MAX)),
    }
}

fn addresses(text: &str, octets: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let each = text.split(',').map(|one| octets(one).ok_or_else(|| format!("`{one}` is no such address")));
    each.collect::<Result<Vec<_>, _>>().map(|all| all.concat())
}
