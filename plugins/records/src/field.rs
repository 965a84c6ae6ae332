//! The kinds of values that data is written with, each from words to wire form and past its octets.

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::{Name, skip_name};

use crate::lexer::Word;
use crate::name::{name, unescaped};
use crate::values::{self, number};
use crate::{mnemonics, service};

/// The octets of a character string at most (RFC 1035 3.3).
const STRING_MAX: usize = 255;

/// What stands in a place of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    U8,
    U16,
    U32,
    /// Seconds, also as `1h30m`.
    Seconds,
    Name,
    V4,
    V6,
    /// A character string.
    Text,
    /// A character string that must stand in quotes, as CoreDNS has it.
    Quoted,
    /// One or more of them; a longer one is cut.
    Texts,
    /// Two of them: a text with blanks is taken apart, and what is too much belongs to the second.
    System,
    /// All words that are left, as hexadecimal digits.
    Hex,
    /// One word of hexadecimal digits with its length before it; `-` for none.
    Salt,
    /// All words that are left, as base64.
    Base64,
    /// A text without a length.
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
    /// The parameters of a service (RFC 9460 2.1).
    Parameters,
}

impl Field {
    /// Puts its words into data; gives back the words behind them.
    pub(crate) fn read<'w>(self, words: &'w [Word], origin: &[u8], to: &mut Vec<u8>) -> Result<&'w [Word], String> {
        use Field::*;
        let takes_all = matches!(self, Texts | System | Hex | Base64 | Types | Parameters);
        let count = if takes_all { words.len() } else { words.len().min(1) };
        let (mine, behind) = words.split_at(count);
        if mine.is_empty() && !matches!(self, Types | Parameters) {
            return Err(format!("{} is missing", self.what()));
        }
        let may_be_quoted = matches!(self, Text | Quoted | Texts | System | Bare | Parameters);
        if let Some(word) = mine.iter().find(|word| word.is_quoted && !may_be_quoted) {
            return Err(format!("`{word}` is not {}, since it stands in quotes", self.what()));
        }
        match self {
            Texts => mine.iter().try_for_each(|word| push_strings(&unescaped(&word.octets)?, to))?,
            System => system(mine, to)?,
            Parameters => service::parameters(mine, to)?,
            Hex | Base64 => {
                let digits: Vec<u8> = mine.iter().flat_map(|word| word.octets.iter().copied()).collect();
                let octets = if self == Hex { values::hex(&digits) } else { values::base64(&digits) };
                to.extend(octets.ok_or_else(|| self.wrong(&Word { octets: digits, is_quoted: false }))?);
            }
            Types => {
                let rtype = |word| self.value(word, mnemonics::record_type);
                to.extend(values::bit_map(&mine.iter().map(rtype).collect::<Result<Vec<_>, _>>()?));
            }
            _ => self.read_one(&mine[0], origin, to)?,
        }
        Ok(behind)
    }

    fn read_one(self, word: &Word, origin: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::U8 => to.push(self.value(word, number)?),
            Self::U16 => to.extend(self.value(word, number::<u16>)?.to_be_bytes()),
            Self::U32 => to.extend(self.value(word, number::<u32>)?.to_be_bytes()),
            Self::Seconds => to.extend(self.value(word, values::seconds)?.to_be_bytes()),
            Self::Name => to.extend(name(word, origin)?),
            Self::V4 => to.extend(self.value(word, |text| text.parse::<Ipv4Addr>().ok())?.octets()),
            Self::V6 => to.extend(self.value(word, |text| text.parse::<Ipv6Addr>().ok())?.octets()),
            Self::Quoted if !word.is_quoted => return Err(self.wrong(word)),
            Self::Text | Self::Quoted => push_string(&unescaped(&word.octets)?, to)?,
            Self::Bare => to.extend(unescaped(&word.octets)?),
            Self::Type => to.extend(self.value(word, mnemonics::record_type)?.0.to_be_bytes()),
            Self::Algorithm => to.push(self.value(word, values::algorithm)?),
            Self::Certificate => to.extend(self.value(word, values::certificate)?.to_be_bytes()),
            Self::Moment => to.extend(self.value(word, values::moment)?.to_be_bytes()),
            Self::Eui(count) => to.extend(self.value(word, |text| values::eui(text, count))?),
            Self::Salt => {
                let digits = if word.octets == b"-" { &b""[..] } else { &word.octets };
                push_string(&values::hex(digits).ok_or_else(|| self.wrong(word))?, to)?;
            }
            Self::Texts | Self::System | Self::Hex | Self::Base64 | Self::Types | Self::Parameters => {
                unreachable!("they take all words")
            }
        }
        Ok(())
    }

    fn value<T>(self, word: &Word, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        word.text().and_then(parse).ok_or_else(|| self.wrong(word))
    }

    fn wrong(self, word: &Word) -> String {
        format!("`{word}` is not {}", self.what())
    }

    /// What was expected.
    fn what(self) -> &'static str {
        match self {
            Self::U8 => "a number up to 255",
            Self::U16 => "a number up to 65535",
            Self::U32 => "a number up to 4294967295",
            Self::Seconds => "a time in seconds or such as `1h30m`",
            Self::Name => "a name",
            Self::V4 => "an IPv4 address",
            Self::V6 => "an IPv6 address",
            Self::Quoted => "a text in quotes",
            Self::Text | Self::Texts | Self::System | Self::Bare => "a text",
            Self::Hex | Self::Salt => "an even number of hexadecimal digits",
            Self::Base64 => "base64",
            Self::Type | Self::Types => "a type of records",
            Self::Algorithm => "an algorithm of DNSSEC",
            Self::Certificate => "a type of certificates",
            Self::Moment => "a moment such as `20261231235959`",
            Self::Eui(6) => "octets such as `00-00-5e-00-53-2a`",
            Self::Eui(_) => "octets such as `00-00-5e-ef-10-00-00-2a`",
            Self::Parameters => "a parameter",
        }
    }

    /// Where the value that stands at `at` of the data ends; `None` if it is not one.
    pub(crate) fn end(self, rdata: &[u8], at: usize) -> Option<usize> {
        let string = |at: usize| Some(at + 1 + usize::from(*rdata.get(at)?));
        let end = match self {
            Self::U8 | Self::Algorithm => at + 1,
            Self::U16 | Self::Type | Self::Certificate => at + 2,
            Self::U32 | Self::Seconds | Self::Moment | Self::V4 => at + 4,
            Self::V6 => at + 16,
            Self::Eui(count) => at + usize::from(count),
            Self::Text | Self::Quoted | Self::Salt => string(at)?,
            Self::System => string(string(at)?)?,
            Self::Texts => {
                let mut end = string(at)?;
                while end < rdata.len() {
                    end = string(end)?;
                }
                end
            }
            Self::Name => {
                let end = skip_name(rdata, at)?;
                Name::from_wire(rdata.get(at..end)?)?;
                end
            }
            Self::Hex | Self::Base64 | Self::Bare | Self::Types | Self::Parameters => rdata.len().max(at),
        };
        (end <= rdata.len()).then_some(end)
    }
}

/// A character string with its length.
fn push_string(octets: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
    let length = u8::try_from(octets.len());
    to.push(length.map_err(|_| format!("a text of {} octets, more than {STRING_MAX}", octets.len()))?);
    to.extend(octets);
    Ok(())
}

/// A text as one character string, or as several if it is too long for one.
fn push_strings(octets: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
    if octets.is_empty() {
        return push_string(octets, to);
    }
    octets.chunks(STRING_MAX).try_for_each(|chunk| push_string(chunk, to))
}

fn system(words: &[Word], to: &mut Vec<u8>) -> Result<(), String> {
    let parts: Vec<&[u8]> = match words {
        [only] => only.octets.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).collect(),
        _ => words.iter().map(|word| word.octets.as_slice()).collect(),
    };
    let (cpu, rest) = parts.split_first().map_or((&[][..], &[][..]), |(cpu, rest)| (*cpu, rest));
    push_string(&unescaped(cpu)?, to)?;
    push_string(&unescaped(&rest.join(&b' '))?, to)
}
