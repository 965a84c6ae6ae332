//! Failures by cause: what went wrong and with whom, never for which name, so that they are few.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use contract::limits::FAILURE_CAUSES_MAX;
use contract::{Failure, Moment};

use super::api::FailureSeen;

/// What is counted where there is no room for another cause.
const OTHERS: &str = "other causes";
/// Characters of a cause; what the system or an upstream said is no longer.
const CAUSE_CHARACTERS_MAX: usize = 160;

/// Counts by cause, since the start.
#[derive(Debug, Default)]
pub struct Causes(Mutex<Vec<Cause>>);

#[derive(Debug)]
struct Cause {
    text: Cow<'static, str>,
    count: u64,
    last: Moment,
}

impl Causes {
    /// One more failure.
    pub fn count(&self, failure: &Failure, now: Moment) {
        let text = cause(failure);
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
