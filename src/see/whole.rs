//! All that can be seen of the daemon, behind one handle.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use contract::limits::HISTORY_STEP;
use contract::{Known, Moment, PodIndex, Resident};
use tokio::time::{MissedTickBehavior, interval};

use super::api::{FailsafeState, History, Overview, PodTold, Pods, Top};
use super::history::{Past, Sums};
use super::overview;
use super::tap::{Filter, TooManyWatchers, Watch, name_told};
use crate::admin::State;
use crate::serve::entrance::Entrance;

/// How the kernel's failsafe is, asked anew each time.
pub(super) type FailsafeOf = dyn Fn() -> Option<FailsafeState> + Send + Sync;

/// What whoever may ask is told: one for the daemon.
pub struct See {
    state: Arc<State>,
    started: Moment,
    past: Past,
    failsafe: Box<FailsafeOf>,
    /// Who has which address, as the blocks of this moment know it; each once.
    indexes: ArcSwap<Vec<Arc<PodIndex>>>,
}

impl See {
    /// Nothing is seen yet.
    pub fn new(state: Arc<State>, failsafe: Box<FailsafeOf>) -> Self {
        let started = state.shared().clock.now();
        Self { state, started, past: Past::default(), failsafe, indexes: ArcSwap::default() }
    }

    /// From now on these serve, one for each listener.
    pub fn serving(&self, entrances: &[Entrance]) {
        let mut indexes: Vec<Arc<PodIndex>> = Vec::new();
        for index in entrances.iter().flat_map(|entrance| entrance.0.indexes()) {
            if !indexes.iter().any(|known| Arc::ptr_eq(known, index)) {
                indexes.push(Arc::clone(index));
            }
        }
        let known = indexes.clone();
        let pod = move |ip: IpAddr| known.iter().find_map(|index| index.at(ip, |one| one.pod.clone()).ok().flatten());
        self.state.shared().taps.know_pods(Arc::new(pod));
        self.indexes.store(Arc::new(indexes));
    }

    /// The index that knows most; `None` without AutoPath.
    fn index(&self) -> Option<Arc<PodIndex>> {
        self.indexes.load().iter().max_by_key(|index| index.addresses()).cloned()
    }

    /// How the daemon is doing.
    pub fn overview(&self) -> Overview {
        overview::overview(&self.state, self.started, self.index().as_deref(), (self.failsafe)())
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
    pub fn pods(&self, limit: usize) -> Pods {
        let Some(index) = self.index() else { return Pods::default() };
        let (listing, left_out) = index.listing(limit);
        let age = index.age(self.state.shared().clock.now()).unwrap_or_default();
        Pods { pods: listing.into_iter().map(told).collect(), left_out, age_s: age.as_secs_f64() }
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
        self.state.register().tallies().iter().for_each(|(_, tally)| sums.add(&tally.totals()));
        sums
    }
}

fn told((address, known): (IpAddr, Known)) -> PodTold {
    let address = address.to_string();
    match known {
        Ok(Resident { pod, list, ndots }) => PodTold {
            pod: pod.map(|pod| pod.to_string()),
            address,
            search: list.domains.iter().map(|domain| name_told(domain.as_wire())).collect(),
            ndots,
            plain: None,
        },
        Err(plain) => PodTold { address, plain: Some(plain.to_string()), ..PodTold::default() },
    }
}

#[cfg(test)]
mod tests;
