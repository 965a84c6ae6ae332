//! How the values in data are written: numbers, times, digits, mnemonics.

use contract::wire::RecordType;
use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};

/// DNSSEC algorithms by name (IANA).
const ALGORITHMS: [(&str, u8); 10] = [
    ("RSAMD5", 1),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
];

/// Types of certificates by name (RFC 4398 2.1).
const CERTIFICATES: [(&str, u16); 8] =
    [("PKIX", 1), ("SPKI", 2), ("PGP", 3), ("IPKIX", 4), ("ISPKI", 5), ("IPGP", 6), ("ACPKIX", 7), ("IACPKIX", 8)];

/// A length of time in seconds: `3600`, `1h`, `1w2d`; `None` if it is none.
pub fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number, mut digits) = (0u32, 0u32, false);
    for octet in text.bytes() {
        let unit = match octet.to_ascii_lowercase() {
            b'0'..=b'9' => {
                number = number.checked_mul(10)?.checked_add(u32::from(octet - b'0'))?;
                digits = true;
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        if !digits {
            return None;
        }
        total = total.checked_add(number.checked_mul(unit)?)?;
        (number, digits) = (0, false);
    }
    (!text.is_empty()).then(|| total.checked_add(number)).flatten()
}

/// A number in digits alone; `None` if it is none, or too large.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(crate) fn algorithm(text: &str) -> Option<u8> {
    let named = ALGORITHMS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or_else(|| number(text), |(_, number)| Some(*number))
}

pub(crate) fn certificate(text: &str) -> Option<u16> {
    let named = CERTIFICATES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or_else(|| number(text), |(_, number)| Some(*number))
}

pub(crate) fn hex(text: &[u8]) -> Option<Vec<u8>> {
    HEXUPPER_PERMISSIVE.decode(text).ok()
}

pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// `00-00-5e-00-53-2a` (RFC 7043), so many octets.
pub(crate) fn eui(text: &str, count: u8) -> Option<Vec<u8>> {
    let pairs: Vec<&str> = text.split('-').collect();
    let is_whole = pairs.len() == usize::from(count) && pairs.iter().all(|pair| pair.len() == 2);
    is_whole.then(|| hex(pairs.concat().as_bytes())).flatten()
}

/// Seconds since 1970 modulo 2^32 (RFC 4034 3.2).
pub(crate) fn moment(text: &str) -> Option<u32> {
    if text.len() != 14 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return number(text);
    }
    let part = |from: usize, to: usize| number::<i64>(&text[from..to]);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // days since 1970 in the Gregorian calendar, years that begin in March
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) as u32)
}

/// The bit map of types, window by window.
pub(crate) fn bit_map(list: &[RecordType]) -> Vec<u8> {
    let mut sorted: Vec<u16> = list.iter().map(|rtype| rtype.0).collect();
    sorted.sort_unstable();
    let mut map = Vec::new();
    for window in sorted.chunk_by(|one, other| one >> 8 == other >> 8) {
        let mut bits = [0u8; 32];
        for rtype in window {
            bits[usize::from(rtype >> 3 & 31)] |= 0x80 >> (rtype & 7);
        }
        let length = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        map.extend([(window[0] >> 8) as u8, length as u8]);
        map.extend_from_slice(&bits[..length]);
    }
    map
}
