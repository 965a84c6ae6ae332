//! A record in the text form of zone files (RFC 1035 5.1), as CoreDNS reads it: relative names are below the root, the
//! class is IN and the TTL an hour unless they are written.
//!
//! ```text
//!   text --tokens--> owner, TTL, class, type --> data of the types that people write: here
//!                                            --> `\# LENGTH HEX` of any type (RFC 3597 5): here
//!                                            --> HTTPS, SVCB, TLSA and the like: hickory-proto
//! ```

mod data;
mod name;
#[cfg(test)]
mod tests;
mod tokens;

use contract::wire::{Class, Name, RecordType};

use crate::names;
use tokens::{Token, tokens};

/// The TTL of a record that says none, seconds; CoreDNS's.
const DEFAULT_TTL: u32 = 3_600;

/// A record. Names are in wire form, not compressed, their case kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rr {
    pub(crate) owner: Vec<u8>,
    pub(crate) rtype: RecordType,
    pub(crate) class: Class,
    /// Seconds.
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

/// Why a text is no record; in words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct NoRecord {
    reason: String,
}

impl NoRecord {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl Rr {
    /// The record of a text. What stands on lines behind it is not looked at.
    pub(crate) fn parse(text: &str) -> Result<Self, NoRecord> {
        let line = tokens(text)?;
        let [owner, rest @ ..] = line.as_slice() else {
            return Err(NoRecord::new("there is no record"));
        };
        if owner.after_blank {
            return Err(NoRecord::new("a record begins with its owner, not with a blank"));
        }
        if owner.quoted || owner.text.starts_with('$') {
            return Err(NoRecord::new(format!("`{}` is no owner of a record", owner.text)));
        }
        let head = head(rest)?;
        let data = data::parse(head.rtype, head.data)?;
        let owner = name::wire(&owner.text)?;
        Ok(Self { owner, rtype: head.rtype, class: head.class, ttl: head.ttl, data })
    }

    /// The name that it leads to, if it is a CNAME.
    pub(crate) fn target(&self) -> Option<Name> {
        if self.rtype == RecordType::CNAME { Name::from_wire(&self.data) } else { None }
    }
}

struct Head<'t> {
    ttl: u32,
    class: Class,
    rtype: RecordType,
    data: &'t [Token],
}

/// TTL and class, in either order and each only if it is written; then the type.
fn head(line: &[Token]) -> Result<Head<'_>, NoRecord> {
    let (mut ttl, mut class) = (None, None);
    let mut rest = line;
    while let [word, behind @ ..] = rest {
        rest = behind;
        if word.quoted {
            return Err(NoRecord::new(format!("\"{}\" stands where a type was expected", word.text)));
        }
        if let (None, Some(found)) = (class, class_of(&word.text)) {
            class = Some(found);
        } else if let Some(rtype) = type_of(&word.text) {
            let (ttl, class) = (ttl.unwrap_or(DEFAULT_TTL), class.unwrap_or(Class::IN));
            return Ok(Head { ttl, class, rtype, data: rest });
        } else if let (None, Some(seconds)) = (ttl, seconds(&word.text)) {
            ttl = Some(seconds);
        } else {
            return Err(NoRecord::new(format!("`{}` is no TTL, class or type", word.text)));
        }
    }
    Err(NoRecord::new("the type is missing"))
}

/// A class by name or as `CLASS65280`.
fn class_of(text: &str) -> Option<Class> {
    let upper = text.to_ascii_uppercase();
    let numbered = || upper.strip_prefix("CLASS")?.parse().ok().map(Class);
    names::class(&upper).ok().or_else(numbered)
}

/// A type by name or as `TYPE65280`.
fn type_of(text: &str) -> Option<RecordType> {
    let upper = text.to_ascii_uppercase();
    let numbered = || upper.strip_prefix("TYPE")?.parse().ok().map(RecordType);
    names::record_type(&upper).or_else(numbered)
}

/// Seconds, with or without units: `60`, `1h30m`.
fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0_u64, 0_u64);
    for c in text.chars() {
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            digit => {
                number = number.checked_mul(10)?.checked_add(digit.to_digit(10)?.into())?;
                continue;
            }
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        number = 0;
    }
    u32::try_from(total.checked_add(number)?).ok()
}
