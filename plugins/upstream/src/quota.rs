//! How many questions a peer answers on one connection before it closes it, learnt from connections that it closed on
//! questions outstanding. Most peers have no such number; some answer one and close.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::table::Ending;

/// How long a number that was learnt holds; then pipelining is tried again.
const LEARNT_FOR: Duration = Duration::from_secs(60);

/// What was learnt, if anything.
#[derive(Debug, Default)]
pub(crate) struct Quota(Mutex<Option<(u64, Instant)>>);

impl Quota {
    /// Questions in all that a connection may be given; `None`: as many as it will.
    pub(crate) fn current(&self, now: Instant) -> Option<u64> {
        let learnt = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.filter(|&(_, until)| now < until).map(|(quota, _)| quota)
    }

    /// A connection ended. One that was idle, or that never answered, teaches nothing: it expired, or the peer died.
    pub(crate) fn learn(&self, ending: Ending, now: Instant) {
        if ending.outstanding == 0 || ending.answered == 0 || ending.was_idle {
            return;
        }
        let quota = self.current(now).map_or(ending.answered, |quota| quota.min(ending.answered));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((quota, now + LEARNT_FOR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_close_on_questions_after_answers_teaches() {
        let now = Instant::now();
        let quota = Quota::default();
        for (outstanding, answered, was_idle) in [(0, 5, false), (3, 0, true), (3, 5, true)] {
            quota.learn(Ending { outstanding, answered, was_idle }, now);
            assert_eq!(quota.current(now), None);
        }
        quota.learn(Ending { outstanding: 3, answered: 2, was_idle: false }, now);
        assert_eq!(quota.current(now), Some(2));
        quota.learn(Ending { outstanding: 3, answered: 1, was_idle: false }, now);
        assert_eq!(quota.current(now), Some(1));
        assert_eq!(quota.current(now + LEARNT_FOR), None);
    }
}
