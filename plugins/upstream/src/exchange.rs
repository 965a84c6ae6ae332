//! One question's way through a group: when the next attempt begins, and which answer is taken. An attempt that is late
//! is joined by the next one, not ended: what it brings before the deadline is as good as any other answer.

use std::net::SocketAddr;
use std::time::Duration;

use contract::{Answer, Failure, Query, limits};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::group::Group;

/// An upstream is tried this often for one question, if there is time.
pub(crate) const PASSES: usize = 2;
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
    /// Those under way.
    attempts: Vec<Attempt>,
    /// What to say if nothing better comes.
    last: Option<(usize, Result<Answer, Failure>)>,
}

/// An attempt under way.
struct Attempt {
    id: AttemptId,
    /// When it will count as failed; `None` once it does.
    late_at: Option<Instant>,
}

/// Each upstream is asked once in each pass.
#[derive(Clone, Copy, PartialEq, Eq)]
struct AttemptId {
    /// The upstream's number.
    number: usize,
    /// In the second pass, on a new connection.
    fresh: bool,
}

/// What an attempt came to.
type Outcome = (AttemptId, Result<Answer, Failure>);
/// A usable answer, and who gave it.
type Found = (Answer, SocketAddr);

impl<'g> Exchange<'g> {
    pub(crate) fn new(group: &'g Group, query: &'g Query, deadline: Instant, attempts_left: usize) -> Self {
        Self { group, query, deadline, attempts_left, attempts: Vec::new(), last: None }
    }

    /// Tries the upstreams in order, once more if they fail or are late, and waits for the late ones to the end.
    pub(crate) async fn run(mut self, numbers: &[usize]) -> Result<Found, Failure> {
        let (group, query, deadline) = (self.group, self.query, self.deadline);
        let ask =
            |id: AttemptId| async move { (id, group.upstreams[id.number].attempt(query, deadline, id.fresh).await) };
        let mut running = FuturesUnordered::new();
        for fresh in [false, true] {
            if let Some(found) = self.pass(numbers, fresh, ask, &mut running).await {
                return Ok(found);
            }
            let answered = matches!(self.last, Some((_, Ok(_)))); // a failover RCODE from all is an answer
            if answered || self.attempts_left == 0 {
                break;
            }
            if running.is_empty() {
                if Instant::now() + PASS_PAUSE >= deadline {
                    break;
                }
                tokio::time::sleep(PASS_PAUSE).await;
            }
        }
        while let Some(outcome) = running.next().await {
            self.ended(outcome.0);
            if let Some(found) = self.judge(outcome) {
                return Ok(found);
            }
        }
        let too_late = Failure::TooLate { waited: limits::EXCHANGE_WITHIN };
        let (number, outcome) = self.last.ok_or(too_late)?; // none: no time was left for a single attempt
        outcome.map(|answer| (answer, group.upstreams[number].address()))
    }

    /// Asks each upstream once: the next one when one fails or is late, or as a hedge when one is slow. Ends with a usable
    /// answer, or when every attempt has failed or is late.
    async fn pass<F: Future<Output = Outcome>>(
        &mut self,
        numbers: &[usize],
        fresh: bool,
        ask: impl Fn(AttemptId) -> F,
        running: &mut FuturesUnordered<F>,
    ) -> Option<Found> {
        let mut waiting = numbers.iter().map(|&number| AttemptId { number, fresh });
        let mut slow_at = self.deadline; // when the last one asked counts as slow
        let mut due = true; // nobody is asked yet, or somebody just failed or became late
        loop {
            if due && let Some(id) = waiting.next().filter(|_| self.take_attempt()) {
                slow_at = self.begin(id);
                running.push(ask(id));
            }
            due = false;
            let prompt = self.attempts.iter().filter_map(|attempt| attempt.late_at);
            let (count, late_at) = (prompt.clone().count(), prompt.min()?);
            let may_hedge = waiting.len() > 0 && self.attempts_left > 0 && count < PROMPT_MAX;
            let is_hedge = may_hedge && slow_at < late_at.min(self.deadline);
            tokio::select! {
                biased;
                Some(outcome) = running.next() => {
                    due = self.ended(outcome.0);
                    if let Some(found) = self.judge(outcome) {
                        return Some(found);
                    }
                }
                () = tokio::time::sleep_until(if is_hedge { slow_at } else { late_at }) => {
                    if !is_hedge {
                        self.late(late_at);
                        due = true;
                    } else if self.group.hedge.spend() && self.take_attempt() {
                        let id = waiting.next().expect("there are more");
                        self.group.upstreams[id.number].tally.hedges.increment();
                        self.begin(id);
                        running.push(ask(id));
                    } else {
                        slow_at = self.deadline; // no hedge for this question
                    }
                }
            }
        }
    }

    /// False if there may be no further attempt, or there is no time for one.
    fn take_attempt(&mut self) -> bool {
        let left = self.attempts_left > 0 && Instant::now() < self.deadline;
        self.attempts_left = self.attempts_left.saturating_sub(1);
        left
    }

    /// Notes an attempt that begins; says when it will count as slow.
    fn begin(&mut self, id: AttemptId) -> Instant {
        let (now, upstream) = (Instant::now(), &self.group.upstreams[id.number]);
        self.attempts.push(Attempt { id, late_at: Some(now + upstream.attempt_within) });
        now + upstream.round_trip.hedge_wait()
    }

    /// Notes that an attempt had no reply for so long that it counts as failed.
    fn late(&mut self, since: Instant) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.late_at == Some(since)) {
            attempt.late_at = None;
            self.group.upstreams[attempt.id.number].health.suspect();
        }
    }

    /// Notes an attempt that ended; true if it was not late, so that nobody was asked in its place yet.
    fn ended(&mut self, id: AttemptId) -> bool {
        let index = self.attempts.iter().position(|attempt| attempt.id == id).expect("it was begun");
        self.attempts.swap_remove(index).late_at.is_some()
    }

    /// The answer, if it is one to be content with; else it is kept for the end.
    fn judge(&mut self, (AttemptId { number, .. }, outcome): Outcome) -> Option<Found> {
        match outcome {
            Ok(answer) if !self.group.settings.failover.contains(&answer.rcode()) => {
                // who was overtaken may hang: a check will tell
                let overtaken = self.attempts.iter().map(|attempt| attempt.id.number).filter(|&other| other != number);
                overtaken.for_each(|slow| self.group.upstreams[slow].health.suspect());
                return Some((answer, self.group.upstreams[number].address()));
            }
            Ok(answer) => self.last = Some((number, Ok(answer))),
            Err(failure) => {
                if !matches!(failure, Failure::Bound { .. }) {
                    self.group.upstreams[number].health.suspect();
                }
                if self.says_more(&failure) {
                    self.last = Some((number, Err(failure)));
                }
            }
        }
        None
    }

    /// Whether a failure says more than what is kept: an answer or a longer wait says more than it.
    fn says_more(&self, failure: &Failure) -> bool {
        match (&self.last, failure) {
            (Some((_, Ok(_))), _) => false,
            (Some((_, Err(Failure::Timeout { waited: longer, .. }))), Failure::Timeout { waited, .. }) => {
                waited > longer
            }
            _ => true,
        }
    }
}
