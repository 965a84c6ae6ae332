//! What `chaos` says, and which questions it answers.

use std::collections::BTreeSet;

use contract::corefile::{Report, Statement, unknown_property};
use contract::wire::{Name, RecordType};

/// Who wrote this, where nothing else is written.
const AUTHORS: &str = "Nearpath authors";
/// Octets of a character string (RFC 1035 3.3).
const TEXT_MAX: usize = 255;
/// Authors that one reply names: they fit into a message over TCP.
const AUTHORS_MAX: usize = 128;

/// What a server block says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChaosSpec {
    /// The version, at most 255 octets.
    pub version: String,
    /// The authors, each at most 255 octets, in order.
    pub authors: Vec<String>,
}

impl Default for ChaosSpec {
    /// What is said without a directive.
    fn default() -> Self {
        Self { version: concat!("nearpath ", env!("CARGO_PKG_VERSION")).to_owned(), authors: vec![AUTHORS.to_owned()] }
    }
}

/// Reads `chaos [VERSION] [AUTHORS...]`. What is longer than a character string is cut, as in CoreDNS.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ChaosSpec> {
    let before = report.errors();
    let mut spec = ChaosSpec::default();
    let mut reader = statement.reader(report);
    if let Some(version) = reader.optional() {
        spec.version = cut(version.as_str());
    }
    let authors = reader.rest();
    if let Some(superfluous) = authors.get(AUTHORS_MAX) {
        report.error(superfluous.span, "too many authors").expected(format!("at most {AUTHORS_MAX}"));
    }
    let authors: BTreeSet<&str> = authors.iter().map(|author| author.as_str()).collect();
    if !authors.is_empty() {
        spec.authors = authors.into_iter().map(cut).collect();
    }
    for property in statement.properties() {
        unknown_property(property, &[], report);
    }
    (report.errors() == before).then_some(spec)
}

/// The text as far as a character string holds it.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_MAX)].to_owned()
}

impl ChaosSpec {
    /// The texts of the reply to a question of class CHAOS, a TXT record each, all with the TTL 0; `None` if it is not one of
    /// ours: then nobody answers it. `host` is what this host is called.
    pub fn answer(&self, name: &Name, rtype: RecordType, host: &str) -> Option<Vec<String>> {
        if rtype != RecordType::TXT {
            return None;
        }
        match name.to_string().as_str() {
            "version.bind." | "version.server." => Some(vec![self.version.clone()]),
            "authors.bind." => Some(self.authors.clone()),
            "hostname.bind." | "id.server." => Some(vec![cut(host)]),
            _ => None,
        }
    }

    /// One line in plain words.
    pub fn describe(&self) -> String {
        format!("class CHAOS is told the version `{}` and the authors {}", self.version, self.authors.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<ChaosSpec>, String) {
        testing::checked(text, check)
    }

    #[test]
    fn version_and_authors() {
        let own = ChaosSpec::default();
        for (text, version, authors) in [
            ("chaos", own.version.as_str(), vec![AUTHORS]),
            ("chaos {\n}", &own.version, vec![AUTHORS]),
            ("chaos v1", "v1", vec![AUTHORS]),
            ("chaos \"v 1\" b@x a@x b@x", "v 1", vec!["a@x", "b@x"]),
        ] {
            let authors = authors.into_iter().map(str::to_owned).collect();
            assert_eq!(checked(text).0, Some(ChaosSpec { version: version.to_owned(), authors }), "{text}");
        }
        assert!(own.version.starts_with("nearpath 0."));
        assert_eq!(
            checked("chaos v1 a b").0.unwrap().describe(),
            "class CHAOS is told the version `v1` and the authors a, b"
        );
    }

    #[test]
    fn what_no_character_string_holds_is_cut() {
        let (spec, _) = checked(&format!("chaos {} {}\u{e4}", "v".repeat(300), "a".repeat(254)));
        let spec = spec.unwrap();
        assert_eq!((spec.version.len(), spec.authors[0].len()), (255, 254), "no character in halves");
        let host = spec.answer(&"id.server.".parse().unwrap(), RecordType::TXT, &"h".repeat(256)).unwrap();
        assert_eq!(host[0].len(), 255);
    }

    #[test]
    fn five_names_are_answered_for_one_type() {
        let (spec, _) = checked("chaos v1 b a");
        let spec = spec.unwrap();
        let ask = |name: &str, rtype| spec.answer(&name.parse().unwrap(), rtype, "node-a");
        for (name, texts) in [
            ("version.bind.", Some(vec!["v1"])),
            ("version.server.", Some(vec!["v1"])),
            ("authors.bind.", Some(vec!["a", "b"])),
            ("hostname.bind.", Some(vec!["node-a"])),
            ("id.server.", Some(vec!["node-a"])),
            ("bind.", None),
            ("x.version.bind.", None),
        ] {
            assert_eq!(ask(name, RecordType::TXT), texts.map(|texts| texts.into_iter().map(String::from).collect()));
        }
        assert_eq!(ask("version.bind.", RecordType::A), None);
        assert_eq!(ask("version.bind.", RecordType::ANY), None);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let many = format!("chaos v{}", " a".repeat(AUTHORS_MAX + 1));
        for (text, place, reason) in
            [("chaos v1 {\n a\n}", "3:2", "unknown property `a`"), (many.as_str(), "2:265", "too many authors")]
        {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{report}");
        }
    }
}
