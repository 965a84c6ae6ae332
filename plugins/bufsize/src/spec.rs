//! What `bufsize` says.

use contract::corefile::{Report, Statement, no_body, value};
use contract::wire::Name;

/// The bound of a server block on UDP payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufsizeSpec {
    /// Octets, from 512 to 4096. Lowers what a client offers, and never raises it.
    pub size: u16,
}

impl Default for BufsizeSpec {
    /// 1232 octets: fits every path with an MTU of 1280 (DNS flag day 2020).
    fn default() -> Self {
        Self { size: 1_232 }
    }
}

/// Reads `bufsize [SIZE]`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<BufsizeSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let size = reader.optional_value("octets from 512 to 4096", value::number_in(512..=4096));
    reader.finish();
    no_body(statement, report);
    let spec = size.map_or_else(BufsizeSpec::default, |size| BufsizeSpec { size });
    (report.errors() == before).then_some(spec)
}

impl BufsizeSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        format!("UDP payloads of at most {} octets", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<BufsizeSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn sizes() {
        for (text, size) in [("bufsize", 1232), ("bufsize 512", 512), ("bufsize 4096", 4096)] {
            assert_eq!(checked(text).0, Some(BufsizeSpec { size }), "{text}");
        }
        assert_eq!(BufsizeSpec::default().describe(), "UDP payloads of at most 1232 octets");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("bufsize 511", "2:9", "octets from 512 to 4096"),
            ("bufsize 4097", "2:9", "octets from 512 to 4096"),
            ("bufsize 1k", "2:9", "not a whole number"),
            ("bufsize 1232 512", "2:14", "unexpected argument `512`"),
            ("bufsize {\n x\n}", "3:2", "`bufsize` has no properties"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            let printed = report.to_string();
            assert!(printed.starts_with(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
        }
    }
}
