//! What `multisocket` says.

use std::num::NonZeroU16;

use contract::corefile::{Report, Statement, no_body, value};
use contract::wire::Name;

/// Sockets of one address at most (CoreDNS's own bound).
const SOCKETS_MAX: u16 = 1_024;

/// How many sockets for datagrams an address has. The first block of an address that says it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultisocketSpec {
    /// So many, and never fewer than there are threads that answer; `None`: as many as these.
    pub sockets: Option<NonZeroU16>,
}

/// Reads `multisocket [N]`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<MultisocketSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let sockets = reader.optional_value("a number of sockets from 1 to 1024", sockets);
    reader.finish();
    no_body(statement, report);
    (report.errors() == before).then_some(MultisocketSpec { sockets })
}

fn sockets(text: &str) -> Result<NonZeroU16, String> {
    // Go's numbers may have a plus
    let digits = text.strip_prefix('+').filter(|digits| !digits.starts_with('-')).unwrap_or(text);
    let number = value::number_in(1..=SOCKETS_MAX)(digits)?;
    NonZeroU16::new(number).ok_or_else(|| "no socket".to_owned())
}

impl MultisocketSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        match self.sockets {
            Some(sockets) => format!("{sockets} sockets for datagrams, or one for each thread if that is more"),
            None => "a socket for datagrams for each thread".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<MultisocketSpec>, String) {
        testing::checked(text, check)
    }

    #[test]
    fn numbers() {
        for (text, sockets) in
            [("multisocket", 0), ("multisocket 1", 1), ("multisocket +5", 5), ("multisocket 1024", 1024)]
        {
            assert_eq!(checked(text).0, Some(MultisocketSpec { sockets: NonZeroU16::new(sockets) }), "{text}");
        }
        assert_eq!(checked("multisocket").0.unwrap().describe(), "a socket for datagrams for each thread");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("multisocket 0", "2:13", "out of range, at least 1"),
            ("multisocket -1", "2:13", "from 1 to 1024"),
            ("multisocket +-1", "2:13", "not a whole number"),
            ("multisocket 1025", "2:13", "at most 1024"),
            ("multisocket all", "2:13", "not a whole number"),
            ("multisocket 1 2", "2:15", "unexpected argument `2`"),
            ("multisocket {\n}", "2:1", "`multisocket` has no properties"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")), "{text}: {report}");
            assert!(report.contains(reason), "{text}: {report}");
        }
    }
}
