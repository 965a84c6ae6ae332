//! The data of a record, by its type.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use contract::wire::RecordType;
use hickory_proto::rr::RData;
use hickory_proto::serialize::binary::BinEncodable;

use super::tokens::Token;
use super::{NoRecord, name, seconds};
use crate::names;

/// The octets of a character string at most (RFC 1035 3.3).
const STRING_MAX: usize = 255;

/// Octets of data at most (RFC 1035 3.2.1).
const DATA_MAX: usize = 65_535;

/// The data in wire form.
pub(super) fn parse(rtype: RecordType, tokens: &[Token]) -> Result<Vec<u8>, NoRecord> {
    use RecordType as T;
    let mut data = Data { rtype, tokens, out: Vec::new() };
    if tokens.is_empty() {
        return Err(NoRecord::new(format!("a {} without data", data.type_name())));
    }
    match rtype {
        _ if tokens[0].text == "\\#" && !tokens[0].quoted => data.generic()?,
        T::A => data.address::<Ipv4Addr>("an IPv4 address", |ip| ip.octets().to_vec())?,
        T::AAAA => data.address::<Ipv6Addr>("an IPv6 address", |ip| ip.octets().to_vec())?,
        T::NS | T::CNAME | T::PTR | T::DNAME | T::MB | T::MD | T::MF | T::MG | T::MR => data.name()?,
        T::MX | T::AFSDB | T::KX => {
            data.number::<u16>()?;
            data.name()?;
        }
        T::RP | T::MINFO => {
            data.name()?;
            data.name()?;
        }
        T::SRV => {
            for _ in 0..3 {
                data.number::<u16>()?;
            }
            data.name()?;
        }
        T::SOA => data.soa()?,
        T::TXT | T::SPF => data.strings()?,
        T::HINFO => data.hinfo()?,
        T::NAPTR => data.naptr()?,
        T::CAA => data.caa()?,
        T::URI => {
            data.number::<u16>()?;
            data.number::<u16>()?;
            let target = name::octets(&data.word("a target")?.text)?;
            data.out.extend(target);
        }
        T::DS | T::CDS => {
            data.number::<u16>()?;
            data.number::<u8>()?;
            data.number::<u8>()?;
            data.hex()?;
        }
        _ => data.by_hickory()?,
    }
    if let [left, ..] = data.tokens {
        return Err(NoRecord::new(format!("`{}` is too much for a {}", left.text, data.type_name())));
    }
    if data.out.len() > DATA_MAX {
        return Err(NoRecord::new(format!("the data is longer than {DATA_MAX} octets")));
    }
    Ok(data.out)
}

/// Tokens on their way into octets.
struct Data<'t> {
    rtype: RecordType,
    tokens: &'t [Token],
    out: Vec<u8>,
}

impl<'t> Data<'t> {
    fn type_name(&self) -> String {
        match names::type_name(self.rtype) {
            "" => self.rtype.to_string(),
            name => name.to_owned(),
        }
    }

    fn word(&mut self, what: &str) -> Result<&'t Token, NoRecord> {
        let (first, rest) = self
            .tokens
            .split_first()
            .ok_or_else(|| NoRecord::new(format!("{what} is missing in the data of a {}", self.type_name())))?;
        self.tokens = rest;
        Ok(first)
    }

    fn wrong(&self, token: &Token, what: &str) -> NoRecord {
        NoRecord::new(format!("`{}` is not {what}, in the data of a {}", token.text, self.type_name()))
    }

    fn address<A: FromStr>(&mut self, what: &str, octets: impl Fn(A) -> Vec<u8>) -> Result<(), NoRecord> {
        let token = self.word(what)?;
        let address = token.text.parse().map_err(|_| self.wrong(token, what))?;
        self.out.extend(octets(address));
        Ok(())
    }

    fn name(&mut self) -> Result<(), NoRecord> {
        let token = self.word("a name")?;
        if token.quoted {
            return Err(self.wrong(token, "a name, since it is in quotes"));
        }
        self.out.extend(name::wire(&token.text)?);
        Ok(())
    }

    fn number<N: TryFrom<u32>>(&mut self) -> Result<(), NoRecord> {
        let token = self.word("a number")?;
        let is_plain = token.text.bytes().all(|octet| octet.is_ascii_digit());
        let value: u32 = token.text.parse().map_err(|_| self.wrong(token, "a number"))?;
        if !is_plain || N::try_from(value).is_err() {
            return Err(self.wrong(token, "a number that fits"));
        }
        self.out.extend_from_slice(&value.to_be_bytes()[4 - size_of::<N>()..]);
        Ok(())
    }

    fn soa(&mut self) -> Result<(), NoRecord> {
        self.name()?;
        self.name()?;
        self.number::<u32>()?;
        for _ in 0..4 {
            let token = self.word("a time")?;
            let time = seconds(&token.text).ok_or_else(|| self.wrong(token, "a time in seconds"))?;
            self.out.extend(time.to_be_bytes());
        }
        Ok(())
    }

    /// A character string, cut into several if it is too long for one.
    fn push_strings(&mut self, octets: &[u8]) {
        let mut chunks = octets.chunks(STRING_MAX);
        let first = chunks.next().unwrap_or_default();
        for chunk in std::iter::once(first).chain(chunks) {
            self.out.push(chunk.len() as u8);
            self.out.extend_from_slice(chunk);
        }
    }

    /// One character string, no longer than one can be.
    fn push_string(&mut self, octets: &[u8]) -> Result<(), NoRecord> {
        if octets.len() > STRING_MAX {
            return Err(NoRecord::new(format!("a text of more than {STRING_MAX} octets")));
        }
        self.push_strings(octets);
        Ok(())
    }

    fn strings(&mut self) -> Result<(), NoRecord> {
        for token in std::mem::take(&mut self.tokens) {
            self.push_strings(&name::octets(&token.text)?);
        }
        Ok(())
    }

    /// CPU and OS; one text is taken apart at its first blanks, and further ones belong to the OS.
    fn hinfo(&mut self) -> Result<(), NoRecord> {
        let texts: Vec<&str> = std::mem::take(&mut self.tokens).iter().map(|token| token.text.as_str()).collect();
        let parts: Vec<&str> = match texts[..] {
            [only] if only.split_whitespace().count() > 1 => only.split_whitespace().collect(),
            _ => texts,
        };
        self.push_string(&name::octets(parts[0])?)?;
        self.push_string(&name::octets(&parts[1..].join(" "))?)
    }

    fn naptr(&mut self) -> Result<(), NoRecord> {
        self.number::<u16>()?;
        self.number::<u16>()?;
        for _ in 0..3 {
            let token = self.word("a text in quotes")?;
            if !token.quoted {
                return Err(self.wrong(token, "a text in quotes"));
            }
            self.push_string(&name::octets(&token.text)?)?;
        }
        self.name()
    }

    fn caa(&mut self) -> Result<(), NoRecord> {
        self.number::<u8>()?;
        let tag = self.word("a tag")?;
        self.push_string(&name::octets(&tag.text)?)?;
        let value = name::octets(&self.word("a value")?.text)?;
        self.out.extend(value);
        Ok(())
    }

    /// All that is left as digits of base 16.
    fn hex(&mut self) -> Result<(), NoRecord> {
        let digits: String = std::mem::take(&mut self.tokens).iter().map(|token| token.text.as_str()).collect();
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || digits.len() % 2 == 1 {
            return Err(NoRecord::new(format!("`{digits}` is not octets of two digits of base 16 each")));
        }
        let octets = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits are ASCII");
            u8::from_str_radix(pair, 16).expect("two digits of base 16")
        });
        self.out.extend(octets);
        Ok(())
    }

    /// `\# LENGTH HEX` (RFC 3597 5).
    fn generic(&mut self) -> Result<(), NoRecord> {
        self.tokens = &self.tokens[1..];
        let token = self.word("a length")?;
        let length: u16 = token.text.parse().map_err(|_| self.wrong(token, "a length"))?;
        self.hex()?;
        if self.out.len() != usize::from(length) {
            return Err(NoRecord::new(format!("{} octets where {length} are announced", self.out.len())));
        }
        Ok(())
    }

    /// Types whose form is long and seldom written.
    fn by_hickory(&mut self) -> Result<(), NoRecord> {
        let mut text = String::new();
        for token in std::mem::take(&mut self.tokens) {
            text.push_str(if token.after_blank { " " } else { "" });
            match token.quoted {
                true => text.extend(["\"", &token.text, "\""]),
                false => text.push_str(&token.text),
            }
        }
        let why =
            |reason: &dyn std::fmt::Display| NoRecord::new(format!("the data of a {}: {reason}", self.type_name()));
        let data = RData::try_from_str(self.rtype.0.into(), text.trim()).map_err(|error| why(&error))?;
        self.out = data.to_bytes().map_err(|error| why(&error))?;
        Ok(())
    }
}
