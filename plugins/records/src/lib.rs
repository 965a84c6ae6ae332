//! The text form of records (RFC 1035 5.1): names, words, and the data of each type in wire form.
//!
//! ```text
//!   octets --Lexer--> Entry: words --name--> owner
//!                       |---Head--> TTL, class, type
//!                       '---rdata--> data in wire form, by a table of what each type is written with
//! ```
//!
//! What is wrong is told in words for people; whoever reads a file adds its name.

mod field;
mod lexer;
mod mnemonics;
mod name;
mod rdata;
mod service;
#[cfg(test)]
mod tests;
mod values;

use contract::wire::{Class, RecordType};

pub use lexer::{Entry, Lexer, Word, Wrong};
pub use mnemonics::{CLASSES, TYPES};
pub use name::name;
pub use rdata::{names, rdata};
pub use values::{number, seconds};

/// The TTL of a record that says none, seconds; CoreDNS's.
const DEFAULT_TTL: u32 = 3_600;

/// A record. Names are in wire form, not compressed, their case kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    pub owner: Vec<u8>,
    /// What it says.
    pub rtype: RecordType,
    /// IN unless written.
    pub class: Class,
    /// Seconds; 3600 unless written.
    pub ttl: u32,
    /// The data.
    pub rdata: Vec<u8>,
}

impl Record {
    /// The record of a text; names without a final dot are below the root. What stands behind its entry is not looked at.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entry = Lexer::new(text.as_bytes()).entry().map_err(|wrong| wrong.reason)?;
        let Some(Entry { words, starts_blank, .. }) = entry else { return Err("there is no record".to_owned()) };
        let (owner, rest) = words.split_first().expect("an entry has a word");
        if starts_blank {
            return Err("a record begins with its owner, not with a blank".to_owned());
        }
        if owner.octets.starts_with(b"$") {
            return Err(format!("`{owner}` is no owner of a record"));
        }
        let owner = name(owner, &[0])?;
        let Head { ttl, class, rtype, data } = Head::read(rest)?;
        let rdata = rdata(rtype, data, &[0])?;
        Ok(Self { owner, rtype, class: class.unwrap_or(Class::IN), ttl: ttl.unwrap_or(DEFAULT_TTL), rdata })
    }
}

/// What stands between a record's owner and its data, and the words of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'w> {
    /// Seconds, if it is written.
    pub ttl: Option<u32>,
    /// If it is written.
    pub class: Option<Class>,
    /// The type.
    pub rtype: RecordType,
    /// What is behind it.
    pub data: &'w [Word],
}

impl<'w> Head<'w> {
    /// TTL and class, in either order and each only if it is written; then the type.
    pub fn read(mut words: &'w [Word]) -> Result<Self, String> {
        let (mut ttl, mut class) = (None, None);
        while let [word, data @ ..] = words {
            words = data;
            let text = word.text().filter(|_| !word.is_quoted).unwrap_or_default();
            if class.is_none()
                && let Some(found) = mnemonics::class(text)
            {
                class = Some(found);
            } else if ttl.is_none()
                && let Some(found) = seconds(text)
            {
                ttl = Some(found);
            } else {
                let rtype = mnemonics::record_type(text).ok_or_else(|| format!("`{word}` is no type, class or TTL"))?;
                return Ok(Self { ttl, class, rtype, data });
            }
        }
        Err("a record without a type".to_owned())
    }
}
