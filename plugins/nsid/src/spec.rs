//! What `nsid` says.

use contract::corefile::{Report, Statement, no_body};
use contract::wire::Name;

/// The identity of a server block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsidSpec {
    /// The octets of the option (RFC 5001 2.3); `None`: the node's name. May be empty.
    pub data: Option<Vec<u8>>,
}

/// Octets of the identity at most: with them a reply has its OPT and question within 512 octets.
const DATA_MAX: usize = 200;

/// Reads `nsid [DATA...]`. Several words are one text with a blank between each two.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<NsidSpec> {
    let before = report.errors();
    let words: Vec<&str> = statement.arguments.iter().map(|word| word.as_str()).collect();
    let data = (!words.is_empty()).then(|| words.join(" ").into_bytes());
    if data.as_ref().is_some_and(|data| data.len() > DATA_MAX) {
        let error = report.error(statement.arguments[0].span, "too long an identity");
        error.expected(format!("at most {DATA_MAX} octets"));
    }
    no_body(statement, report);
    (report.errors() == before).then_some(NsidSpec { data })
}

impl NsidSpec {
    /// The octets of the option; `node_name` is what the node is called.
    pub fn octets<'a>(&'a self, node_name: &'a str) -> &'a [u8] {
        self.data.as_deref().unwrap_or(node_name.as_bytes())
    }

    /// One line in plain words.
    pub fn describe(&self) -> String {
        match &self.data {
            Some(data) => format!("who asks for NSID is told `{}`", data.escape_ascii()),
            None => "who asks for NSID is told the node's name".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<NsidSpec>, String) {
        testing::checked(text, check)
    }

    #[test]
    fn words_are_one_text() {
        for (text, data) in [
            ("nsid", None),
            ("nsid node-a", Some(&b"node-a"[..])),
            ("nsid Use  The \"Force \"", Some(b"Use The Force ")),
            ("nsid \"\"", Some(b"")),
            ("nsid 0x0A", Some(b"0x0A")),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, Some(NsidSpec { data: data.map(<[u8]>::to_vec) }), "{text}: {report}");
        }
        let named = |text| checked(text).0.unwrap();
        assert_eq!(named("nsid").octets("node-b"), b"node-b");
        assert_eq!(named("nsid node-a").octets("node-b"), b"node-a");
        assert_eq!(named("nsid a b").describe(), "who asks for NSID is told `a b`");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let long = format!("nsid {}", "x".repeat(DATA_MAX + 1));
        for (text, place, reason) in
            [("nsid a {\n b\n}", "3:2", "`nsid` has no properties"), (long.as_str(), "2:6", "too long an identity")]
        {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{report}");
        }
        assert!(checked(&format!("nsid {}", "x".repeat(DATA_MAX))).0.is_some());
    }
}
