//! One question's way through a group: when the next attempt begins, and which answer is taken. An attempt that is late
//! is joined by the next one, not ended: what it brings before the deadline is as good as any other answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use contract::{Answer, Boxed, Failure, Query, limits};
use tokio::time::{Instant, Sleep, sleep_until};

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
    /// Those under way, mostly a single one.
    attempts: Vec<Attempt<'g>>,
    /// What to say if nothing better comes.
    last: Option<(usize, Result<Answer, Failure>)>,
}

/// An attempt under way.
struct Attempt<'g> {
    /// The upstream's.
    number: usize,
    begun: Instant,
    /// When it will count as failed; `None` once it does.
    late_at: Option<Instant>,
    work: Boxed<'g, Result<Answer, Failure>>,
}

/// A usable answer, and who gave it.
type Found = (Answer, SocketAddr);

impl<'g> Exchange<'g> {
    pub(crate) fn new(group: &'g Group, query: &'g Query, deadline: Instant, attempts_left: usize) -> Self {
        Self { group, query, deadline, attempts_left, attempts: Vec::new(), last: None }
    }

    /// Tries the upstreams in order, once more if they fail or are late, and waits for the late ones to the end.
    pub(crate) async fn run(mut self, numbers: &[usize]) -> Result<Found, Failure> {
        let mut timer = std::pin::pin!(sleep_until(self.deadline)); // one for all waits for replies
        for fresh in [false, true] {
            if let Some(found) = self.pass(numbers, fresh, timer.as_mut()).await {
                return Ok(found);
            }
            let answered = matches!(self.last, Some((_, Ok(_)))); // a failover RCODE from all is an answer
            if answered || self.attempts_left == 0 {
                break;
            }
            if self.attempts.is_empty() {
                if Instant::now() + PASS_PAUSE >= self.deadline {
                    break;
                }
                tokio::time::sleep(PASS_PAUSE).await;
            }
        }
        timer.as_mut().reset(self.deadline);
        while !self.attempts.is_empty() {
            tokio::select! {
                biased;
                (attempt, outcome) = self.next() => {
                    if let Some(found) = self.judge(attempt.number, outcome) {
                        return Ok(found);
                    }
                }
                () = timer.as_mut() => self.give_up(),
            }
        }
        let too_late = Failure::TooLate { waited: limits::EXCHANGE_WITHIN };
        let (number, outcome) = self.last.ok_or(too_late)?; // none: no time was left for a single attempt
        outcome.map(|answer| (answer, self.group.upstreams[number].address()))
    }

    /// Asks each upstream once, in the second pass (`fresh`) on a new connection: the next one when one fails or is late,
    /// or as a hedge when one is slow. Ends with a usable answer, or when every attempt has failed or is late, or at the
    /// deadline.
    async fn pass(&mut self, numbers: &[usize], fresh: bool, mut timer: Pin<&mut Sleep>) -> Option<Found> {
        let mut waiting = numbers.iter().copied();
        let mut slow_at = self.deadline; // when the last one asked counts as slow
        let mut due = true; // nobody is asked yet, or somebody just failed or became late
        loop {
            if due && let Some(number) = waiting.next().filter(|_| self.take_attempt()) {
                slow_at = self.begin(number, fresh);
            }
            due = false;
            let (count, late_at) = self.prompt()?;
            let may_hedge = waiting.len() > 0 && self.attempts_left > 0 && count < PROMPT_MAX;
            let is_hedge = may_hedge && slow_at < late_at.min(self.deadline);
            timer.as_mut().reset(if is_hedge { slow_at } else { late_at.min(self.deadline) });
            tokio::select! {
                biased;
                (attempt, outcome) = self.next() => {
                    due = attempt.late_at.is_some(); // a late one was replaced already
                    if let Some(found) = self.judge(attempt.number, outcome) {
                        return Some(found);
                    }
                }
                () = timer.as_mut() => {
                    if is_hedge && self.group.hedge.spend() && self.take_attempt() {
                        let number = waiting.next().expect("there are more");
                        self.group.upstreams[number].tally.hedges.increment();
                        self.begin(number, fresh);
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

    /// The next attempt that ends, and what it came to; never, if there is none.
    async fn next(&mut self) -> (Attempt<'g>, Result<Answer, Failure>) {
        poll_fn(|context| {
            for index in 0..self.attempts.len() {
                if let Poll::Ready(outcome) = self.attempts[index].work.as_mut().poll(context) {
                    return Poll::Ready((self.attempts.swap_remove(index), outcome));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// False if there may be no further attempt, or there is no time for one.
    fn take_attempt(&mut self) -> bool {
        let left = self.attempts_left > 0 && Instant::now() < self.deadline;
        self.attempts_left = self.attempts_left.saturating_sub(1);
        left
    }

    /// Begins an attempt; says when it will count as slow.
    fn begin(&mut self, number: usize, fresh: bool) -> Instant {
        let (begun, upstream) = (Instant::now(), &self.group.upstreams[number]);
        let work = Box::pin(upstream.attempt(self.query, self.deadline, fresh));
        self.attempts.push(Attempt { number, begun, late_at: Some(begun + upstream.attempt_within), work });
        begun + upstream.round_trip.hedge_wait()
    }

    /// Notes that an attempt had no reply for so long that it counts as failed.
    fn late(&mut self, since: Instant) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.late_at == Some(since)) {
            attempt.late_at = None;
            self.group.upstreams[attempt.number].health.suspect();
        }
    }

    /// Ends all attempts at the deadline.
    fn give_up(&mut self) {
        for Attempt { number, begun, .. } in std::mem::take(&mut self.attempts) {
            let upstream = self.group.upstreams[number].address();
            self.judge(number, Err(Failure::Timeout { upstream, waited: begun.elapsed() }));
        }
        self.attempts_left = 0;
    }

    /// The answer, if it is one to be content with; else it is kept for the end.
    fn judge(&mut self, number: usize, outcome: Result<Answer, Failure>) -> Option<Found> {
        match outcome {
            Ok(answer) if !self.group.settings.failover.contains(&answer.rcode()) => {
                // who was overtaken may hang: a check will tell
                let overtaken = self.attempts.iter().map(|attempt| attempt.number).filter(|&other| other != number);
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
