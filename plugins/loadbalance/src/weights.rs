//! The weights of addresses, name by name, and the text that they are written in.
//!
//! ```text
//!   # a comment
//!   www.example.org        the name that the following addresses are of
//!   192.0.2.1 3            an address and its weight, from 1 to 255
//! ```

use std::collections::HashMap;
use std::net::IpAddr;

use contract::wire::Name;

/// Weights by owner (wire form, lower case) and address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Weights(HashMap<Box<[u8]>, Vec<(IpAddr, u8)>>);

/// A line that says nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct BadLine {
    line: usize,
    reason: String,
}

impl Weights {
    /// Of an address that has none.
    pub(crate) const DEFAULT: u8 = 1;

    /// Reads the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, BadLine> {
        let mut this = Self::default();
        let mut name: Option<Box<[u8]>> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |reason| BadLine { line: index + 1, reason };
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [word] => name = Some(this.begin(word).map_err(bad)?),
                [address, weight] => {
                    let name = name.as_ref().ok_or_else(|| bad("a weight before the first name".to_owned()))?;
                    let entry = (parse_address(address).map_err(bad)?, parse_weight(weight).map_err(bad)?);
                    this.0.entry(name.clone()).or_default().push(entry);
                }
                _ => return Err(bad(format!("`{line}` is neither a name nor an address with its weight"))),
            }
        }
        Ok(this)
    }

    /// The weight of an address of a name.
    pub(crate) fn of(&self, owner: &[u8], address: IpAddr) -> u8 {
        let weights = self.0.get(owner).map_or(&[][..], Vec::as_slice);
        weights.iter().find(|(one, _)| *one == address).map_or(Self::DEFAULT, |(_, weight)| *weight)
    }

    /// How many addresses have one.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn begin(&mut self, word: &str) -> Result<Box<[u8]>, String> {
        if word.parse::<IpAddr>().is_ok() {
            return Err(format!("expected a name, not `{word}`; a weight may be missing behind it"));
        }
        let name = Name::parse(word).map_err(|reason| format!("`{word}` is no name: {reason}"))?;
        Ok(name.as_wire().into())
    }
}

fn parse_address(word: &str) -> Result<IpAddr, String> {
    let address: IpAddr = word.parse().map_err(|_| format!("`{word}` is no address"))?;
    Ok(address.to_canonical())
}

fn parse_weight(word: &str) -> Result<u8, String> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let weight = word.parse().ok().filter(|&weight: &u8| digits && weight > 0);
    weight.ok_or_else(|| format!("`{word}` is no weight: expected a number from 1 to 255"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_belong_to_a_name_and_an_address() {
        let text = "# all\n\nwww.Example.org\n 192.0.2.1 3\n\t192.0.2.2\t1\n::ffff:192.0.2.3 4\nb.\n2001:db8::1 255\n\
                    www.example.org.\n192.0.2.4 5\n192.0.2.1 9\n";
        let weights = Weights::parse(text).unwrap();
        assert_eq!(weights.count(), 6);
        for (name, address, weight) in [
            ("www.example.org", "192.0.2.1", 3),
            ("www.example.org", "192.0.2.2", 1),
            ("www.example.org", "192.0.2.3", 4),
            ("www.example.org", "192.0.2.4", 5),
            ("b", "2001:db8::1", 255),
            ("b", "192.0.2.1", 1),
            ("c", "192.0.2.1", 1),
        ] {
            let name = Name::parse(name).unwrap();
            assert_eq!(weights.of(name.as_wire(), address.parse().unwrap()), weight, "{name} {address}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, said) in [
            ("a\n192.0.2.1", "line 2: expected a name, not `192.0.2.1`; a weight may be missing"),
            ("192.0.2.1 3", "line 1: a weight before the first name"),
            ("a\n192.0.2 3", "line 2: `192.0.2` is no address"),
            ("a\n192.0.2.1 0", "line 2: `0` is no weight"),
            ("a\n192.0.2.1 256", "line 2: `256` is no weight"),
            ("a\n192.0.2.1 +3", "line 2: `+3` is no weight"),
            ("a\n192.0.2.1 3 # much", "line 2: `192.0.2.1 3 # much` is neither"),
            ("a..b", "line 1: `a..b` is no name"),
        ] {
            let error = Weights::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
