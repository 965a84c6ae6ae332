//! Domain names and the reverse zones of prefixes.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::address::prefix;
use crate::syntax::Zone;

/// Octets of a label (RFC 1035 section 2.3.4).
const LABEL_OCTETS_MAX: usize = 63;

/// Octets of a name on the wire (RFC 1035 section 2.3.4).
const NAME_OCTETS_MAX: usize = 255;

/// A name, or a prefix that stands for its reverse zones: several, if the prefix ends between two labels.
pub fn zone(text: &str) -> Result<Vec<Zone>, String> {
    match text.split_once('/') {
        Some((address, _)) if address.parse::<IpAddr>().is_ok() => reverse(text),
        _ => Ok(vec![name(text)?]),
    }
}

/// A domain name, made absolute and lower case. The empty text and `.` are the root.
pub fn name(text: &str) -> Result<Zone, String> {
    if text.is_empty() || text == "." {
        return Ok(Zone::root());
    }
    let mut canonical = String::with_capacity(text.len() + 1);
    let mut bytes = text.bytes().peekable();
    let mut label_octets = 0;
    let mut name_octets = 1;
    while let Some(byte) = bytes.next() {
        if byte == b'.' {
            end_label(label_octets)?;
            canonical.push('.');
            label_octets = 0;
            continue;
        }
        let octet = if byte == b'\\' { escaped(&mut bytes)? } else { byte };
        push(&mut canonical, octet);
        name_octets += 1 + usize::from(label_octets == 0);
        label_octets += 1;
    }
    if label_octets > 0 {
        end_label(label_octets)?;
        canonical.push('.');
    }
    if name_octets > NAME_OCTETS_MAX {
        return Err(format!("a name of {name_octets} octets; {NAME_OCTETS_MAX} are possible"));
    }
    Ok(Zone::from_canonical(canonical))
}

fn end_label(octets: usize) -> Result<(), String> {
    match octets {
        0 => Err("a name with an empty label".to_owned()),
        1..=LABEL_OCTETS_MAX => Ok(()),
        _ => Err(format!("a label of {octets} octets; {LABEL_OCTETS_MAX} are possible")),
    }
}

/// The octet behind a backslash: `\DDD` or the character itself.
fn escaped(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<u8, String> {
    let first = bytes.next().ok_or_else(|| "a backslash with nothing behind it".to_owned())?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit =
            bytes.next_if(u8::is_ascii_digit).ok_or_else(|| "an escape of less than three digits".to_owned())?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| "an escape of more than 255".to_owned())
}

/// Writes an octet in its one canonical form.
fn push(canonical: &mut String, octet: u8) {
    match octet {
        b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
            canonical.push('\\');
            canonical.push(char::from(octet));
        }
        b'!'..=b'~' => canonical.push(char::from(octet.to_ascii_lowercase())),
        _ => write!(canonical, "\\{octet:03}").expect("a string takes every text"),
    }
}

/// The reverse zones of a prefix (RFC 1035 section 3.5, RFC 3596 section 2.5), lengthened to the next label.
fn reverse(text: &str) -> Result<Vec<Zone>, String> {
    let (address, length) = prefix(text)?;
    let (bits, per_label): (u32, u32) = if address.is_ipv4() { (32, 8) } else { (128, 4) };
    let labels = u32::from(length).div_ceil(per_label);
    let several = 1u32 << (labels * per_label - u32::from(length));
    let first = match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let zones = (0..several).map(|index| {
        let step = bits - labels * per_label;
        let value = first | u128::from(index).checked_shl(step).unwrap_or(0);
        let mut name = String::new();
        for label in (0..labels).rev() {
            let part = (value >> (bits - (label + 1) * per_label)) & ((1 << per_label) - 1);
            let written = if per_label == 8 { write!(name, "{part}.") } else { write!(name, "{part:x}.") };
            written.expect("a string takes every text");
        }
        name.push_str(if per_label == 8 { "in-addr.arpa." } else { "ip6.arpa." });
        Zone::from_canonical(name)
    });
    Ok(zones.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(text: &str) -> Vec<String> {
        zone(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_become_absolute_and_lower_case() {
        assert_eq!(zones("Example.ORG"), ["example.org."]);
        assert_eq!(zones("example.org."), ["example.org."]);
        assert_eq!(zones("."), ["."]);
        assert_eq!(zones(""), ["."]);
        assert_eq!(zones("_sip._udp.x"), ["_sip._udp.x."]);
        assert_eq!(zones("0/25.2.0.192.in-addr.arpa"), ["0/25.2.0.192.in-addr.arpa."]);
    }

    #[test]
    fn escapes_have_one_form() {
        assert_eq!(zones(r"a\046b.c"), [r"a\.b.c."]);
        assert_eq!(zones(r"a\.b.c"), [r"a\.b.c."]);
        assert_eq!(zones(r"\065.c"), ["a.c."]);
        assert_eq!(zones("é"), [r"\195\169."]);
        assert!(zone(r"a\").is_err());
        assert!(zone(r"a\25").is_err());
        assert!(zone(r"a\256").is_err());
    }

    #[test]
    fn what_is_too_long_or_empty_is_no_name() {
        assert!(zone("a..b").is_err());
        assert!(zone(".a").is_err());
        assert!(zone(&"a".repeat(64)).is_err());
        assert!(zone(&"a".repeat(63)).is_ok());
        assert!(zone(&format!("{}a", "a.".repeat(126))).is_ok());
        assert!(zone(&format!("{}a", "a.".repeat(127))).is_err());
    }

    #[test]
    fn a_prefix_on_a_label_border_is_one_zone() {
        assert_eq!(zones("10.0.0.0/8"), ["10.in-addr.arpa."]);
        assert_eq!(zones("10.1.2.3/24"), ["2.1.10.in-addr.arpa."]);
        assert_eq!(zones("10.1.2.3/32"), ["3.2.1.10.in-addr.arpa."]);
        assert_eq!(zones("0.0.0.0/0"), ["in-addr.arpa."]);
        assert_eq!(zones("2001:db8::/32"), ["8.b.d.0.1.0.0.2.ip6.arpa."]);
    }

    #[test]
    fn a_prefix_between_two_labels_is_several() {
        assert_eq!(zones("10.0.0.0/15"), ["0.10.in-addr.arpa.", "1.10.in-addr.arpa."]);
        assert_eq!(zones("172.16.0.0/12").len(), 16);
        assert_eq!(zones("172.16.0.0/12")[15], "31.172.in-addr.arpa.");
        assert_eq!(zones("192.0.2.128/31"), ["128.2.0.192.in-addr.arpa.", "129.2.0.192.in-addr.arpa."]);
        assert_eq!(zones("fd00::/7").len(), 2);
        assert_eq!(zones("fd00::/7")[0], "c.f.ip6.arpa.");
        assert_eq!(zones("fd00::/7")[1], "d.f.ip6.arpa.");
        assert_eq!(zones("0.0.0.0/1").len(), 128);
        assert!(zone("10.0.0.0/33").is_err());
        assert!(zone("10.0.0.0/x").is_err());
    }
}
