//! The messages of one attempt at an upstream that is sent only so many: each waits for its turn, and whoever waits for the
//! attempt sees that it does, as that time is not the upstream's.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::line::{Enter, Turn};
use crate::pool::Broken;
use crate::turns::{Outstanding, Refusal, Turns};
use crate::vigil::{Checking, UnderWay, Vigil};

/// A message leaves so soon after its token was taken, or takes another one: a connection may have been opened meanwhile.
const FRESH: Duration = Duration::from_millis(5);

/// How an attempt waits, as far as is seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    waiting_since: Option<Instant>,
    waited: Duration,
    changes: u32,
}

/// An attempt that waits for its turn. Dropped, it does not any more.
struct Waiting<'p>(&'p Progress);

/// For how long an attempt waits for its first turn, zero: it leaves at once or not at all; and where it says so.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    within: Duration,
    pub(crate) progress: Arc<Progress>,
}

/// The messages of one attempt.
#[derive(Debug)]
pub(crate) struct Pace<'u> {
    turns: &'u Turns,
    patience: Patience,
    kind: Kind<'u>,
    vigil: Option<&'u Vigil>,
    /// When the token was taken for the message that leaves next.
    token: Option<Instant>,
    has_sent: bool,
}

#[derive(Debug)]
enum Kind<'u> {
    /// Messages after the first one wait no longer than this, and none beyond the moment.
    Question {
        client: IpAddr,
        within: Duration,
        deadline: Instant,
        outstanding: Option<Outstanding<'u>>,
        watched: Option<UnderWay<'u>>,
    },
    /// Waits for as long as it takes.
    Check { watched: Option<Checking<'u>> },
}

impl Progress {
    /// How long it has waited until now.
    pub(crate) fn waited(&self, now: Instant) -> Duration {
        let seen = self.seen();
        seen.waited + seen.waiting_since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Whether it waits now.
    pub(crate) fn is_waiting(&self) -> bool {
        self.seen().waiting_since.is_some()
    }

    /// How often it began or ceased to wait.
    pub(crate) fn changes(&self) -> u32 {
        self.seen().changes
    }

    fn wait(&self) -> Waiting<'_> {
        let mut seen = self.seen();
        seen.waiting_since = Some(Instant::now());
        seen.changes += 1;
        Waiting(self)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut seen = self.0.seen();
        let waited = seen.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        seen.waited += waited;
        seen.changes += 1;
    }
}

impl Patience {
    pub(crate) fn new(within: Duration) -> Self {
        Self { within, progress: Arc::default() }
    }
}

impl<'u> Pace<'u> {
    /// Of a question, in line as one of its client's. Its further messages wait up to `within`, and no longer than until `deadline`.
    pub(crate) fn of_question(
        turns: &'u Turns,
        vigil: Option<&'u Vigil>,
        client: IpAddr,
        patience: Patience,
        within: Duration,
        deadline: Instant,
    ) -> Self {
        let kind = Kind::Question { client, within, deadline, outstanding: None, watched: None };
        Self { turns, patience, kind, vigil, token: None, has_sent: false }
    }

    /// Of a health check.
    pub(crate) fn of_check(turns: &'u Turns, vigil: Option<&'u Vigil>, progress: Arc<Progress>) -> Self {
        let patience = Patience { within: Duration::ZERO, progress };
        Self { turns, patience, kind: Kind::Check { watched: None }, vigil, token: None, has_sent: false }
    }

    /// Whether a message may leave this very moment.
    pub(crate) fn is_due(&self) -> bool {
        self.token.is_some_and(|taken| taken.elapsed() <= FRESH)
    }

    /// Waits until a message may leave, which it then must do at once. `also`: what it needs besides; without it no token is
    /// taken.
    pub(crate) async fn turn(&mut self, also: Enter<'_>) -> Result<(), Broken> {
        if self.is_due() {
            return Ok(also()?);
        }
        match &mut self.kind {
            Kind::Check { watched } => {
                let waiting = self.patience.progress.wait();
                self.turns.urgent(also).await?;
                drop(waiting);
                if watched.is_none() {
                    *watched = self.vigil.map(|vigil| vigil.check(Instant::now()));
                }
            }
            Kind::Question { client, within, deadline, outstanding, watched } => {
                let now = Instant::now();
                let within = if self.has_sent { *within } else { self.patience.within };
                if within.is_zero() && !self.turns.wait(now).is_zero() {
                    return Err(Broken::Rate); // nothing that anybody waits for is lost, and nothing is counted as lost
                }
                let until = (*deadline).min(now + within);
                let client = outstanding.is_none().then_some(*client);
                let mut enter = || {
                    if outstanding.is_none() {
                        *outstanding = Some(self.turns.begin()?);
                    }
                    also()
                };
                match self.turns.join(client, until, now, &mut enter)? {
                    Turn::Now => {}
                    Turn::Later(place) => {
                        let _waiting = self.patience.progress.wait();
                        place.turn(&mut enter).await?;
                    }
                }
                if watched.is_none() {
                    *watched = self.vigil.map(|vigil| vigil.begin(Instant::now()));
                }
            }
        }
        self.token = Some(Instant::now());
        Ok(())
    }

    /// The message has left.
    pub(crate) fn sent(&mut self) {
        self.token = None;
        self.has_sent = true;
    }

    /// Whether a message may leave that can be left out as well.
    pub(crate) fn spare(&self) -> bool {
        self.turns.spare(matches!(self.kind, Kind::Check { .. }), Instant::now())
    }

    /// How long was waited for turns.
    pub(crate) fn waited(&self) -> Duration {
        self.patience.progress.waited(Instant::now())
    }
}

/// What work comes to that may take so long, not counting what it waits for turns; `None`: it took longer.
pub(crate) async fn within_own_time<T>(
    within: Duration,
    progress: &Progress,
    work: impl Future<Output = T>,
) -> Option<T> {
    let begun = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        let deadline = begun + within + progress.waited(Instant::now());
        if let Ok(outcome) = timeout_at(deadline, &mut work).await {
            return Some(outcome);
        }
        if begun + within + progress.waited(Instant::now()) <= Instant::now() {
            return None;
        }
    }
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rate => Self::Rate,
            Refusal::Full(most) => Self::Full(most),
        }
    }
}
