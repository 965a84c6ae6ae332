//! All that can be seen of the daemon, behind one handle.

use std::sync::Arc;

use contract::Moment;
use contract::limits::HISTORY_STEP;
use tokio::time::{MissedTickBehavior, interval};

use super::api::{FailsafeState, History, Overview, Pods, Top};
use super::history::{Past, Sums};
use super::overview;
use super::tap::{Filter, TooManyWatchers, Watch};
use crate::admin::State;

/// How the kernel's failsafe is, asked anew each time.
pub(super) type FailsafeOf = dyn Fn() -> Option<FailsafeState> + Send + Sync;

/// What whoever may ask is told: one for the daemon.
pub struct See {
    state: Arc<State>,
    started: Moment,
    past: Past,
    failsafe: Box<FailsafeOf>,
}

impl See {
    /// Nothing is seen yet.
    pub fn new(state: Arc<State>, failsafe: Box<FailsafeOf>) -> Self {
        let started = state.shared().clock.now();
        Self { state, started, past: Past::default(), failsafe }
    }

    /// How the daemon is doing.
    pub fn overview(&self) -> Overview {
        overview::overview(&self.state, self.started, (self.failsafe)())
    }

    /// What is asked for most, and by whom. To ask makes it counted for `TOP_OPEN_FOR`: whoever wants to follow it asks each
    /// second.
    pub fn top(&self) -> Top {
        self.state.shared().taps.top()
    }

    /// The last quarter of an hour.
    pub fn history(&self) -> History {
        self.past.told(self.state.shared().clock.now())
    }

    /// Queries that pass a filter, as they come.
    ///
    /// # Errors
    /// So many watch already.
    pub fn watch(&self, filter: Filter) -> Result<Watch, TooManyWatchers> {
        self.state.shared().taps.watch(filter)
    }

    /// What the index of pods holds, at most so many addresses.
    pub fn pods(&self, _limit: usize) -> Pods {
        Pods::default()
    }

    /// Keeps the history. To be run beside the queries, for ever.
    pub async fn keep(self: Arc<Self>) {
        let mut step = interval(HISTORY_STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            step.tick().await;
            self.past.take(self.state.shared().clock.now(), self.sums());
        }
    }

    fn sums(&self) -> Sums {
        let (hit_seconds, _) = self.state.meters().udp.hits();
        let mut sums = Sums { hit_seconds, ..Sums::default() };
        self.state.register().tallies().iter().for_each(|(_, _, tally)| sums.add(&tally.totals()));
        sums
    }
}
