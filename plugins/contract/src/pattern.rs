//! Regular expressions as Go writes them, since every Corefile does: `\d`, `\w` and `\s` mean ASCII.

use regex::bytes::{Regex, RegexBuilder};

use crate::limits;

/// A regular expression and its text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it, or says in one line why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > limits::REGEXP_CHARACTERS_MAX {
            return Err(format!("longer than {} characters", limits::REGEXP_CHARACTERS_MAX));
        }
        if let Some(sign) = other_meaning(text) {
            return Err(format!("`{sign}` inside `[]` is not only a character here; put a backslash before it"));
        }
        if let Some(digit) = back_reference(text) {
            return Err(format!(
                "`\\{digit}` is a back-reference, and they are not known; an octal number has two digits"
            ));
        }
        let mut builder = RegexBuilder::new(text);
        builder.unicode(false).octal(true).size_limit(limits::REGEXP_COMPILED_MAX);
        builder.build().map(Self).map_err(|error| reason(text, &error))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What it found where, and where its groups lie.
    pub fn captures<'t>(&self, text: &'t [u8]) -> Option<regex::bytes::Captures<'t>> {
        self.0.captures(text)
    }

    /// The names of its groups; `None` for one without.
    pub fn groups(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.capture_names()
    }

    /// True if it is found in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }
}

/// What stands for itself inside brackets in Go, and is a set operation here.
fn other_meaning(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let (mut at, mut opened) = (0, None);
    while at < bytes.len() {
        let rest = &bytes[at..];
        match (rest[0], opened) {
            (b'\\', _) => at += 1,
            (b'[', None) => {
                at += usize::from(rest.get(1) == Some(&b'^'));
                opened = Some(at);
            }
            (b']', Some(start)) if at > start + 1 => opened = None,
            (b'[', Some(_)) if rest.starts_with(b"[:") => {
                let class = text[at..].find(":]")?;
                at += class + 1;
            }
            (b'[', Some(_)) => return Some("["),
            (_, Some(_)) => {
                let operation = ["&&", "--", "~~"].into_iter().find(|sign| rest.starts_with(sign.as_bytes()));
                if operation.is_some() {
                    return operation;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The digit behind a backslash that is no octal number in Go: from 1 to 9, without another octal digit behind it. The engine
/// would take it for one.
fn back_reference(text: &str) -> Option<char> {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            continue;
        }
        let is_octal = |next: Option<&char>| next.is_some_and(|digit| digit.is_digit(8));
        match characters.next()? {
            digit @ '1'..='7' if !is_octal(characters.peek()) => return Some(digit),
            digit @ '8'..='9' => return Some(digit),
            _ => {}
        }
    }
    None
}

/// The last line of the parser's message, which says what is wrong; the place in it is drawn with lines of its own.
fn reason(text: &str, error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return format!("compiled it takes more than {} octets; repeat less", limits::REGEXP_COMPILED_MAX);
    }
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    match [r"\Q", r"\C"].into_iter().find(|sign| text.contains(sign)) {
        Some(sign) => format!("{last}; Go's `{sign}` is not known here"),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_corefiles_in_the_wild_say() {
        for (pattern, text, found) in [
            (".* i/o timeout$", "read udp 10.0.0.1:53->8.8.8.8:53: i/o timeout", true),
            ("^failed to .*", "failed to dial", true),
            ("^failed to .*", "we failed to dial", false),
            (r"^read udp \d+\.\d+", "read udp 10.0", true),
            (r"(?i)TIMEOUT", "timeout", true),
            (r"\w+\s[[:alpha:]_]+\z", "ab c_d", true),
            (r"\x41\101", "AA", true),
            (r"^\01\12[\60][\\1]\08", "\u{1}\n01\u{0}8", true),
            ("ü", "für", true),
            (r"[\[&]x", "[x", true),
            ("[]a]b", "]b", true),
            ("[^]a]b", "]b", false),
        ] {
            let compiled = Pattern::parse(pattern).unwrap();
            assert_eq!(compiled.is_match(text), found, "{pattern}");
            assert_eq!(compiled.as_str(), pattern);
        }
    }

    #[test]
    fn what_is_none_says_why_in_one_line() {
        for (pattern, reason) in [
            ("a(", "unclosed group"),
            ("*", "repetition operator missing expression"),
            (r"\Qa\E", r"Go's `\Q` is not known here"),
            (r"(a)\1", r"`\1` is a back-reference"),
            (r"(a)\18", r"`\1` is a back-reference"),
            (r"[\7]", r"`\7` is a back-reference"),
            (r"\\\8", r"`\8` is a back-reference"),
            (r"\C", r"Go's `\C` is not known here"),
            (r"\pL", "Unicode"),
            ("[a&&b]", "`&&` inside `[]`"),
            ("[+--]", "`--` inside `[]`"),
            ("[a[b]", "`[` inside `[]`"),
            ("(a{1000}){1000}", "compiled it takes more than 1048576 octets"),
            (&"a".repeat(10_001), "longer than 10000 characters"),
        ] {
            let said = Pattern::parse(pattern).unwrap_err();
            assert!(said.contains(reason), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
