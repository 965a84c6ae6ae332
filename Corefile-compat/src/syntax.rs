//! The syntax tree of a Corefile: what every other step reads, each word with the place where it was written.

use std::fmt;

/// A file whose text the [`Report`](crate::Report) holds: the main file or an imported one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(crate) u32);

/// A stretch of one source, in byte offsets, end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The empty place right behind this stretch: where something is missing.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// From here to the end of `last`; only this stretch if `last` stands in another file or before it.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        let joined = last.source == self.source && last.end >= self.end;
        if joined { Self { end: last.end, ..self } } else { self }
    }
}

/// One token: quotes, escapes and environment variables are resolved in `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What the token says.
    pub text: String,
    /// Where it was written, quotes included.
    pub span: Span,
    /// Whether it was written in quotes.
    pub quoted: bool,
}

impl Word {
    /// What the token says.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A directive, or a property line inside one: both have the same shape, however deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The first word of the line.
    pub name: Word,
    /// The other words of the line.
    pub arguments: Vec<Word>,
    /// The lines between its braces; `None` without braces.
    pub body: Option<Vec<Statement>>,
}

impl Statement {
    /// The lines between its braces; none without braces.
    #[must_use]
    pub fn properties(&self) -> &[Statement] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The first property of that name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Statement> {
        self.properties().iter().find(|property| property.name == name)
    }

    /// The line's words, from the name to the last argument.
    #[must_use]
    pub fn span(&self) -> Span {
        self.arguments.last().map_or(self.name.span, |last| self.name.span.to(last.span))
    }
}

/// A server block: the names it serves and what is done there, in the order in which it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it serves. Empty only if every key was wrong, and then the report says so.
    pub keys: Vec<Key>,
    /// Its directives.
    pub statements: Vec<Statement>,
    /// From the first key to the last.
    pub span: Span,
}

impl Block {
    /// Every statement of that directive.
    pub fn directives<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Statement> {
        self.statements.iter().filter(move |statement| statement.name == name)
    }

    /// The first statement of that directive.
    #[must_use]
    pub fn directive(&self, name: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.name == name)
    }
}

/// The transport that a key names before `://`; plain DNS if it names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// DNS over UDP and TCP (RFC 1035).
    #[default]
    Dns,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484).
    Https,
    /// DNS over gRPC, CoreDNS's own.
    Grpc,
    /// DNS over QUIC (RFC 9250).
    Quic,
    /// DNS over HTTP/3.
    Https3,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [Self::Dns, Self::Tls, Self::Https, Self::Grpc, Self::Quic, Self::Https3];

    /// The word before `://`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Quic => "quic",
            Self::Https3 => "https3",
        }
    }

    /// The port of a key that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Dns => 53,
            Self::Tls | Self::Quic => 853,
            Self::Https | Self::Grpc | Self::Https3 => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One name that a block serves. A prefix that ends between two labels gives several keys with one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// How it is asked.
    pub scheme: Scheme,
    /// The names it answers for.
    pub zone: Zone,
    /// The port, if the key names one.
    pub port: Option<u16>,
    /// Where it was written.
    pub span: Span,
}

impl Key {
    /// The port to listen on. `dns_port` is the port of plain DNS for keys that name none.
    #[must_use]
    pub fn port_or(&self, dns_port: u16) -> u16 {
        match (self.port, self.scheme) {
            (Some(port), _) => port,
            (None, Scheme::Dns) => dns_port,
            (None, scheme) => scheme.default_port(),
        }
    }
}

/// An absolute domain name in presentation form: lower case, trailing dot, `.` for the root (RFC 1035 section 5.1).
///
/// Escapes are in one form only (`\.`, `\\`, `\DDD`), so that equal names are equal texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    /// The root, which encloses every name.
    #[must_use]
    pub fn root() -> Self {
        Self(".".to_owned())
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "."
    }

    /// Trusts that `name` is absolute, lower case and valid.
    pub(crate) fn from_canonical(name: String) -> Self {
        Self(name)
    }

    /// The name with its trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels from the leftmost on, escapes as written; none for the root.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let mut rest = if self.is_root() { "" } else { self.0.as_str() };
        std::iter::from_fn(move || {
            let dot = first_dot(rest)?;
            let (label, below) = rest.split_at(dot);
            rest = &below[1..];
            Some(label)
        })
    }

    /// Whether `name` is this name or below it. Case and a missing trailing dot do not matter.
    #[must_use]
    pub fn encloses(&self, name: &str) -> bool {
        if self.is_root() {
            return true;
        }
        let name = without_final_dot(name).as_bytes();
        let zone = &self.0.as_bytes()[..self.0.len() - 1];
        let Some(cut) = name.len().checked_sub(zone.len()) else {
            return false;
        };
        let (left, right) = name.split_at(cut);
        right.eq_ignore_ascii_case(zone) && (left.is_empty() || ends_with_plain_dot(left))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Zone {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Everything that was written, imports and snippets resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corefile {
    /// The server blocks, in the order in which they were written.
    pub blocks: Vec<Block>,
}

/// Offset of the first dot that ends a label.
fn first_dot(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'.' => return Some(at),
            _ => at += 1,
        }
    }
    None
}

fn without_final_dot(name: &str) -> &str {
    if ends_with_plain_dot(name.as_bytes()) { &name[..name.len() - 1] } else { name }
}

/// Whether the text ends with a dot that ends a label: one with an even number of backslashes before it.
fn ends_with_plain_dot(text: &[u8]) -> bool {
    let Some((b'.', before)) = text.split_last() else {
        return false;
    };
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        crate::value::zone(name).unwrap().remove(0)
    }

    #[test]
    fn a_zone_encloses_itself_and_what_is_below_it() {
        let cluster = zone("Cluster.Local");
        assert!(cluster.encloses("cluster.local."));
        assert!(cluster.encloses("kube-dns.kube-system.svc.CLUSTER.local"));
        assert!(!cluster.encloses("mycluster.local."));
        assert!(!cluster.encloses("local."));
        assert!(!cluster.encloses(""));
        assert!(Zone::root().encloses("anything."));
        assert!(Zone::root().encloses("."));
    }

    #[test]
    fn an_escaped_dot_ends_no_label() {
        let dotted = zone(r"a\.b.example");
        assert_eq!(dotted.labels().collect::<Vec<_>>(), [r"a\.b", "example"]);
        assert!(!zone("b.example").encloses(r"a\.b.example."));
        assert!(zone("example").encloses(r"a\.b.example."));
        assert_eq!(Zone::root().labels().count(), 0);
    }
}
