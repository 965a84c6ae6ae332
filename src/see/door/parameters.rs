//! The parameters behind the `?` of a request, read strictly: what is not understood is refused, and never guessed.

/// Why a request is refused, in words that say what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Malformed {
    /// What a parameter should have been.
    pub(super) fn expected(name: &str, value: &str, expected: impl std::fmt::Display) -> Self {
        Self(format!("{name}: '{value}' is not {expected}"))
    }
}

/// The parameters of one request, each at most once.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// Reads what stands behind the `?`. Only those in `known` may be there, each once, and none may be empty.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub(super) fn read(query: Option<&str>, known: &[&'static str]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(read) };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or_else(|| Malformed(format!("'{pair}' is not NAME=VALUE")))?;
            let name = decoded(name)?;
            let Some(known) = known.iter().copied().find(|known| *known == name) else {
                return Err(Malformed(format!("'{name}' is not known here; {}", expected(known))));
            };
            if read.value(known).is_some() {
                return Err(Malformed(format!("'{known}' stands there twice")));
            }
            let value = decoded(value)?;
            if value.is_empty() {
                return Err(Malformed(format!("'{known}' is empty")));
            }
            read.0.push((known, value));
        }
        Ok(read)
    }

    /// A parameter's value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

fn expected(known: &[&str]) -> String {
    match known {
        [] => "no parameter is expected".to_owned(),
        known => format!("expected one of: {}", known.join(", ")),
    }
}

/// The text behind `%XX` and `+` (RFC 3986 2.1; `+` as forms write a blank). Control characters are none of any value.
fn decoded(text: &str) -> Result<String, Malformed> {
    let broken = || Malformed(format!("'{text}' has a % without two hexadecimal digits behind it"));
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|octet| char::from(octet).to_digit(16)).ok_or_else(broken);
                let value = digit()? << 4 | digit()?;
                u8::try_from(value).expect("two hexadecimal digits")
            }
            other => other,
        });
    }
    let text = String::from_utf8(octets).map_err(|_| Malformed(format!("'{text}' is not UTF-8")))?;
    match text.chars().any(char::is_control) {
        true => Err(Malformed("a control character stands in a parameter".to_owned())),
        false => Ok(text),
    }
}

/// A value as it may stand behind the `=`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b',' | b':' => {
                out.push(octet.into());
            }
            other => {
                use std::fmt::Write as _;
                write!(out, "%{other:02X}").expect("a string takes all");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Vec<(&'static str, String)>, String> {
        Parameters::read(Some(query), &["name", "type"]).map(|read| read.0).map_err(|Malformed(error)| error)
    }

    #[test]
    fn values_are_decoded_and_encoded_to_the_same() {
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("name=a%2Eb+c&type=A"), Ok(vec![("name", "a.b c".into()), ("type", "A".into())]));
        for text in ["www.example.com", "a b&c=d%?#", "ä\\046/x,y", "[::1]"] {
            assert_eq!(read(&format!("name={}", encoded(text))), Ok(vec![("name", text.to_owned())]));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_was_expected() {
        for (query, said) in [
            ("name", "'name' is not NAME=VALUE"),
            ("name=a&", "'' is not NAME=VALUE"),
            ("nam=a", "'nam' is not known here; expected one of: name, type"),
            ("name=a&name=b", "'name' stands there twice"),
            ("name=", "'name' is empty"),
            ("name=%2", "'%2' has a % without two hexadecimal digits behind it"),
            ("name=%zz", "'%zz' has a % without two hexadecimal digits behind it"),
            ("name=%ff", "'%ff' is not UTF-8"),
            ("name=%00", "a control character stands in a parameter"),
            ("name=a%0d%0ab", "a control character stands in a parameter"),
            ("%6eame=a&name=b", "'name' stands there twice"),
        ] {
            assert_eq!(read(query), Err(said.to_owned()), "{query}");
        }
    }
}
