//! The same trouble is said at most once per period, and then how often it came. Pure: time comes in, lines go out.
//!
//! Only warnings and errors: other lines are wanted each. Lines are the same if all that they say is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing::Level;

use super::line::Line;

/// How long the same is not said again.
pub(super) const PERIOD: Duration = Duration::from_secs(10);
/// Different lines that are known at a time; the one that was said first makes room.
const KNOWN_MAX: usize = 256;

/// What was said in the last period.
#[derive(Default)]
pub(super) struct Repeats(HashMap<String, Said>);

struct Said {
    since: Instant,
    /// The line with the number of those that were held back.
    line: Line,
}

impl Repeats {
    /// The lines that are to be written now that this one has come.
    pub(super) fn take(&mut self, line: Line, now: Instant) -> Vec<Line> {
        if line.level > Level::WARN {
            return vec![line];
        }
        let key = format!("{} {} {:?}", line.target, line.message, line.fields);
        if let Some(said) = self.0.get_mut(&key) {
            said.line.repeated += 1;
            said.line.at = line.at;
            return Vec::new();
        }
        let mut lines: Vec<Line> = (self.0.len() >= KNOWN_MAX).then(|| self.oldest()).flatten().into_iter().collect();
        self.0.insert(key, Said { since: now, line: line.clone() });
        lines.push(line);
        lines
    }

    /// The counts of what was said a period ago, and is forgotten with that.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<Line> {
        self.leave(|said| now.saturating_duration_since(said.since) >= PERIOD)
    }

    /// All counts.
    pub(super) fn rest(&mut self) -> Vec<Line> {
        self.leave(|_| true)
    }

    fn leave(&mut self, leaves: impl Fn(&Said) -> bool) -> Vec<Line> {
        let mut left: Vec<Said> = self.0.extract_if(|_, said| leaves(said)).map(|(_, said)| said).collect();
        left.sort_by_key(|said| said.since);
        left.into_iter().map(|said| said.line).filter(|line| line.repeated > 0).collect()
    }

    /// Forgets the one that was said first; its count, if there is one.
    fn oldest(&mut self) -> Option<Line> {
        let key = self.0.iter().min_by_key(|(_, said)| said.since).map(|(key, _)| key.clone())?;
        self.0.remove(&key).map(|said| said.line).filter(|line| line.repeated > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn line(level: Level, message: &str) -> Line {
        let message = message.to_owned();
        Line { level, target: "upstream", message, fields: Vec::new(), at: UNIX_EPOCH, repeated: 0 }
    }

    fn told(lines: Vec<Line>) -> Vec<(String, u64)> {
        lines.into_iter().map(|line| (line.message, line.repeated)).collect()
    }

    #[test]
    fn the_same_is_said_once_in_a_period_and_then_how_often() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        let down = |repeats: &mut Repeats, second| {
            told(repeats.take(line(Level::ERROR, "down"), begun + Duration::from_secs(second)))
        };
        assert_eq!(down(&mut repeats, 0), [("down".to_owned(), 0)]);
        assert!((1..=9).all(|second| down(&mut repeats, second).is_empty()));
        assert!(told(repeats.ended(begun + Duration::from_millis(9_999))).is_empty());
        assert_eq!(told(repeats.ended(begun + PERIOD)), [("down".to_owned(), 9)]);
        assert_eq!(down(&mut repeats, 11), [("down".to_owned(), 0)], "the next period begins with the next one");
        assert!(told(repeats.ended(begun + Duration::from_secs(60))).is_empty(), "once is no repetition");
    }

    #[test]
    fn other_lines_are_not_held_back() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(repeats.take(line(Level::INFO, "a query"), now).len(), 1);
        }
        assert_eq!(repeats.take(line(Level::WARN, "one"), now).len(), 1);
        assert_eq!(repeats.take(line(Level::WARN, "two"), now).len(), 1);
        let mut with_field = line(Level::WARN, "one");
        with_field.fields.push(("to", "10.0.0.1".into()));
        assert_eq!(repeats.take(with_field, now).len(), 1);
        assert!(repeats.rest().is_empty());
    }

    #[test]
    fn what_is_known_is_bounded_and_no_count_is_lost() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        let mut written = 0;
        for number in 0..3 * KNOWN_MAX {
            let now = begun + Duration::from_millis(number as u64);
            for _ in 0..2 {
                let lines = repeats.take(line(Level::WARN, &number.to_string()), now);
                written += lines.iter().map(|line| 1 + line.repeated as usize).sum::<usize>()
                    - lines.iter().filter(|line| line.repeated > 0).count();
            }
            assert!(repeats.0.len() <= KNOWN_MAX);
        }
        written += repeats.rest().iter().map(|line| line.repeated as usize).sum::<usize>();
        assert_eq!(written, 3 * KNOWN_MAX * 2, "each is written or counted");
    }
}
