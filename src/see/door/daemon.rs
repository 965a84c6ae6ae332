//! What a running daemon tells: what is seen of it, and what its server blocks of this moment make of a name.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::Boxed;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::reply::Refused;
use super::{Seen, Teller, Wish};
use crate::see::api::{Explained, History, Overview, Pods, Top};
use crate::see::{Filter, See, Watch, explain};
use crate::serve::entrance::Entrance;

/// How often a watcher is told how much he was not shown.
const MISSED_EVERY: Duration = Duration::from_secs(1);

/// A running daemon as the door knows it.
pub struct Running {
    see: Arc<See>,
    entrances: ArcSwap<Vec<Entrance>>,
}

impl Running {
    /// No server block is served yet.
    pub fn new(see: Arc<See>) -> Self {
        Self { see, entrances: ArcSwap::default() }
    }

    /// From now on names are explained by these, one for each listener.
    pub fn serving(&self, entrances: Vec<Entrance>) {
        self.entrances.store(Arc::new(entrances));
    }
}

impl Teller for Running {
    fn overview(&self) -> Overview {
        self.see.overview()
    }

    fn top(&self) -> Top {
        self.see.top()
    }

    fn history(&self) -> History {
        self.see.history()
    }

    fn pods(&self, limit: usize) -> Pods {
        self.see.pods(limit)
    }

    fn explain(&self, wish: Wish) -> Boxed<'_, Result<Explained, Refused>> {
        let entrances = self.entrances.load_full();
        Box::pin(async move { explain::explained(&entrances, &wish).await })
    }

    fn watch(&self, which: Filter) -> Result<BoxStream<'static, Seen>, Refused> {
        let watch = self.see.watch(which).map_err(|error| Refused::busy(&error.to_string()))?;
        let mut ticks = interval(MISSED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(stream::unfold((watch, ticks), seen).boxed())
    }
}

/// The next query, or each second how many were not shown.
async fn seen((mut watch, mut ticks): (Watch, Interval)) -> Option<(Seen, (Watch, Interval))> {
    let seen = tokio::select! {
        sighted = watch.next() => Seen::Query(sighted?),
        _ = ticks.tick() => Seen::Missed(watch.missed()),
    };
    Some((seen, (watch, ticks)))
}
