//! All findings, for a person or for a program, and the exit code.

use std::fmt;

use serde::Serialize;

use super::verdict::{Finding, State};

/// The widest name of a check, and the width of its column.
const NAME_WIDTH: usize = 16;

/// All findings, in the order of the table.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) checks: Vec<Told>,
    /// How many there are of each.
    pub(super) ok: usize,
    pub(super) warn: usize,
    pub(super) fail: usize,
    pub(super) skip: usize,
}

/// One finding.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) name: &'static str,
    /// What it looks at.
    pub(super) looks_at: &'static str,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) mend: Vec<String>,
}

impl Report {
    pub(super) fn new(findings: impl IntoIterator<Item = (&'static str, &'static str, Finding)>) -> Self {
        let told = |(name, looks_at, Finding { state, reason, mend })| Told { name, looks_at, state, reason, mend };
        let checks: Vec<Told> = findings.into_iter().map(told).collect();
        let count = |state| checks.iter().filter(|told| told.state == state).count();
        let (ok, warn, fail, skip) = (count(State::Ok), count(State::Warn), count(State::Fail), count(State::Skip));
        Self { checks, ok, warn, fail, skip }
    }

    /// 0: all is well; 1: warnings; 2: failures.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.fail, self.warn) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.checks {
            let word = match told.state {
                State::Ok => "ok",
                State::Warn => "warn",
                State::Fail => "FAIL",
                State::Skip => "skip",
            };
            writeln!(f, "{word:<4}  {:<NAME_WIDTH$} {}", told.name, escaped(&told.reason))?;
            for mend in &told.mend {
                writeln!(f, "      {:<NAME_WIDTH$}   mend: {}", "", escaped(mend))?;
            }
        }
        let Self { checks, ok, warn, fail, skip } = self;
        let (warnings, failures) = (counted(*warn, "warning"), counted(*fail, "failure"));
        writeln!(f, "{} checks: {ok} ok, {warnings}, {failures}, {skip} skipped", checks.len())
    }
}

/// One of a thing, or several.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Text in which nothing moves a terminal's cursor: names and values may come from the network.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

/// No control character, and none that turns the direction of writing or cannot be seen.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_the_worst() {
        let of = |findings: Vec<Finding>| Report::new(findings.into_iter().map(|one| ("n", "l", one))).exit_code();
        assert_eq!(of(vec![Finding::ok(""), Finding::skip("")]), 0);
        assert_eq!(of(vec![Finding::ok(""), Finding::warn("", "")]), 1);
        assert_eq!(of(vec![Finding::fail("", ""), Finding::warn("", "")]), 2);
    }

    #[test]
    fn one_is_no_plural() {
        let last = |findings: &[Finding]| {
            let report = Report::new(findings.iter().map(|one| ("n", "l", one.clone())));
            report.to_string().lines().last().unwrap().to_owned()
        };
        let (warn, fail) = (Finding::warn("", ""), Finding::fail("", ""));
        assert_eq!(last(&[warn.clone(), fail]), "2 checks: 0 ok, 1 warning, 1 failure, 0 skipped");
        assert_eq!(last(&[warn.clone(), warn]), "2 checks: 0 ok, 2 warnings, 0 failures, 0 skipped");
    }

    #[test]
    fn nothing_of_the_network_moves_the_cursor() {
        let report = Report::new([("daemon", "", Finding::fail("said \u{1b}[2J\r\n\u{202e}x ä", "see\tit"))]);
        let text = report.to_string();
        assert!(text.contains(r"said \u{1b}[2J\r\n\u{202e}x ä") && text.contains(r"mend: see\tit"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn programs_read_json() {
        let report = Report::new([("daemon", "whether", Finding::warn("why", "how"))]);
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["checks"][0]["state"], "warn");
        assert_eq!(value["checks"][0]["mend"][0], "how");
        assert_eq!((value["warn"].as_u64(), value["fail"].as_u64()), (Some(1), Some(0)));
    }
}
