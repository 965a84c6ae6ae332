//! One question's way through a group: when the next attempt begins, and which answer is taken. An attempt that is late
//! is joined by the next one, not ended: what it brings before the deadline is as good as any other answer. One whose upstream
//! leaves the group, or falls silent, counts as late at once.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use contract::{Answer, Bound, Failure, Query, limits};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::attempt::{Attempt, Event};
use crate::group::Group;
use crate::round::Round;
use crate::upstream::Upstream;

/// An upstream is tried this often for one question, if there is time.
const PASSES: usize = 2;
/// The pause before the upstreams are tried again, all having failed.
const PASS_PAUSE: Duration = Duration::from_millis(100);
/// Attempts at once that are not late: the second one is a hedge.
const PROMPT_MAX: usize = 2;

/// One question's way through a group. Dropped, it ends all attempts.
pub(crate) struct Exchange<'g> {
    group: &'g Group,
    query: &'g Query,
    deadline: Instant,
    attempts_left: usize,
    /// So often it was asked elsewhere because an upstream left.
    moves: usize,
    /// Somebody was not asked as it is sent all that it may be.
    refused: bool,
    /// Those under way, mostly a single one.
    attempts: Vec<Attempt<'g>>,
    /// What to say if nothing better comes.
    last: Option<(SocketAddr, Result<Answer, Failure>)>,
}

/// A usable answer, and who gave it.
type Found = (Answer, SocketAddr);

impl<'g> Exchange<'g> {
    pub(crate) fn new(group: &'g Group, query: &'g Query, deadline: Instant) -> Self {
        let attempts_left = match group.settings.max_attempts {
            None | Some(0) => usize::MAX, // the passes are the bound
            Some(attempts) => usize::try_from(attempts).unwrap_or(usize::MAX),
        };
        Self { group, query, deadline, attempts_left, moves: 0, refused: false, attempts: Vec::new(), last: None }
    }

    /// Tries the upstreams in order, once more if they fail or are late, and waits for the late ones to the end.
    pub(crate) async fn run(mut self, mut round: Round) -> Result<Found, Failure> {
        let mut timer = std::pin::pin!(sleep_until(self.deadline)); // one for all waits for replies
        let mut passes = 0;
        while passes < PASSES {
            let moves = self.moves;
            if let Some(found) = self.pass(&round, passes > 0, timer.as_mut()).await {
                return Ok(found);
            }
            let answered = matches!(self.last, Some((_, Ok(_)))); // a failover RCODE from all is an answer
            if answered || self.refused || self.attempts_left == 0 {
                break;
            }
            passes += usize::from(self.moves == moves); // one that was cut short by upstreams that left does not count
            if passes < PASSES && self.attempts.is_empty() && !self.group.has_changed(&round) {
                if Instant::now() + PASS_PAUSE >= self.deadline {
                    break;
                }
                tokio::time::sleep(PASS_PAUSE).await;
            }
            round = self.group.renewed(round);
            if round.lineup.upstreams.is_empty() {
                // rare, and boxed as it is large
                let outcome = Box::pin(self.nobody()).await;
                if let Some(found) = outcome {
                    return Ok(found);
                }
                round = self.group.renewed(round);
            }
        }
        if let Some(found) = self.wait(timer).await {
            return Ok(found);
        }
        let too_late = Failure::TooLate { waited: limits::EXCHANGE_WITHIN };
        let (from, outcome) = self.last.ok_or(too_late)?; // none: no time was left for a single attempt
        outcome.map(|answer| (answer, from))
    }

    /// Waits for the late ones, to the end.
    async fn wait(&mut self, mut timer: Pin<&mut Sleep>) -> Option<Found> {
        timer.as_mut().reset(self.deadline);
        while !self.attempts.is_empty() {
            tokio::select! {
                biased;
                event = self.next() => {
                    if let Some(found) = self.take(event) {
                        return Some(found);
                    }
                }
                () = timer.as_mut() => self.give_up(),
            }
        }
        None
    }

    /// Takes note of an event that no further attempt follows.
    fn take(&mut self, event: Event<'g>) -> Option<Found> {
        match event {
            Event::Ended(attempt, outcome) => self.judge(&attempt, outcome),
            Event::Turn(index) => {
                self.attempts[index].turned(self.deadline);
                None
            }
            Event::Alarm(_) => None,
        }
    }

    /// Everybody has left: waits for somebody to come, or for an answer of those who were asked.
    async fn nobody(&mut self) -> Option<Found> {
        let (group, deadline) = (self.group, self.deadline);
        let mut awaited = std::pin::pin!(group.awaited(deadline));
        loop {
            tokio::select! {
                biased;
                event = self.next() => {
                    if let Some(found) = self.take(event) {
                        return Some(found);
                    }
                }
                _ = &mut awaited => return None,
            }
        }
    }

    /// Asks each upstream once, in the second pass (`fresh`) on a new connection: the next one when one fails, is late,
    /// leaves or falls silent, or as a hedge when one is slow. Ends with a usable answer, or when every attempt has failed
    /// or is late, or at the deadline.
    async fn pass(&mut self, round: &Round, fresh: bool, mut timer: Pin<&mut Sleep>) -> Option<Found> {
        let mut waiting = round.waiting();
        let mut slow_at = self.deadline; // when the last one asked counts as slow
        let mut due = true; // nobody is asked yet, or somebody just failed or became late
        loop {
            if due && waiting.has_more() && self.take_attempt() {
                slow_at = self.begin(waiting.next(), fresh, false).unwrap_or(slow_at);
            }
            due = false;
            let (count, late_at) = self.prompt()?;
            let may_hedge = waiting.has_more() && self.attempts_left > 0 && count < PROMPT_MAX;
            let is_hedge = may_hedge && slow_at < late_at.min(self.deadline);
            timer.as_mut().reset(if is_hedge { slow_at } else { late_at.min(self.deadline) });
            tokio::select! {
                biased;
                event = self.next() => match event {
                    Event::Ended(attempt, outcome) => {
                        // a late one was replaced already, and a hedge need not be
                        due = attempt.late_at.is_some() && !(attempt.is_hedge && attempt.is_refused(&outcome));
                        if due && outcome.is_err() {
                            self.note_move(&attempt.upstream);
                        }
                        if let Some(found) = self.judge(&attempt, outcome) {
                            return Some(found);
                        }
                    }
                    Event::Alarm(index) => due = self.join(index),
                    Event::Turn(index) => {
                        slow_at = self.attempts[index].turned(self.deadline).map_or(slow_at, |at| self.no_sooner(at));
                    }
                },
                () = timer.as_mut() => {
                    if is_hedge && waiting.is_free() && self.group.hedge.spend() && self.take_attempt() {
                        let next = waiting.next();
                        next.iter().for_each(|upstream| upstream.tally.hedges.increment());
                        self.begin(next, fresh, true);
                    } else if is_hedge {
                        slow_at = self.deadline; // no hedge for this question
                    } else if late_at < self.deadline {
                        self.late(late_at);
                        due = true;
                    } else {
                        self.give_up();
                        return None;
                    }
                }
            }
        }
    }

    /// How many attempts are not late, and when the first of them will be; `None` if all are.
    fn prompt(&self) -> Option<(usize, Instant)> {
        let prompt = self.attempts.iter().filter_map(|attempt| attempt.late_at);
        Some((prompt.clone().count(), prompt.min()?))
    }

    /// The next attempt that ends, and what it came to, or whose upstream can no longer be counted on; never, if there is
    /// none.
    async fn next(&mut self) -> Event<'g> {
        poll_fn(|context| {
            for index in 0..self.attempts.len() {
                let attempt = &mut self.attempts[index];
                if let Poll::Ready(outcome) = attempt.work.as_mut().poll(context) {
                    return Poll::Ready(Event::Ended(self.attempts.swap_remove(index), outcome));
                }
                if attempt.late_at.is_some() && attempt.alarms != attempt.upstream.alarms() {
                    return Poll::Ready(Event::Alarm(index));
                }
                if attempt.has_turned() {
                    return Poll::Ready(Event::Turn(index));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// An attempt counts as late from now on; true if somebody else is to be asked for it.
    fn join(&mut self, index: usize) -> bool {
        let attempt = &mut self.attempts[index];
        attempt.late_at = None;
        let upstream = Arc::clone(&attempt.upstream);
        self.note_move(&upstream);
        self.prompt().is_none()
    }

    /// An attempt that is given up, and was not late, costs the question nothing if its upstream has left.
    fn note_move(&mut self, upstream: &Upstream) {
        if upstream.has_left() && self.moves < limits::UPSTREAM_MOVES_MAX {
            self.moves += 1;
            self.attempts_left = self.attempts_left.saturating_add(1);
            self.group.moved.iter().for_each(|moved| moved.increment());
        }
    }

    /// False if there may be no further attempt, or there is no time for one.
    fn take_attempt(&mut self) -> bool {
        let left = self.attempts_left > 0 && Instant::now() < self.deadline;
        self.attempts_left = self.attempts_left.saturating_sub(1);
        left
    }

    /// Begins an attempt; says when it will count as slow.
    fn begin(&mut self, upstream: Option<Arc<Upstream>>, fresh: bool, is_hedge: bool) -> Option<Instant> {
        let (attempt, slow_at) = Attempt::begin(upstream?, self.query, self.deadline, fresh, is_hedge);
        self.attempts.push(attempt);
        Some(self.no_sooner(slow_at))
    }

    /// When an upstream that would count as slow at that time counts as such in this group.
    fn no_sooner(&self, slow_at: Instant) -> Instant {
        slow_at.max(Instant::now() + self.group.settings.hedge_after)
    }

    /// Notes that an attempt had no reply for so long that it counts as failed.
    fn late(&mut self, since: Instant) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.late_at == Some(since)) {
            attempt.late_at = None;
            let (upstream, waited) = (&attempt.upstream, attempt.begun.elapsed());
            upstream.health.failed(attempt.health);
            upstream.health.note(&Failure::Timeout { upstream: upstream.address(), waited });
        }
    }

    /// Ends all attempts at the deadline.
    fn give_up(&mut self) {
        for attempt in std::mem::take(&mut self.attempts) {
            let late = match attempt.is_waiting() {
                true => attempt.upstream.bound(Bound::UpstreamRate),
                false => Failure::Timeout { upstream: attempt.upstream.address(), waited: attempt.begun.elapsed() },
            };
            self.judge(&attempt, Err(late));
        }
        self.attempts_left = 0;
    }

    /// The answer, if it is one to be content with; else it is kept for the end.
    fn judge(&mut self, attempt: &Attempt<'g>, outcome: Result<Answer, Failure>) -> Option<Found> {
        let from = &attempt.upstream;
        attempt.tell(self.query, &outcome);
        if outcome.is_ok() && from.health.answered(self.group.settings.max_fails) {
            self.group.members.recovered();
        }
        self.refused |= attempt.is_refused(&outcome) && !attempt.is_hedge;
        match outcome {
            Ok(answer) if !self.group.settings.failover.contains(&answer.rcode()) => {
                // who was overtaken may hang: a check will tell
                let others = self.attempts.iter().filter(|attempt| !attempt.is_waiting());
                let others = others.map(|attempt| &attempt.upstream);
                others.filter(|other| !Arc::ptr_eq(other, from)).for_each(|slow| slow.health.suspect());
                return Some((answer, from.address()));
            }
            Ok(answer) => self.last = Some((from.address(), Ok(answer))),
            Err(failure) => {
                match failure {
                    Failure::Bound { .. } => {}
                    Failure::Timeout { .. } | Failure::Unreachable { .. } => from.health.failed(attempt.health),
                    _ => from.health.suspect(),
                }
                if !matches!(failure, Failure::Bound { .. }) {
                    from.health.note(&failure);
                }
                if self.says_more(&failure) {
                    self.last = Some((from.address(), Err(failure)));
                }
            }
        }
        None
    }

    /// Whether a failure says more than what is kept: an answer or a longer wait says more than it, and so does whatever an
    /// upstream did if we did not even ask.
    fn says_more(&self, failure: &Failure) -> bool {
        match (&self.last, failure) {
            (Some((_, Ok(_))), _) => false,
            (Some((_, Err(known))), Failure::Bound { .. }) => matches!(known, Failure::Bound { .. }),
            (Some((_, Err(Failure::Timeout { waited: longer, .. }))), Failure::Timeout { waited, .. }) => {
                waited > longer
            }
            _ => true,
        }
    }
}
