//! What `timeouts` says.

use std::num::NonZeroU32;
use std::time::Duration;

use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, unknown_property, value};
use contract::limits;
use contract::wire::Name;

/// How long connections of clients live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutsSpec {
    /// From the first octet of a query to its last, from 1 s to 24 h.
    pub read: Duration,
    /// Until the client takes a reply, from 1 s to 24 h.
    pub write: Duration,
    /// From the last reply to the next query, from 1 s to 24 h.
    pub idle: Duration,
    /// Queries after which a TCP or TLS connection is closed; `None`: no end.
    pub max_tcp_queries: Option<NonZeroU32>,
}

impl Default for TimeoutsSpec {
    /// [`limits::READ_WITHIN`], [`limits::WRITE_WITHIN`], [`limits::CONNECTION_IDLE`], queries without end.
    fn default() -> Self {
        Self {
            read: limits::READ_WITHIN,
            write: limits::WRITE_WITHIN,
            idle: limits::CONNECTION_IDLE,
            max_tcp_queries: None,
        }
    }
}

const PROPERTIES: [&str; 4] = ["read", "write", "idle", "maxtcpqueries"];
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads `timeouts { read DURATION; write DURATION; idle DURATION; maxtcpqueries MAXIMUM }`, at least one of them.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<TimeoutsSpec> {
    let before = report.errors();
    let mut spec = TimeoutsSpec::default();
    statement.reader(report).finish();
    if statement.properties().is_empty() {
        let error = report.error(statement.name.span, "`timeouts` without a property");
        error.expected("at least one of `read`, `write`, `idle` and `maxtcpqueries` in braces");
    }
    for property in statement.properties() {
        let name = property.name.as_str();
        if PROPERTIES.contains(&name) && repeated(statement, property, report) {
            continue;
        }
        match name {
            "read" => timeout(property, report, &mut spec.read),
            "write" => timeout(property, report, &mut spec.write),
            "idle" => timeout(property, report, &mut spec.idle),
            "maxtcpqueries" => {
                let mut reader = property.reader(report);
                let maximum = reader.value("a number of queries, or `-1` for no end", queries);
                reader.finish();
                spec.max_tcp_queries = maximum.flatten();
            }
            _ => unknown_property(property, &PROPERTIES, report),
        }
    }
    (report.errors() == before).then_some(spec)
}

impl TimeoutsSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        let queries = self.max_tcp_queries.map_or(String::new(), |most| format!(", {most} queries each"));
        format!("connections: read {:?}, write {:?}, idle {:?}{queries}", self.read, self.write, self.idle)
    }
}

fn timeout(property: &Statement, report: &mut Report, into: &mut Duration) {
    let mut reader = property.reader(report);
    let expected = "a duration from `1s` to `24h`; a bare number is seconds";
    let duration = reader.value(expected, |text| match value::duration_or_seconds(text)? {
        duration if (SHORTEST..=LONGEST).contains(&duration) => Ok(duration),
        _ => Err("out of range".to_owned()),
    });
    reader.finish();
    if let Some(duration) = duration {
        *into = duration;
    }
}

fn queries(text: &str) -> Result<Option<NonZeroU32>, String> {
    match value::number::<i64>(text)? {
        -1 => Ok(None),
        count => match u32::try_from(count).ok().and_then(NonZeroU32::new) {
            Some(count) => Ok(Some(count)),
            None => Err("out of range".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<TimeoutsSpec>, Report) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report)
    }

    #[test]
    fn every_property_on_its_own() {
        let default = TimeoutsSpec::default();
        let seconds = Duration::from_secs;
        for (text, meant) in [
            ("read 30s", TimeoutsSpec { read: seconds(30), ..default }),
            ("write 20", TimeoutsSpec { write: seconds(20), ..default }),
            ("idle 1h", TimeoutsSpec { idle: seconds(3600), ..default }),
            ("idle 24h", TimeoutsSpec { idle: seconds(86_400), ..default }),
            ("read 1s", TimeoutsSpec { read: seconds(1), ..default }),
            ("maxtcpqueries 128", TimeoutsSpec { max_tcp_queries: NonZeroU32::new(128), ..default }),
            ("maxtcpqueries -1", default),
        ] {
            assert_eq!(checked(&format!("timeouts {{\n {text}\n}}")).0, Some(meant), "{text}");
        }
    }

    #[test]
    fn all_together_in_plain_words() {
        let (spec, report) = checked("timeouts {\n read 1m\n write 2m\n idle 3m\n maxtcpqueries 5\n}");
        let said = spec.unwrap_or_else(|| panic!("{report}")).describe();
        assert_eq!(said, "connections: read 60s, write 120s, idle 180s, 5 queries each");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("timeouts", "2:1", "`timeouts` without a property"),
            ("timeouts {\n}", "2:1", "`timeouts` without a property"),
            ("timeouts 5s {\n read 5s\n}", "2:10", "unexpected argument `5s`"),
            ("timeouts {\n read 0s\n}", "3:7", "from `1s` to `24h`"),
            ("timeouts {\n read 48h\n}", "3:7", "from `1s` to `24h`"),
            ("timeouts {\n write snake\n}", "3:8", "not a duration"),
            ("timeouts {\n idle 1s 2s\n}", "3:10", "unexpected argument `2s`"),
            ("timeouts {\n read\n}", "3:6", "missing argument of `read`"),
            ("timeouts {\n read 1s\n read 2s\n}", "4:2", "`read` stands twice"),
            ("timeouts {\n maxtcpqueries 0\n}", "3:16", "or `-1` for no end"),
            ("timeouts {\n maxtcpqueries -2\n}", "3:16", "out of range"),
            ("timeouts {\n maxtcpqueries many\n}", "3:16", "not a whole number"),
            ("timeouts {\n maxtcpquery 5\n}", "3:2", "did you mean `maxtcpqueries`"),
        ] {
            let (spec, report) = checked(text);
            assert_eq!(spec, None, "{text}");
            let printed = report.to_string();
            assert!(printed.starts_with(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
            assert_eq!(report.errors(), 1, "{printed}");
        }
    }
}
