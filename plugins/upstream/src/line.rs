//! The line before one upstream that is sent only so many messages per second. Who comes too early waits in it.
//!
//! ```text
//!   message --> a token is free, nobody waits --------------> it leaves
//!      |   \--> the line is short enough --> gate --> token --^   one after the other, each when its moment has come
//!      |   |    and the client has not its whole share of it
//!      |   \--> refused
//!   check --> one of theirs is free -------> token -----------^   ahead of the line
//! ```
//!
//! A token is taken at the moment when its message leaves, never ahead: who is held up takes a later one, so that messages
//! cannot gather.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::metrics::{Counter, Metrics};
use contract::{Shelf, limits};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::bucket::Bucket;
use crate::settings::Rate;
use crate::turns::Refusal;

/// What else a message needs to leave, such as room among those outstanding. Asked when its token is there and not yet
/// taken.
pub(crate) type Enter<'e> = &'e mut (dyn FnMut() -> Result<(), Refusal> + Send);

/// The line before one address, for all who may send it so many messages: statements that name it several times, and those
/// before and after a reload.
#[derive(Debug)]
pub(crate) struct Line {
    state: Mutex<State>,
    /// Whoever holds it is the first in line.
    gate: Semaphore,
    /// Whoever holds it is the first of the checks.
    check_gate: Semaphore,
    /// Places that one client may have.
    share: u32,
    waits: Arc<Counter>,
    refusals: Arc<Counter>,
}

#[derive(Debug)]
struct State {
    bucket: Bucket,
    /// What checks may take of it: half, as whoever ails may still answer questions.
    checks: Bucket,
    /// How many are in line.
    queued: u32,
    /// How many of them are whose; nobody without any, so that it is no longer than the line.
    shares: HashMap<IpAddr, u32>,
    /// Checks that wait ahead of the line: one at most.
    urgent: u32,
}

/// What a message finds.
pub(crate) enum Turn<'l> {
    /// It leaves now.
    Now,
    Later(Place<'l>),
}

/// A place in line. Dropped, it is free again.
pub(crate) struct Place<'l> {
    line: &'l Line,
    client: Option<IpAddr>,
    since: Instant,
    until: Instant,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.queued -= 1;
        if let Some(client) = self.client
            && let Some(share) = state.shares.get_mut(&client)
        {
            *share -= 1;
            if *share == 0 {
                state.shares.remove(&client);
            }
        }
    }
}

/// A check that waits.
struct Urgent<'l>(&'l Line);

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        self.0.state().urgent -= 1;
    }
}

impl Line {
    /// The line of an address and a rate that somebody has, or a new one, which metrics name `to`.
    pub(crate) fn of(address: SocketAddr, rate: Rate, to: &str, shelf: &Shelf, metrics: &Metrics) -> Arc<Self> {
        shelf.get_or_make((address, rate), || Self::new(rate, to, metrics))
    }

    fn new(rate: Rate, to: &str, metrics: &Metrics) -> Self {
        let (bucket, checks) = (Bucket::new(rate, Instant::now()), Bucket::half_of(rate, Instant::now()));
        let places = limits::UPSTREAM_TURN_WITHIN.as_millis() * u128::from(rate.per_second) / 1_000;
        let share = u32::try_from(places).unwrap_or(u32::MAX) / limits::UPSTREAM_LINE_SHARES;
        Self {
            state: Mutex::new(State { bucket, checks, queued: 0, shares: HashMap::new(), urgent: 0 }),
            gate: Semaphore::new(1),
            check_gate: Semaphore::new(1),
            share: share.max(1),
            waits: metrics.counter(
                "nearpath_upstream_rate_waits_total",
                "Messages that waited for their turn, as the upstream is sent no more per second.",
                &[("to", to)],
            ),
            refusals: metrics.counter(
                "nearpath_upstream_rate_refusals_total",
                "Messages not sent, as their turn at the upstream would have come too late.",
                &[("to", to)],
            ),
        }
    }

    /// How long a message would wait.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.state().wait(now)
    }

    /// A message leaves now, or waits in line for a turn no later than `until`. `client`: to whose share its place counts;
    /// `None`: to nobody's, as it goes on with what has begun.
    pub(crate) fn join(
        &self,
        client: Option<IpAddr>,
        until: Instant,
        now: Instant,
        enter: Enter<'_>,
    ) -> Result<Turn<'_>, Refusal> {
        let mut state = self.state();
        if state.queued == 0
            && let Some(left) = state.leave(now, now, enter)
        {
            return left.map(|()| Turn::Now);
        }
        let has_all = client.and_then(|client| state.shares.get(&client)).is_some_and(|share| *share >= self.share);
        if has_all || now + state.wait(now) > until {
            drop(state);
            return Err(self.refuse());
        }
        state.queued += 1;
        client.into_iter().for_each(|client| *state.shares.entry(client).or_default() += 1);
        drop(state);
        self.waits.increment();
        Ok(Turn::Later(Place { line: self, client, since: now, until }))
    }

    /// Takes a token that is free and wanted by nobody else; `check`: and that checks may take.
    pub(crate) fn spare(&self, check: bool, now: Instant) -> bool {
        let mut state = self.state();
        let may = state.queued == 0 && state.urgent == 0 && (!check || state.checks.wait(0, now).is_zero());
        let taken = may && state.bucket.take(now, now);
        if taken && check {
            state.checks.take(now, now);
        }
        taken
    }

    /// Waits for a turn of a check: ahead of the line, once half of the rate is left to the others.
    pub(crate) async fn urgent(&self, enter: Enter<'_>) -> Result<(), Refusal> {
        let _first = self.check_gate.acquire().await.expect("the semaphore is never closed");
        loop {
            let wait = self.state().checks.wait(0, Instant::now());
            if wait.is_zero() {
                break;
            }
            sleep(wait).await;
        }
        self.state().urgent += 1;
        let (_waiting, since) = (Urgent(self), Instant::now());
        loop {
            let wait = {
                let (now, mut state) = (Instant::now(), self.state());
                let wait = state.bucket.wait(0, now);
                if wait.is_zero() {
                    state.take(since, now, enter)?;
                    state.checks.take(now, now);
                    return Ok(());
                }
                wait
            };
            sleep(wait).await;
        }
    }

    fn refuse(&self) -> Refusal {
        self.refusals.increment();
        Refusal::Rate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&self, now: Instant) -> Duration {
        self.bucket.wait(self.queued.saturating_add(self.urgent), now)
    }

    /// A message leaves, if it is the first in line; `None`: not yet.
    fn leave(&mut self, since: Instant, now: Instant, enter: Enter<'_>) -> Option<Result<(), Refusal>> {
        let may = self.urgent == 0 && self.bucket.wait(0, now).is_zero();
        may.then(|| self.take(since, now, enter))
    }

    /// Takes the token that is there.
    fn take(&mut self, since: Instant, now: Instant, enter: Enter<'_>) -> Result<(), Refusal> {
        enter()?;
        let taken = self.bucket.take(since, now);
        debug_assert!(taken, "it was there a moment ago");
        Ok(())
    }
}

impl Place<'_> {
    /// Waits for the turn.
    pub(crate) async fn turn(self, enter: Enter<'_>) -> Result<(), Refusal> {
        match timeout_at(self.until, self.first(enter)).await {
            Ok(turn) => turn,
            Err(_) => Err(self.line.refuse()), // checks came first, or we were held up
        }
    }

    /// Becomes the first in line, and waits for a token.
    async fn first(&self, enter: Enter<'_>) -> Result<(), Refusal> {
        let line = self.line;
        let _first = line.gate.acquire().await.expect("the semaphore is never closed");
        loop {
            let now = Instant::now();
            let wait = {
                let mut state = line.state();
                if let Some(left) = state.leave(self.since, now, enter) {
                    return left;
                }
                state.bucket.wait(state.urgent, now)
            };
            sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
mod tests;
