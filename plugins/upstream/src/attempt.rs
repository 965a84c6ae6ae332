//! One attempt of an exchange: a question on its way to one upstream, and when it counts as slow or late.

use std::sync::Arc;
use std::time::Duration;

use contract::{Answer, Boxed, Failure, Query, limits};
use tokio::time::Instant;

use crate::health::Begun;
use crate::pace::Progress;
use crate::upstream::Upstream;

/// An attempt under way.
pub(crate) struct Attempt<'g> {
    pub(crate) upstream: Arc<Upstream>,
    /// One that waited for its turn began with it.
    pub(crate) begun: Instant,
    /// What was known of its health.
    pub(crate) health: Begun,
    pub(crate) is_hedge: bool,
    /// When it will count as failed; `None` once it does.
    pub(crate) late_at: Option<Instant>,
    /// Alarms that were raised before it began.
    pub(crate) alarms: u32,
    /// Only where there are turns to wait for; and how often that was seen to change.
    progress: Option<(Arc<Progress>, u32)>,
    pub(crate) work: Boxed<'g, Result<Answer, Failure>>,
}

/// What becomes of an attempt.
pub(crate) enum Event<'g> {
    Ended(Attempt<'g>, Result<Answer, Failure>),
    /// The upstream of the one with this index left or fell silent; the attempt goes on.
    Alarm(usize),
    /// The one with this index waits for its turn, or has it.
    Turn(usize),
}

impl<'g> Attempt<'g> {
    /// Begins one; says when it will count as slow. Neither a hedge waits for its turn, nor a question for which no client does.
    pub(crate) fn begin(
        upstream: Arc<Upstream>,
        query: &'g Query,
        deadline: Instant,
        fresh: bool,
        is_hedge: bool,
    ) -> (Self, Instant) {
        let (begun, asked) = (Instant::now(), Arc::clone(&upstream));
        let (alarms, health) = (upstream.alarms(), upstream.health.begin());
        let is_optional = is_hedge || query.refresh;
        let patience = upstream.patience(if is_optional { Duration::ZERO } else { limits::UPSTREAM_TURN_WITHIN });
        let progress = patience.as_ref().map(|patience| (Arc::clone(&patience.progress), 0));
        let work: Boxed<'g, _> = match upstream.vigil.clone() {
            None => Box::pin(async move { asked.attempt(query, deadline, fresh, patience).await }),
            Some(vigil) => {
                Box::pin(async move { asked.attempt_watched(&vigil, query, deadline, fresh, patience).await })
            }
        };
        let (late_at, slow_at) = (Some(begun + upstream.attempt_within), begun + upstream.round_trip.hedge_wait());
        (Self { upstream, begun, health, is_hedge, late_at, alarms, progress, work }, slow_at)
    }

    /// An attempt that waits for its turn is neither slow nor late; with its turn it begins anew. Says when it will count
    /// as slow, unless it is late already.
    pub(crate) fn turned(&mut self, deadline: Instant) -> Option<Instant> {
        let (now, waits) = (Instant::now(), self.is_waiting());
        if let Some((progress, seen)) = &mut self.progress {
            *seen = progress.changes();
        }
        self.late_at?;
        if waits {
            self.late_at = Some(deadline);
            return Some(deadline);
        }
        self.begun = now;
        self.late_at = Some(now + self.upstream.attempt_within);
        Some(now + self.upstream.round_trip.hedge_wait())
    }

    /// Whether it waits for its turn.
    pub(crate) fn is_waiting(&self) -> bool {
        self.progress.as_ref().is_some_and(|(progress, _)| progress.is_waiting())
    }

    /// Whether it began or ceased to wait since that was last looked at.
    pub(crate) fn has_turned(&self) -> bool {
        self.progress.as_ref().is_some_and(|(progress, seen)| progress.changes() != *seen)
    }

    /// Whether it was not made, as its upstream is sent all that it may be.
    pub(crate) fn is_refused(&self, outcome: &Result<Answer, Failure>) -> bool {
        self.upstream.turns.is_some() && matches!(outcome, Err(Failure::Bound { .. }))
    }
}
