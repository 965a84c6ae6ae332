//! What one upstream may be sent, where that is bounded: messages per second, and questions outstanding. Who comes too early
//! waits in line.
//!
//! ```text
//!   question --> a token is free, nobody waits --------------> it leaves
//!      |    \--> the line is short enough --> gate --> token --^   one after the other, each when its moment has come
//!      |    \--> Refusal
//!   check ----------------------------------> token -----------^   ahead of the line
//! ```
//!
//! A token is taken at the moment when its message leaves, never ahead: who is held up takes a later one, so that messages
//! cannot gather.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::metrics::{Counter, Metrics};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::bucket::Bucket;
use crate::settings::Settings;

/// What one upstream may be sent.
#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
    outstanding_max: usize,
    /// Whoever holds it is the first in line.
    gate: Semaphore,
    /// Only with a rate.
    tally: Option<Tally>,
}

#[derive(Debug)]
struct Tally {
    waits: Arc<Counter>,
    refusals: Arc<Counter>,
}

#[derive(Debug)]
struct State {
    /// `None`: as many messages as there are.
    bucket: Option<Bucket>,
    /// How many are in line.
    queued: u32,
    /// Checks that wait, ahead of the line.
    urgent: u32,
    /// Questions outstanding.
    outstanding: usize,
}

/// Why a message does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its turn would come too late.
    Rate,
    /// As many questions are outstanding as may be.
    Full,
}

/// What a message finds.
pub(crate) enum Turn<'t> {
    /// It leaves now.
    Now,
    Later(Place<'t>),
}

/// A place in line. Dropped, it is free again.
pub(crate) struct Place<'t> {
    turns: &'t Turns,
    until: Instant,
    begins: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.state().queued -= 1;
    }
}

/// A check that waits.
struct Urgent<'t>(&'t Turns);

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        self.0.state().urgent -= 1;
    }
}

impl Turns {
    /// For an upstream that metrics name `to`; `None` if nothing is bounded.
    pub(crate) fn of(settings: &Settings, metrics: &Metrics, to: &str) -> Option<Self> {
        if settings.rate.is_none() && settings.outstanding_max.is_none() {
            return None;
        }
        let tally = settings.rate.map(|_| Tally {
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
        });
        let bucket = settings.rate.map(|rate| Bucket::new(rate, Instant::now()));
        Some(Self {
            state: Mutex::new(State { bucket, queued: 0, urgent: 0, outstanding: 0 }),
            outstanding_max: settings.outstanding_max.unwrap_or(usize::MAX),
            gate: Semaphore::new(1),
            tally,
        })
    }

    /// How long a question would wait.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.state().wait(now)
    }

    /// Whether a question could leave now.
    pub(crate) fn is_free(&self, now: Instant) -> bool {
        let state = self.state();
        state.outstanding < self.outstanding_max && state.wait(now).is_zero()
    }

    /// A message leaves now, or waits in line for a turn no later than `until`. `begins`: with it a question begins to be
    /// outstanding; whether there is room for it is looked at when it leaves.
    pub(crate) fn join(&self, begins: bool, until: Instant, now: Instant) -> Result<Turn<'_>, Refusal> {
        let mut state = self.state();
        if state.queued == 0
            && let Some(left) = state.leave(begins, self.outstanding_max, now)
        {
            return left.map(|()| Turn::Now);
        }
        if now + state.wait(now) > until {
            drop(state);
            return Err(self.refuse());
        }
        state.queued += 1;
        drop(state);
        self.tally.iter().for_each(|tally| tally.waits.increment());
        Ok(Turn::Later(Place { turns: self, until, begins }))
    }

    /// Takes a token that is free and wanted by nobody else.
    pub(crate) fn spare(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.queued == 0 && state.take(false, now)
    }

    /// Waits for a turn ahead of the line: for checks, which are few.
    pub(crate) async fn urgent(&self) {
        self.state().urgent += 1;
        let waiting = Urgent(self);
        loop {
            let wait = {
                let (now, mut state) = (Instant::now(), self.state());
                if state.take(true, now) {
                    break;
                }
                state.soonest(0, now)
            };
            sleep(wait).await;
        }
        drop(waiting);
    }

    /// A question is no longer outstanding.
    pub(crate) fn end(&self) {
        self.state().outstanding -= 1;
    }

    fn refuse(&self) -> Refusal {
        self.tally.iter().for_each(|tally| tally.refusals.increment());
        Refusal::Rate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&self, now: Instant) -> Duration {
        self.soonest(self.queued.saturating_add(self.urgent), now)
    }

    fn soonest(&self, before: u32, now: Instant) -> Duration {
        self.bucket.as_ref().map_or(Duration::ZERO, |bucket| bucket.wait(before, now))
    }

    /// A message leaves, if it is the first in line; `None`: not yet.
    fn leave(&mut self, begins: bool, outstanding_max: usize, now: Instant) -> Option<Result<(), Refusal>> {
        if self.urgent > 0 || !self.soonest(0, now).is_zero() {
            return None;
        }
        if begins && self.outstanding >= outstanding_max {
            return Some(Err(Refusal::Full));
        }
        self.take(false, now).then(|| {
            self.outstanding += usize::from(begins);
            Ok(())
        })
    }

    fn take(&mut self, urgent: bool, now: Instant) -> bool {
        (urgent || self.urgent == 0) && self.bucket.as_mut().is_none_or(|bucket| bucket.take(now))
    }
}

impl Place<'_> {
    /// Waits for the turn.
    pub(crate) async fn turn(self) -> Result<(), Refusal> {
        match timeout_at(self.until, self.first()).await {
            Ok(turn) => turn,
            Err(_) => Err(self.turns.refuse()), // checks came first, or we were held up
        }
    }

    /// Becomes the first in line, and waits for a token.
    async fn first(&self) -> Result<(), Refusal> {
        let turns = self.turns;
        let _first = turns.gate.acquire().await.expect("the semaphore is never closed");
        loop {
            let now = Instant::now();
            let wait = {
                let mut state = turns.state();
                if let Some(left) = state.leave(self.begins, turns.outstanding_max, now) {
                    return left;
                }
                state.soonest(state.urgent, now)
            };
            sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Rate;

    fn turns(per_second: u32, burst: u32) -> Turns {
        let settings = Settings { rate: Some(Rate { per_second, burst }), ..Settings::of("privatezone") };
        Turns::of(&settings, &Metrics::default(), "dns").unwrap()
    }

    fn place<'t>(turns: &'t Turns, until: Instant) -> Place<'t> {
        match turns.join(true, until, Instant::now()) {
            Ok(Turn::Later(place)) => place,
            Ok(Turn::Now) => panic!("nobody can leave now"),
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(1_000)
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_leaves_first_and_who_goes_away_delays_nobody() {
        let turns = turns(10, 1);
        assert!(matches!(turns.join(true, Instant::now(), Instant::now()), Ok(Turn::Now)));
        let (begun, mut order) = (Instant::now(), Vec::new());
        let places: Vec<_> = (0..30).map(|_| place(&turns, far())).collect();
        let left = Mutex::new(&mut order);
        let goes = async |number: usize, place: Place<'_>| {
            let turn = async {
                place.turn().await.unwrap();
                left.lock().unwrap().push(number);
            };
            let patience = Duration::from_millis(if number.is_multiple_of(3) { 50 } else { 1_000_000 });
            let _ = tokio::time::timeout(patience, turn).await; // every third one gives up
        };
        let places = places.into_iter().enumerate();
        futures_util::future::join_all(places.map(|(number, place)| goes(number, place))).await;
        assert_eq!(turns.state().queued, 0);
        assert_eq!(order, (0..30).filter(|number: &usize| !number.is_multiple_of(3)).collect::<Vec<_>>());
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(2_000) && took <= Duration::from_millis(2_120), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whose_turn_would_come_too_late_hears_it_at_once() {
        let turns = turns(10, 1);
        let now = Instant::now();
        assert!(matches!(turns.join(true, now, now), Ok(Turn::Now)));
        assert_eq!(turns.join(true, now, now).err(), Some(Refusal::Rate));
        let until = now + Duration::from_millis(250);
        let line = [place(&turns, until), place(&turns, until)];
        assert_eq!(turns.join(true, until, now).err(), Some(Refusal::Rate));
        assert!(!turns.spare(now) && !turns.is_free(now));
        assert!(turns.wait(now) > Duration::from_millis(300));
        drop(line);
        assert!(turns.wait(now) < Duration::from_millis(110));
        assert_eq!(now, Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_goes_ahead_of_the_line() {
        let turns = turns(10, 1);
        let begun = Instant::now();
        assert!(matches!(turns.join(true, begun, begun), Ok(Turn::Now)));
        let places: Vec<_> = (0..10).map(|_| place(&turns, far())).collect();
        let line = futures_util::future::join_all(places.into_iter().map(Place::turn));
        let check = async {
            turns.urgent().await;
            begun.elapsed()
        };
        let (left, took) = tokio::join!(line, check);
        assert!(left.iter().all(Result::is_ok));
        assert!(took <= Duration::from_millis(110), "{took:?}");
        assert!(begun.elapsed() >= Duration::from_millis(1_100));
        assert_eq!(turns.state().urgent, 0);
    }
}
