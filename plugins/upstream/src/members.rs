//! Who belongs to a group. It may change while questions are under way: whoever asks looks once per pass, and an upstream
//! stays the same one (connections, measured time, health) for as long as its address stays.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use contract::metrics::Metrics;
use contract::{Shelf, Wiretap};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::settings::{Protocol, Settings};
use crate::upstream::{Upstream, World};

/// Two alarms because of silence within one group are so far apart.
const ALARMS_APART: Duration = Duration::from_secs(1);

/// A place in a group that changes.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Whom to ask.
    pub address: SocketAddr,
    /// How.
    pub protocol: Protocol,
    /// False: asked when no near one answers.
    pub near: bool,
    /// What metrics name it (`to`). Addresses that come and go without end share a name.
    pub to: String,
}

/// What a change was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Who is asked from now on.
    pub came: Vec<SocketAddr>,
    /// Who is not any more.
    pub went: Vec<SocketAddr>,
}

impl Change {
    /// Whether nobody came and nobody went.
    pub fn is_empty(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}

/// The members at one moment, the near ones first.
#[derive(Debug, Default)]
pub(crate) struct Lineup {
    pub(crate) upstreams: Arc<[Arc<Upstream>]>,
    pub(crate) near: usize,
    /// Somebody is sent only so much.
    pub(crate) has_turns: bool,
}

impl Lineup {
    fn of(upstreams: Arc<[Arc<Upstream>]>, near: usize) -> Self {
        let has_turns = upstreams.iter().any(|upstream| upstream.turns.is_some());
        Self { upstreams, near, has_turns }
    }
}

/// The members of a group.
#[derive(Debug)]
pub(crate) struct Members {
    lineup: ArcSwap<Lineup>,
    changed: watch::Sender<()>,
    /// One change at a time.
    changing: Mutex<()>,
    /// When the last alarm because of silence was.
    alarmed: Mutex<Option<Instant>>,
    /// How often one of them came back.
    recoveries: watch::Sender<u64>,
    shelf: Arc<Shelf>,
    /// Who looks on at the messages of those who come.
    wiretap: Option<Arc<dyn Wiretap>>,
}

impl Members {
    /// Near ones all.
    pub(crate) fn new(upstreams: Vec<Upstream>, shelf: Arc<Shelf>, wiretap: Option<Arc<dyn Wiretap>>) -> Self {
        let upstreams: Arc<[_]> = upstreams.into_iter().map(Arc::new).collect();
        let near = upstreams.len();
        Self {
            lineup: ArcSwap::from_pointee(Lineup::of(upstreams, near)),
            changed: watch::Sender::new(()),
            changing: Mutex::default(),
            alarmed: Mutex::default(),
            recoveries: watch::Sender::new(0),
            shelf,
            wiretap,
        }
    }

    /// Those of now.
    pub(crate) fn now(&self) -> Arc<Lineup> {
        self.lineup.load_full()
    }

    /// Whether they are not those of a moment ago.
    pub(crate) fn have_changed(&self, since: &Arc<Lineup>) -> bool {
        !std::ptr::eq(Arc::as_ptr(since), Arc::as_ptr(&self.lineup.load()))
    }

    /// Whether a silent member may be passed over now. One after the other: where all are slow at once, each question would
    /// be asked of each of them.
    pub(crate) fn may_alarm(&self, now: Instant) -> bool {
        let mut alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        let may = alarmed.is_none_or(|last| now - last >= ALARMS_APART);
        if may {
            *alarmed = Some(now);
        }
        may
    }

    /// Hears of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// One of them is back.
    pub(crate) fn recovered(&self) {
        self.recoveries.send_modify(|count| *count += 1);
    }

    /// Hears of everybody who comes back from now on.
    pub(crate) fn recoveries(&self) -> watch::Receiver<u64> {
        self.recoveries.subscribe()
    }

    /// Seats others. Those who stay keep all that they have; those who go are told after the others have come, so that
    /// what was asked of them finds somebody.
    pub(crate) fn set(&self, seats: &[Seat], settings: &Settings, metrics: &Arc<Metrics>) -> Change {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, mut change) = (self.now(), Change::default());
        let mut new = Vec::with_capacity(seats.len());
        let mut near = 0;
        for is_near in [true, false] {
            near = if is_near { 0 } else { new.len() };
            for seat in seats.iter().filter(|seat| seat.near == is_near) {
                if new.iter().any(|known: &Arc<Upstream>| known.address() == seat.address) {
                    continue;
                }
                new.push(old.upstreams.iter().find(|known| known.has_seat(seat)).map_or_else(
                    || {
                        change.came.push(seat.address);
                        let world = World { metrics, shelf: &self.shelf, wiretap: self.wiretap.as_ref() };
                        Arc::new(Upstream::following(seat, settings, &world))
                    },
                    Arc::clone,
                ));
            }
        }
        let same = new.len() == old.upstreams.len() && near == old.near;
        if same && new.iter().zip(old.upstreams.iter()).all(|(one, other)| Arc::ptr_eq(one, other)) {
            return change;
        }
        let stays = |known: &&Arc<Upstream>| new.iter().any(|other| Arc::ptr_eq(other, known));
        let gone: Vec<_> = old.upstreams.iter().filter(|known| !stays(known)).cloned().collect();
        change.went.extend(gone.iter().map(|upstream| upstream.address()));
        self.lineup.store(Arc::new(Lineup::of(new.into(), near)));
        gone.iter().for_each(|upstream| upstream.leave());
        self.changed.send_replace(());
        change
    }
}
