//! What `reload` says.

use std::time::Duration;

use contract::corefile::{Report, Statement, no_body, value};
use contract::wire::Name;

/// Looking at the Corefile, and at what it imports, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadSpec {
    /// Between two looks; at least 2 s.
    pub interval: Duration,
    /// Over how long a time nodes that started together spread their looks: zero, or from 1 s to half of `interval`.
    pub jitter: Duration,
}

const INTERVAL_MIN: Duration = Duration::from_secs(2);
const JITTER_MIN: Duration = Duration::from_secs(1);

impl Default for ReloadSpec {
    /// Every 30 s, spread over 15 s.
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), jitter: Duration::from_secs(15) }
    }
}

/// Reads `reload [INTERVAL] [JITTER]`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<ReloadSpec> {
    let before = report.errors();
    let mut spec = ReloadSpec::default();
    let mut reader = statement.reader(report);
    if let Some(interval) = reader.optional_value("a duration of at least `2s`", interval) {
        spec.interval = interval;
    }
    if let Some(jitter) = reader.optional_value("`0s`, or a duration of at least `1s`", jitter) {
        spec.jitter = jitter;
    }
    reader.finish();
    no_body(statement, report);
    spec.jitter = spec.jitter.min(spec.interval / 2);
    (report.errors() == before).then_some(spec)
}

impl ReloadSpec {
    /// One line in plain words.
    pub fn describe(&self) -> String {
        match self.jitter {
            Duration::ZERO => format!("looks at the Corefile every {:?}", self.interval),
            jitter => format!("looks at the Corefile every {:?}, spread over {jitter:?}", self.interval),
        }
    }

    /// This node's own time between two looks: `interval` plus or minus half of `jitter`. `share` is random, from 0 to 1,
    /// and drawn once per load.
    pub fn period(&self, share: f64) -> Duration {
        self.interval - self.jitter / 2 + self.jitter.mul_f64(share.clamp(0.0, 1.0))
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    value::duration(text).and_then(|interval| match interval {
        short if short < INTERVAL_MIN => Err("too short".to_owned()),
        interval => Ok(interval),
    })
}

fn jitter(text: &str) -> Result<Duration, String> {
    value::duration(text).and_then(|jitter| match jitter {
        Duration::ZERO => Ok(jitter),
        short if short < JITTER_MIN => Err("too short".to_owned()),
        jitter => Ok(jitter),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::corefile::{Memory, parse};

    fn checked(text: &str) -> (Option<ReloadSpec>, String) {
        let mut report = Report::new();
        let corefile = parse("Corefile", &format!(". {{\n{text}\n}}\n"), &Memory::new(), &mut report);
        let spec = check(&corefile.blocks[0].statements[0], &[], &mut report);
        (spec, report.to_string())
    }

    #[test]
    fn intervals_and_jitters() {
        for (text, interval, jitter) in [
            ("reload", 30_000, 15_000),
            ("reload 10s", 10_000, 5_000),
            ("reload 2s", 2_000, 1_000),
            ("reload 2s 0s", 2_000, 0),
            ("reload 1m 10s", 60_000, 10_000),
            ("reload 10s 1m", 10_000, 5_000),
            ("reload 10s 1s", 10_000, 1_000),
        ] {
            let meant = ReloadSpec { interval: Duration::from_millis(interval), jitter: Duration::from_millis(jitter) };
            assert_eq!(checked(text).0, Some(meant), "{text}");
        }
    }

    #[test]
    fn the_period_is_spread_around_the_interval() {
        let spec = ReloadSpec::default();
        assert_eq!(spec.period(0.0), Duration::from_millis(22_500));
        assert_eq!(spec.period(0.5), Duration::from_secs(30));
        assert_eq!(spec.period(1.0), Duration::from_millis(37_500));
        assert_eq!(spec.period(9.0), spec.period(1.0));
        assert_eq!(ReloadSpec { jitter: Duration::ZERO, ..spec }.period(0.0), Duration::from_secs(30));
    }

    #[test]
    fn it_is_said_in_plain_words() {
        let said = |text: &str| checked(text).0.unwrap().describe();
        assert_eq!(said("reload"), "looks at the Corefile every 30s, spread over 15s");
        assert_eq!(said("reload 5s 0s"), "looks at the Corefile every 5s");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("reload 1s", "2:8", "at least `2s`"),
            ("reload 30", "2:8", "without a unit"),
            ("reload off", "2:8", "not a duration"),
            ("reload 30s 500ms", "2:12", "at least `1s`"),
            ("reload 30s 1s 1s", "2:15", "unexpected argument `1s`"),
            ("reload {\n x\n}", "3:2", "`reload` has no properties"),
        ] {
            let (spec, printed) = checked(text);
            assert_eq!(spec, None, "{text}");
            assert!(printed.starts_with(&format!("Corefile:{place}: error")), "{text}: {printed}");
            assert!(printed.contains(reason), "{text}: {printed}");
        }
    }
}
