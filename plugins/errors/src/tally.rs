//! Decides which failures become lines, and when counts do. Pure: time comes in, lines go out.

use std::time::Duration;

use contract::{Moment, limits};

use crate::spec::{Consolidate, Level};

/// One line of the log, as it stands behind its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// What was counted and not yet said.
#[derive(Debug)]
pub(crate) struct Tally {
    rules: Vec<Consolidate>,
    /// One per rule: since when, and how many; `None` before the first of a period.
    periods: Vec<Option<(Moment, u64)>>,
    /// The second under way: its beginning, and how many lines it has.
    second: (Moment, u32),
    /// Lines that would have been too many: since when, and how many.
    left_out: Option<(Moment, u64)>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Tally {
    pub(crate) fn new(rules: Vec<Consolidate>) -> Self {
        Self { periods: vec![None; rules.len()], rules, second: (Moment::default(), 0), left_out: None }
    }

    /// A failure that belongs to a rule, or to none. Returns how loudly it is to be said now, if it is.
    pub(crate) fn failed(&mut self, rule: Option<usize>, now: Moment) -> Option<Level> {
        let level = match rule {
            None => Level::Error,
            Some(index) => {
                let rule = &self.rules[index];
                let (_, count) = self.periods[index].get_or_insert((now, 0));
                *count += 1;
                if *count > 1 || !rule.show_first {
                    return None;
                }
                rule.level
            }
        };
        if now.since(self.second.0) >= SECOND {
            self.second = (now, 0);
        }
        if self.second.1 >= limits::ERROR_LINES_PER_SECOND_MAX {
            self.left_out(now);
            return None;
        }
        self.second.1 += 1;
        Some(level)
    }

    /// A line that its writer had no room for.
    pub(crate) fn left_out(&mut self, now: Moment) {
        self.left_out.get_or_insert((now, 0)).1 += 1;
    }

    /// When [`Tally::due`] has something to say next.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let ends = self
            .rules
            .iter()
            .zip(&self.periods)
            .filter_map(|(rule, period)| Some(period.as_ref()?.0.after(rule.period)));
        let second = self.left_out.map(|(since, _)| since.after(SECOND));
        ends.chain(second).min()
    }

    /// The counts whose time has come.
    pub(crate) fn due(&mut self, now: Moment) -> Vec<Line> {
        let mut lines = Vec::new();
        for (rule, period) in self.rules.iter().zip(&mut self.periods) {
            if period.is_some_and(|(since, _)| since.after(rule.period) <= now) {
                lines.extend(period.take().and_then(|(_, count)| counted(rule, count)));
            }
        }
        if self.left_out.is_some_and(|(since, _)| since.after(SECOND) <= now) {
            lines.extend(self.left_out.take().map(left_out));
        }
        lines
    }

    /// All counts, because nobody will ask again.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let counts = self.rules.iter().zip(&mut self.periods);
        let mut lines: Vec<Line> =
            counts.filter_map(|(rule, period)| period.take().and_then(|(_, count)| counted(rule, count))).collect();
        lines.extend(self.left_out.take().map(left_out));
        lines
    }
}

/// The line of a period; none if the one failure in it was said.
fn counted(rule: &Consolidate, count: u64) -> Option<Line> {
    let period = go_duration(rule.period);
    let text = format!("plugin/errors: {count} errors like '{}' occurred in last {period}", rule.pattern.as_str());
    (count > 1 || !rule.show_first).then_some(Line { level: rule.level, text })
}

fn left_out((_, count): (Moment, u64)) -> Line {
    let most = limits::ERROR_LINES_PER_SECOND_MAX;
    let text = format!("plugin/errors: {count} more errors left out: at most {most} lines a second are written");
    Line { level: Level::Error, text }
}

/// A duration as Go prints it (`5m0s`, `1.5s`, `100ms`), so that whoever reads CoreDNS's lines can read these.
fn go_duration(duration: Duration) -> String {
    let fraction = |nanoseconds: u128, unit: u128, name: &str| {
        let digits = unit.ilog10() as usize;
        let text = format!("{}.{:0digits$}", nanoseconds / unit, nanoseconds % unit);
        format!("{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => fraction(nanoseconds, 1_000, "\u{b5}s"),
        1_000_000..1_000_000_000 => fraction(nanoseconds, 1_000_000, "ms"),
        _ => {
            let minutes = duration.as_secs() / 60;
            let seconds = fraction(nanoseconds % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Pattern;

    fn rule(seconds: u64, show_first: bool) -> Consolidate {
        let pattern = Pattern::parse("timeout$").unwrap();
        Consolidate { period: Duration::from_secs(seconds), pattern, level: Level::Warning, show_first }
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| format!("{} {}", line.level, line.text)).collect()
    }

    const NOW: Moment = Moment(1_000_000);

    #[test]
    fn a_period_begins_with_its_first_failure_and_ends_with_a_count() {
        let mut tally = Tally::new(vec![rule(30, false)]);
        assert_eq!(tally.next_due(), None);
        for wait in [0, 10, 29] {
            assert_eq!(tally.failed(Some(0), NOW.after(Duration::from_secs(wait))), None);
        }
        let end = NOW.after(Duration::from_secs(30));
        assert_eq!(tally.next_due(), Some(end));
        assert!(tally.due(Moment(end.0 - 1)).is_empty());
        assert_eq!(texts(tally.due(end)), ["warning plugin/errors: 3 errors like 'timeout$' occurred in last 30s"]);
        assert_eq!((tally.next_due(), tally.due(end).len()), (None, 0));
    }

    #[test]
    fn the_first_is_shown_and_said_again_only_with_others() {
        let mut tally = Tally::new(vec![rule(30, true)]);
        let end = NOW.after(Duration::from_secs(30));
        assert_eq!(tally.failed(Some(0), NOW), Some(Level::Warning));
        assert!(tally.due(end).is_empty());
        assert_eq!(tally.failed(Some(0), end), Some(Level::Warning));
        assert_eq!(tally.failed(Some(0), end), None);
        assert_eq!(texts(tally.rest()), ["warning plugin/errors: 2 errors like 'timeout$' occurred in last 30s"]);
        assert!(tally.rest().is_empty());
    }

    #[test]
    fn each_rule_has_its_own_period() {
        let mut tally = Tally::new(vec![rule(30, false), rule(10, false)]);
        tally.failed(Some(0), NOW);
        tally.failed(Some(1), NOW);
        assert_eq!(tally.next_due(), Some(NOW.after(Duration::from_secs(10))));
        assert_eq!(tally.due(NOW.after(Duration::from_secs(10))).len(), 1);
        assert_eq!(tally.next_due(), Some(NOW.after(Duration::from_secs(30))));
    }

    #[test]
    fn what_is_too_much_for_a_second_is_counted() {
        let mut tally = Tally::new(Vec::new());
        let said = (0..250).filter(|_| tally.failed(None, NOW).is_some()).count();
        assert_eq!(said, 100);
        assert!(tally.due(NOW).is_empty());
        let next = NOW.after(SECOND);
        assert_eq!(tally.next_due(), Some(next));
        assert_eq!(
            texts(tally.due(next)),
            ["error plugin/errors: 150 more errors left out: at most 100 lines a second are written"]
        );
        assert_eq!(tally.failed(None, next), Some(Level::Error));
        assert_eq!(tally.next_due(), None);
    }

    #[test]
    fn a_storm_without_end_is_counted_each_second_all_the_same() {
        let mut tally = Tally::new(Vec::new());
        let mut said = 0;
        for step in 0..5_000 {
            let now = NOW.after(Duration::from_millis(step));
            tally.failed(None, now);
            said += tally.due(now).len();
        }
        assert_eq!(said, 4);
    }

    #[test]
    fn durations_read_as_go_prints_them() {
        for (milliseconds, text) in [
            (30_000, "30s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
            (5_400_500, "1h30m0.5s"),
            (1_500, "1.5s"),
            (100, "100ms"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(go_duration(Duration::from_nanos(1_500)), "1.5\u{b5}s");
        assert_eq!(go_duration(Duration::from_nanos(5)), "5ns");
    }
}
