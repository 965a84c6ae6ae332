//! The kinds of values that RDATA is written with.

use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};

use contract::wire::RecordType;

/// What stands in a place of RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    U8,
    U16,
    U32,
    /// Seconds, also as `1h30m`.
    Seconds,
    /// A name, its case kept.
    Name,
    /// A name in lower case: one that others are looked up by.
    Lower,
    V4,
    V6,
    /// A character string.
    Text,
    /// One or more of them.
    Texts,
    /// All words that are left, as hexadecimal digits.
    Hex,
    /// One word of hexadecimal digits with its length before it; `-` for none.
    Salt,
    /// All words that are left, as base64.
    Base64,
    /// All that is left, as text without a length.
    Bare,
    /// A type by name.
    Type,
    /// A DNSSEC algorithm, by number or name.
    Algorithm,
    /// A type of certificate, by number or name.
    Certificate,
    /// A moment: `YYYYMMDDHHmmSS` or seconds since 1970.
    Moment,
    /// A bit map of types (RFC 4034 4.1.2).
    Types,
    /// Octets with hyphens between them, so many.
    Eui(u8),
}

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
pub(super) fn seconds(text: &str) -> Option<u32> {
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

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("`{text}` is no number that fits"))
}

pub(super) fn algorithm(text: &str) -> Result<u8, String> {
    let named = ALGORITHMS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or_else(|| number(text), |(_, number)| Ok(*number))
}

pub(super) fn certificate(text: &str) -> Result<u16, String> {
    let named = CERTIFICATES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or_else(|| number(text), |(_, number)| Ok(*number))
}

pub(super) fn record_type(text: &str) -> Result<RecordType, String> {
    RecordType::parse(text).ok_or_else(|| format!("`{text}` is no type of records"))
}

pub(super) fn hex(text: &[u8]) -> Result<Vec<u8>, String> {
    HEXUPPER_PERMISSIVE.decode(text).map_err(|_| format!("`{}` is not hexadecimal", text.escape_ascii()))
}

pub(super) fn base64(text: &[u8]) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|_| format!("`{}` is no base64", text.escape_ascii()))
}

/// Seconds since 1970 modulo 2^32 (RFC 4034 3.2).
pub(super) fn moment(text: &str) -> Result<u32, String> {
    if text.len() != 14 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return number(text);
    }
    let part = |from: usize, to: usize| number::<i64>(&text[from..to]);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(format!("`{text}` is no moment"));
    }
    // days since 1970 in the Gregorian calendar, years that begin in March
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Ok((((days * 24 + hour) * 60 + minute) * 60 + second) as u32)
}

/// The bit map of types, window by window.
pub(super) fn types(list: &[RecordType]) -> Vec<u8> {
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
