//! Formats of lines: text with placeholders in braces.

use contract::corefile::{Report, Word};
use contract::labels::LABELS;

/// The Common Log Format.
pub(crate) const COMMON: &str = "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" \
                                 {rcode} {>rflags} {rsize} {duration}";
/// The Common Log Format and the opcode.
pub(crate) const COMBINED: &str = "{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" \
                                   {rcode} {>rflags} {rsize} {duration} \"{>opcode}\"";

/// A format, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(pub(crate) Vec<Part>);

/// A piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Value(Value),
    /// A label that somebody else may know, without its slash.
    Label(String),
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Type,
    Name,
    Class,
    Proto,
    Remote,
    Local,
    Size,
    Port,
    Duration,
    Rcode,
    Rsize,
    Rflags,
    Bufsize,
    Do,
    Id,
    Opcode,
    LogClass,
    LogType,
}

impl Value {
    /// Every placeholder without its braces.
    const WORDS: [(&str, Self); 18] = [
        ("type", Self::Type),
        ("name", Self::Name),
        ("class", Self::Class),
        ("proto", Self::Proto),
        ("remote", Self::Remote),
        ("local", Self::Local),
        ("size", Self::Size),
        ("port", Self::Port),
        ("duration", Self::Duration),
        ("rcode", Self::Rcode),
        ("rsize", Self::Rsize),
        (">rflags", Self::Rflags),
        (">bufsize", Self::Bufsize),
        (">do", Self::Do),
        (">id", Self::Id),
        (">opcode", Self::Opcode),
        ("/log/class", Self::LogClass),
        ("/log/type", Self::LogType),
    ];
}

impl Format {
    /// The Common Log Format.
    pub fn common() -> Self {
        Self::parse(COMMON, |_| {})
    }

    /// Reads the format that stands in a word. Braces that hold no placeholder are text, as in CoreDNS: a warning if they
    /// look like one, or ask for a label that nobody knows.
    pub(crate) fn check(word: &Word, report: &mut Report) -> Self {
        let text = word.text.replace("{common}", COMMON).replace("{combined}", COMBINED);
        Self::parse(&text, |unknown| {
            let known = Value::WORDS.iter().map(|(known, _)| *known).chain(["common", "combined"]);
            if let Some(label) = unknown.strip_prefix('/') {
                if !LABELS.contains(&label) {
                    let text = format!("nobody knows the label `{unknown}`: `-` is written");
                    let known = LABELS.iter().map(|label| format!("/{label}"));
                    let known: Vec<String> = known.chain(["/log/class".into(), "/log/type".into()]).collect();
                    report.warning(word.span, text).nearest(unknown, known.iter().map(String::as_str));
                }
            } else if looks_like_placeholder(unknown) {
                let warning =
                    report.warning(word.span, format!("`{{{unknown}}}` is no placeholder and stays as it is"));
                warning.nearest(unknown, known);
            }
        })
    }

    /// Takes a format apart. A placeholder begins at the last brace before the first closing one, so that the text may
    /// have braces too (JSON). `unknown` is told what else stands in braces.
    fn parse(text: &str, mut unknown: impl FnMut(&str)) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(close) = rest.find('}') {
            let open = rest[..close].rfind('{');
            let inside = open.map(|open| &rest[open + 1..close]);
            let part = inside.and_then(placeholder);
            if !matches!(part, Some(Part::Value(_))) {
                inside.into_iter().for_each(&mut unknown);
            }
            if let (Some(open), Some(part)) = (open, part) {
                plain.push_str(&rest[..open]);
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
            } else {
                plain.push_str(&rest[..=close]);
            }
            rest = &rest[close + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }
}

/// What stands between braces, if that is a placeholder.
fn placeholder(inside: &str) -> Option<Part> {
    match Value::WORDS.iter().find(|(word, _)| *word == inside) {
        Some((_, value)) => Some(Part::Value(*value)),
        None => inside.strip_prefix('/').map(|label| Part::Label(label.to_owned())),
    }
}

fn looks_like_placeholder(text: &str) -> bool {
    let word = text.strip_prefix('>').unwrap_or(text);
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn parts(text: &str) -> Vec<Part> {
        Format::parse(text, |_| {}).0
    }

    #[test]
    fn text_and_placeholders_are_told_apart() {
        assert_eq!(parts("{name}"), [Part::Value(Value::Name)]);
        assert_eq!(parts("a {name} b"), [text("a "), Part::Value(Value::Name), text(" b")]);
        assert_eq!(parts("{\"n\":\"{name}\"}"), [text("{\"n\":\""), Part::Value(Value::Name), text("\"}")]);
        assert_eq!(parts("{nobody} } {"), [text("{nobody} } {")]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn every_placeholder_is_known() {
        for (word, value) in Value::WORDS {
            assert_eq!(parts(&format!("{{{word}}}")), [Part::Value(value)], "{word}");
        }
        assert!(COMBINED.starts_with(COMMON));
    }
}
