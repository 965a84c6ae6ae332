//! Failures by cause: what went wrong and with whom, never for which name, so that they are few.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use contract::limits::FAILURE_CAUSES_MAX;
use contract::wire::Rcode;
use contract::{Failure, Moment, Source};

use super::api::FailureSeen;

/// What is counted where there is no room for another cause.
const OTHERS: &str = "other causes";
/// Characters of a cause; what the system or an upstream said is no longer.
const CAUSE_CHARACTERS_MAX: usize = 160;

/// Counts by cause, since the start.
#[derive(Debug, Default)]
pub struct Causes {
    known: Mutex<Vec<Cause>>,
    /// Failures that came while somebody else counted his.
    unread: AtomicU64,
}

#[derive(Clone, Debug)]
struct Cause {
    text: Cow<'static, str>,
    count: u64,
    last: Moment,
}

impl Causes {
    /// One more failure.
    pub fn count(&self, failure: &Failure, now: Moment) {
        self.add(|| cause(failure), now);
    }

    /// One more reply that tells of a failure: the one who made it.
    pub fn count_reply(&self, rcode: Rcode, source: Source, now: Moment) {
        self.add(
            || match source {
                Source::Upstream(upstream) => format!("{upstream} said {rcode}").into(),
                Source::Plugin(name) => format!("{name} said {rcode}").into(),
                Source::Store => format!("{rcode} out of memory").into(),
            },
            now,
        );
    }

    /// Threads that answer come by here: nobody waits for another, whose failure counts as another cause then.
    fn add(&self, text: impl FnOnce() -> Cow<'static, str>, now: Moment) {
        let mut causes = match self.known.try_lock() {
            Ok(causes) => causes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.unread.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        let text = text();
        let known = causes.iter().position(|cause| cause.text == text);
        let index = known.unwrap_or_else(|| {
            // the last place is that of all others
            let text = if causes.len() + 1 < FAILURE_CAUSES_MAX { text } else { OTHERS.into() };
            causes.iter().position(|cause| cause.text == text).unwrap_or_else(|| {
                causes.push(Cause { text, count: 0, last: now });
                causes.len() - 1
            })
        });
        causes[index].count += 1;
        causes[index].last = now;
    }

    /// The most frequent first.
    pub fn told(&self, now: Moment) -> Vec<FailureSeen> {
        let mut causes = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (self.unread.load(Ordering::Relaxed), causes.iter_mut().find(|cause| cause.text == OTHERS)) {
            (0, _) => {}
            (unread, Some(others)) => others.count += unread,
            (count, None) => causes.push(Cause { text: OTHERS.into(), count, last: now }),
        }
        let seen = |cause: &Cause| FailureSeen {
            cause: cause.text.to_string(),
            count: cause.count,
            last_s: now.since(cause.last).as_secs_f64(),
        };
        let mut told: Vec<_> = causes.iter().map(seen).collect();
        told.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.cause.cmp(&other.cause)));
        told
    }
}

/// What went wrong, without the name that was asked for and without figures that differ each time.
fn cause(failure: &Failure) -> Cow<'static, str> {
    let text = match failure {
        Failure::Timeout { upstream, .. } => format!("{upstream} did not answer in time"),
        Failure::Unreachable { upstream, reason } => format!("{upstream} cannot be reached: {reason}"),
        Failure::BrokenReply { upstream, reason } => format!("{upstream} sent a broken reply: {reason}"),
        Failure::AllDown { count, .. } => format!("all {count} upstreams are down"),
        Failure::NoneAnswered { zone, count, .. } => format!("none of the {count} upstreams of {zone} answered"),
        Failure::Bound { bound, .. } => format!("{bound} reached"),
        Failure::NotReady { what } => format!("{what} is not ready"),
        Failure::CnameLoop { .. } => return "CNAMEs lead in a circle".into(),
        Failure::CnameTooLong { .. } => return "too many CNAMEs in a row".into(),
        Failure::TooLate { .. } => return "no answer in time".into(),
        Failure::NoBlock { .. } => return "no server block answers for the name".into(),
        Failure::EndOfChain { .. } => return "no plugin of the server block answers for the name".into(),
        Failure::Prohibited => return "refused by acl".into(),
        Failure::Silent => return "dropped as configured".into(),
        Failure::Panicked => return "internal error".into(),
        Failure::Memorised { .. } => return "a failure of a moment ago, told again".into(),
    };
    match text.char_indices().nth(CAUSE_CHARACTERS_MAX) {
        Some((end, _)) => text[..end].to_owned().into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_cause_is_the_kind_and_the_upstream_and_never_the_name() {
        let causes = Causes::default();
        let start = Moment(5_000);
        for name in ["a.example.", "b.example."] {
            causes.count(&Failure::EndOfChain { name: name.to_owned() }, start);
        }
        let upstream = ([192, 0, 2, 1], 53).into();
        for waited in [1_800, 2_000, 2_001] {
            let waited = Duration::from_millis(waited);
            causes.count(&Failure::Timeout { upstream, waited }, start.after(waited));
        }
        let told = causes.told(start.after(Duration::from_millis(4_001)));
        let lines: Vec<_> = told.iter().map(|seen| (&*seen.cause, seen.count, seen.last_s)).collect();
        assert_eq!(
            lines,
            [
                ("192.0.2.1:53 did not answer in time", 3, 2.0),
                ("no plugin of the server block answers for the name", 2, 4.001)
            ]
        );
    }

    #[test]
    fn causes_are_bounded_and_nothing_goes_uncounted() {
        let causes = Causes::default();
        for port in 1..=200 {
            let upstream = ([192, 0, 2, 1], port).into();
            let reason = "x".repeat(1_000).into();
            causes.count(&Failure::Unreachable { upstream, reason }, Moment(1));
        }
        let told = causes.told(Moment(1));
        assert_eq!(told.len(), FAILURE_CAUSES_MAX);
        assert_eq!((&*told[0].cause, told.iter().map(|seen| seen.count).sum::<u64>()), (OTHERS, 200));
        assert!(told.iter().all(|seen| seen.cause.chars().count() <= CAUSE_CHARACTERS_MAX));
    }
}
