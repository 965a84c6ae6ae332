//! What `cancel` says.

use std::time::Duration;

use contract::corefile::{Report, Statement, no_body, value};
use contract::limits::ANSWER_WITHIN;
use contract::wire::Name;

/// CoreDNS's own default, milliseconds: a little longer than clients wait.
const DEFAULT: Duration = Duration::from_millis(5_001);

/// When a query of the block is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelSpec {
    /// From its arrival; as written, so it may be longer than the daemon's own bound.
    pub timeout: Duration,
}

/// Reads `cancel [TIMEOUT]`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<CancelSpec> {
    let before = report.errors();
    let mut reader = statement.reader(report);
    let timeout = reader.optional_value("a duration such as `1s`, longer than nothing", value::positive_duration);
    reader.finish();
    no_body(statement, report);
    (report.errors() == before).then_some(CancelSpec { timeout: timeout.unwrap_or(DEFAULT) })
}

impl CancelSpec {
    /// The time from a query's arrival after which it is answered with SERVFAIL: what is written, and never longer than the
    /// daemon's own bound ([`ANSWER_WITHIN`]).
    pub fn within(self) -> Duration {
        self.timeout.min(ANSWER_WITHIN)
    }

    /// One line in plain words.
    pub fn describe(&self) -> String {
        format!("queries are given up after {} ms", self.within().as_millis())
    }
}

#[cfg(test)]
mod tests {
    use contract::testing;

    use super::*;

    fn checked(text: &str) -> (Option<CancelSpec>, String) {
        testing::checked(text, check)
    }

    #[test]
    fn durations() {
        for (text, timeout, within) in [
            ("cancel", 5_001, 4_000),
            ("cancel 500ms", 500, 500),
            ("cancel 1m30s", 90_000, 4_000),
            ("cancel +1.5s", 1_500, 1_500),
        ] {
            let spec = checked(text).0.unwrap();
            assert_eq!(spec, CancelSpec { timeout: Duration::from_millis(timeout) }, "{text}");
            assert_eq!(spec.within(), Duration::from_millis(within), "{text}");
        }
        assert_eq!(checked("cancel").0.unwrap().describe(), "queries are given up after 4000 ms");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("cancel 5", "2:8", "without a unit"),
            ("cancel -5s", "2:8", "a negative duration"),
            ("cancel 0s", "2:8", "a duration of nothing"),
            ("cancel 1s 2s", "2:11", "unexpected argument `2s`"),
            ("cancel {\n}", "2:1", "`cancel` has no properties"),
            ("cancel 1s {\n x 3s\n}", "3:2", "`cancel` has no properties"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(report.contains(&format!("Corefile:{place}: error")) && report.contains(reason), "{report}");
        }
    }
}
