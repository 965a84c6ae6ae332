//! Domain names in wire form and lower case: compared, joined and cut without conversions.

use std::fmt;

/// The longest name on the wire, in octets with the root label (RFC 1035 2.3.4).
pub const NAME_MAX: usize = 255;
/// The longest label, in octets (RFC 1035 2.3.4).
const LABEL_MAX: usize = 63;

/// An absolute domain name: uncompressed wire form, ASCII letters in lower case, ending with the root label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or a dot at the start.
    #[error("a label is empty")]
    EmptyLabel,
    /// A label above 63 octets.
    #[error("a label is longer than 63 octets")]
    LongLabel,
    /// A name above 255 octets.
    #[error("the name is longer than 255 octets")]
    LongName,
    /// A backslash that escapes nothing.
    #[error("a backslash must be followed by a character or three decimal digits up to 255")]
    Escape,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// A name from its presentation form, with or without the final dot (RFC 1035 5.1 escapes).
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text == "." || text.is_empty() {
            return Ok(Self::root());
        }
        let mut wire = vec![0];
        let mut start = 0; // where the length octet of the label under way stands
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let octet = match byte {
                b'.' => {
                    if wire.len() == start + 1 {
                        return Err(NameError::EmptyLabel);
                    }
                    start = wire.len();
                    wire.push(0);
                    continue;
                }
                b'\\' => unescape(&mut bytes)?,
                other => other,
            };
            wire.push(octet.to_ascii_lowercase());
            let length = wire.len() - start - 1;
            if length > LABEL_MAX {
                return Err(NameError::LongLabel);
            }
            wire[start] = length as u8;
        }
        if wire[start] != 0 {
            wire.push(0);
        }
        if wire.len() > NAME_MAX {
            return Err(NameError::LongName);
        }
        Ok(Self(wire.into()))
    }

    /// A name from uncompressed wire form; letters are put in lower case. `None` if the octets are not exactly one name.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        let mut at = 0;
        loop {
            let length = usize::from(*wire.get(at)?);
            if length == 0 {
                break;
            }
            if length > LABEL_MAX {
                return None;
            }
            at += 1 + length;
        }
        (at + 1 == wire.len() && wire.len() <= NAME_MAX).then(|| Self(wire.to_ascii_lowercase().into()))
    }

    /// The octets, root label included.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// True for `.`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The labels from the left, without the root label.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let length = usize::from(rest[0]);
            if length == 0 {
                return None;
            }
            let (label, tail) = rest[1..].split_at(length);
            rest = tail;
            Some(label)
        })
    }

    /// How many labels the name has; the root has none.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let first = usize::from(self.0[0]);
        (first != 0).then(|| Self(self.0[1 + first..].into()))
    }

    /// True if `other` is this name or below it.
    pub fn encloses(&self, other: &Self) -> bool {
        Self::strip(other.as_wire(), self.as_wire()).is_some()
    }

    /// The labels of `name` (wire form, lower case) left of `suffix` (wire form, lower case), without a root label;
    /// `None` if `suffix` does not enclose `name`. Empty if both are equal.
    pub fn strip<'n>(name: &'n [u8], suffix: &[u8]) -> Option<&'n [u8]> {
        let cut = name.len().checked_sub(suffix.len())?;
        if &name[cut..] != suffix {
            return None;
        }
        let mut at = 0; // the cut must fall between two labels
        while at < cut {
            at += 1 + usize::from(name[at]);
        }
        (at == cut).then(|| &name[..cut])
    }

    /// `labels` (as [`Name::strip`] gives them) put before `suffix`; `None` if the result is longer than 255 octets.
    pub fn join(labels: &[u8], suffix: &Self) -> Option<Self> {
        if labels.len() + suffix.0.len() > NAME_MAX {
            return None;
        }
        let mut wire = Vec::with_capacity(labels.len() + suffix.0.len());
        wire.extend_from_slice(labels);
        wire.extend_from_slice(&suffix.0);
        Some(Self(wire.into()))
    }
}

fn unescape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, NameError> {
    let first = bytes.next().ok_or(NameError::Escape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::Escape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::Escape)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'@' | b'$' | b'(' | b')' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_and_wire_agree() {
        for text in [".", "a.", "www.example.com.", r"a\.b.c.", r"\000\255.x.", "_http._tcp.x."] {
            let name = Name::parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(Name::from_wire(name.as_wire()), Some(name));
        }
        assert_eq!(Name::parse("A.b").unwrap().to_string(), "a.b.");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LongLabel));
        assert_eq!(Name::parse(&"a.".repeat(128)), Err(NameError::LongName));
        assert!(Name::parse(&"a.".repeat(127)).is_ok());
        assert_eq!(Name::parse(r"a\25"), Err(NameError::Escape));
        assert_eq!(Name::parse(r"a\256"), Err(NameError::Escape));
        for wire in [&b""[..], b"\x01", b"\x01a", b"\x40a\0", b"\0\0", b"\xc0\x0c"] {
            assert_eq!(Name::from_wire(wire), None);
        }
    }

    #[test]
    fn a_suffix_is_cut_between_labels_only() {
        let zone = Name::parse("b.c").unwrap();
        let inside = Name::parse("a.b.c").unwrap();
        assert!(zone.encloses(&inside) && zone.encloses(&zone) && Name::root().encloses(&zone));
        assert!(!zone.encloses(&Name::parse("ab.c").unwrap()));
        assert!(!inside.encloses(&zone));
        // the octets of a suffix may stand inside a label
        assert!(!Name::parse("c").unwrap().encloses(&Name::parse(r"x\001c").unwrap()));
        let rest = Name::strip(inside.as_wire(), zone.as_wire()).unwrap();
        assert_eq!(Name::join(rest, &Name::root()).unwrap().to_string(), "a.");
    }
}
