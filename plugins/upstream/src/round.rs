//! Whom a question is asked of in one pass, in order.

use std::sync::Arc;

use tokio::time::Instant;

use crate::members::Lineup;
use crate::upstream::Upstream;

/// The members of the moment when the pass began.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) lineup: Arc<Lineup>,
    /// Their places in the line-up, in order.
    pub(crate) numbers: Vec<usize>,
}

/// Those of a round who were not asked yet.
#[derive(Debug)]
pub(crate) struct Waiting<'r> {
    round: &'r Round,
    at: usize,
}

impl Round {
    pub(crate) fn waiting(&self) -> Waiting<'_> {
        Waiting { round: self, at: 0 }
    }
}

impl Waiting<'_> {
    /// Whether there are more. Who has left the group meanwhile is passed over.
    pub(crate) fn has_more(&mut self) -> bool {
        while self.first().is_some_and(|upstream| upstream.has_left()) {
            self.at += 1;
        }
        self.first().is_some()
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Option<Arc<Upstream>> {
        let next = self.has_more().then(|| self.first().cloned()).flatten();
        self.at += usize::from(next.is_some());
        next
    }

    /// Whether the next one could be asked now: it is not sent all that it may be.
    pub(crate) fn is_free(&self) -> bool {
        let turns = self.first().and_then(|upstream| upstream.turns.as_ref());
        turns.is_none_or(|turns| turns.is_free(Instant::now()))
    }

    fn first(&self) -> Option<&Arc<Upstream>> {
        let number = self.round.numbers.get(self.at)?;
        self.round.lineup.upstreams.get(*number)
    }
}
