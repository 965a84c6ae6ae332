//! What a load tells: how many were asked, answered, lost and wrong, who answered, and when something was lost.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::ledger::{By, End, Fate, Ledger, Notes, TIMEOUT, Way};

/// Times that are told one by one.
const TIMES: usize = 12;

/// All questions of a load.
#[derive(Debug)]
pub struct Report {
    places: Vec<(String, Vec<Fate>)>,
    notes: Notes,
}

impl Report {
    pub(super) fn of(ledgers: &[Arc<Ledger>]) -> Self {
        let mut all = Notes::default();
        for notes in ledgers.iter().map(|ledger| *ledger.notes()) {
            all.again += notes.again;
            all.cut += notes.cut;
            all.skipped += notes.skipped;
        }
        let places = ledgers.iter().map(|ledger| (ledger.place.name.clone(), ledger.fates().clone())).collect();
        Self { places, notes: all }
    }

    /// Only what was asked from places whose names begin so.
    #[must_use]
    pub fn from(&self, name: &str) -> Self {
        let places = self.places.iter().filter(|(place, _)| place.starts_with(name)).cloned().collect();
        Self { places, notes: self.notes }
    }

    /// Only what was sent within a time.
    #[must_use]
    pub fn within(&self, time: &Range<Duration>) -> Self {
        let of = |fates: &[Fate]| fates.iter().filter(|fate| time.contains(&fate.sent)).cloned().collect();
        let places = self.places.iter().map(|(place, fates)| (place.clone(), of(fates))).collect();
        Self { places, notes: self.notes }
    }

    /// Only what was asked over flows of its own, which the kernel cannot remember.
    #[must_use]
    pub fn over_new_flows(&self) -> Self {
        let is_new = |fate: &&Fate| matches!(fate.way, Way::FreshPort | Way::Connection);
        let of = |fates: &[Fate]| fates.iter().filter(is_new).cloned().collect();
        let places = self.places.iter().map(|(place, fates)| (place.clone(), of(fates))).collect();
        Self { places, notes: self.notes }
    }

    fn fates(&self) -> impl Iterator<Item = &Fate> {
        self.places.iter().flat_map(|(_, fates)| fates)
    }

    /// How many were asked.
    pub fn sent(&self) -> usize {
        self.fates().count()
    }

    /// How many had their right answer in time.
    pub fn answered(&self) -> usize {
        self.fates().filter(|fate| wait(fate).is_some()).count()
    }

    /// How many had no right answer in time.
    pub fn lost(&self) -> usize {
        self.sent() - self.answered()
    }

    /// How many had something else in place of their right answer.
    pub fn wrong(&self) -> usize {
        self.fates().filter(|fate| matches!(fate.end, End::Wrong(_))).count()
    }

    /// The first wrong answer.
    pub fn first_wrong(&self) -> Option<&str> {
        self.fates().find_map(|fate| if let End::Wrong(what) = &fate.end { Some(what.as_str()) } else { None })
    }

    /// How many were answered by these.
    pub fn by(&self, whom: By) -> usize {
        self.fates().filter(|fate| matches!(fate.end, End::Answered(_, by) if by == whom)).count()
    }

    /// The longest that an answer took.
    pub fn longest(&self) -> Duration {
        self.fates().filter_map(wait).max().unwrap_or_default()
    }

    /// The time within which so many of a thousand answers came.
    pub fn permille(&self, part: usize) -> Duration {
        let mut waits: Vec<_> = self.fates().filter_map(wait).collect();
        waits.sort_unstable();
        waits.get((waits.len() * part / 1000).min(waits.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// How many were outstanding at a moment: sent before and not yet answered, lost ones of the last two seconds too.
    pub fn outstanding(&self, at: Duration) -> usize {
        let is = |fate: &&Fate| match fate.end {
            End::Answered(got, _) => fate.sent <= at && got > at,
            _ => fate.sent <= at && fate.sent + TIMEOUT > at,
        };
        self.fates().filter(is).count()
    }

    /// Answers that came twice.
    pub fn again(&self) -> u32 {
        self.notes.again
    }

    /// The lost by 10 ms of their sending, and how they were asked.
    pub fn timeline(&self) -> String {
        let mut by_time: BTreeMap<u128, BTreeMap<Way, usize>> = BTreeMap::new();
        for fate in self.fates().filter(|fate| wait(fate).is_none()) {
            *by_time.entry(fate.sent.as_millis() / 10).or_default().entry(fate.way).or_default() += 1;
        }
        let mut text = String::new();
        for (time, ways) in by_time.iter().take(TIMES) {
            let (seconds, rest) = (time / 100, time % 100);
            write!(text, "{seconds}.{rest:02} s: {ways:?}; ").expect("a String takes all");
        }
        if by_time.len() > TIMES {
            write!(text, "and {} more such times", by_time.len() - TIMES).expect("a String takes all");
        }
        text
    }

    /// Why questions failed, each reason with its number.
    pub fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for fate in self.fates().filter(|fate| wait(fate).is_none()) {
            let reason = match &fate.end {
                End::Open => "no answer".to_owned(),
                End::Answered(..) => "an answer too late".to_owned(),
                End::Wrong(_) => "a wrong answer".to_owned(),
                End::Failed(why) => why.clone(),
            };
            *reasons.entry(reason).or_default() += 1;
        }
        reasons
    }
}

/// How long the right answer took, if it came in time.
fn wait(fate: &Fate) -> Option<Duration> {
    match fate.end {
        End::Answered(got, _) => Some(got.saturating_sub(fate.sent)).filter(|wait| *wait <= TIMEOUT),
        _ => None,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{} asked, {} lost, {} wrong; by the daemon {}, the centre {}",
            self.sent(),
            self.lost(),
            self.wrong(),
            self.by(By::Daemon),
            self.by(By::Centre)
        )?;
        if self.by(By::Unnamed) > 0 {
            write!(f, ", others {}", self.by(By::Unnamed))?;
        }
        write!(
            f,
            "; median {:.1} ms, 99.9 % {:.1} ms, longest {:.1} ms",
            ms(self.permille(500)),
            ms(self.permille(999)),
            ms(self.longest())
        )?;
        write!(f, "; {} left out, {} cut, {} twice", self.notes.skipped, self.notes.cut, self.notes.again)?;
        if let Some(what) = self.first_wrong() {
            write!(f, "; wrong: {what}")?;
        }
        if self.lost() > 0 {
            write!(f, "; {:?}; by time: {}", self.reasons(), self.timeline())?;
        }
        Ok(())
    }
}
