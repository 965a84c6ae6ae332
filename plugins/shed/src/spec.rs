//! What `shed` says, and where it may stand.

use contract::corefile::{Corefile, Report, Scheme, Statement, unknown_property};
use contract::wire::Name;

/// A checked `shed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShedSpec;

/// Reads the statement: a mere word.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ShedSpec> {
    let before = report.errors();
    statement.reader(report).finish();
    for property in statement.properties() {
        unknown_property(property, &[], report);
    }
    (report.errors() == before).then_some(ShedSpec)
}

/// Reports every `shed` in a server block with a key that is not plain DNS: there it would protect nothing.
pub fn check_blocks(corefile: &Corefile, _dns_port: u16, report: &mut Report) {
    for block in corefile.blocks.iter().filter(|block| block.directive("shed").is_some()) {
        for key in block.keys.iter().filter(|key| key.scheme != Scheme::Dns) {
            report
                .error(key.span, format!("`shed` is for plain DNS, not for `{}://`", key.scheme))
                .help("move this key to a server block without `shed`");
        }
    }
}

impl ShedSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        "questions over UDP that find no place are dropped without a reply".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use contract::corefile::{Memory, parse};
    use contract::testing;

    use super::*;

    #[test]
    fn it_is_a_mere_word() {
        assert_eq!(testing::checked("shed", check).0, Some(ShedSpec));
        assert_eq!(testing::checked("shed {\n}", check).0, Some(ShedSpec));
        for (text, place) in [("shed 5", "2:6"), ("shed {\n depth 5\n}", "3:2")] {
            let (spec, report) = testing::checked(text, check);
            assert!(spec.is_none() && report.contains(&format!("Corefile:{place}: error")), "{report}");
        }
    }

    #[test]
    fn keys_that_are_not_plain_dns_are_refused() {
        let reported = |text: &str| {
            let mut report = Report::new();
            let corefile = parse("Corefile", text, &Memory::new(), &mut report);
            check_blocks(&corefile, 53, &mut report);
            report.to_string()
        };
        assert_eq!(reported(".:53 dns://a:54 {\n shed\n}\ntls://b {\n whoami\n}\n"), "");
        let told = reported("a:53 tls://a https://b {\n shed\n}\n");
        assert!(told.contains("Corefile:1:6: error: `shed` is for plain DNS, not for `tls://`"), "{told}");
        assert!(told.contains("Corefile:1:14: error") && told.matches("error").count() == 2, "{told}");
    }
}
