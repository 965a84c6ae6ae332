//! Who looks on while queries are answered, and how it gets to them. While nobody looks, a hit pays for it with one look at a
//! flag.
//!
//! ```text
//!   hit  --Pace--> ring of its thread --.
//!   hit of a connection, miss, failure --> queue --> nearpath-see --Sighting--> witnesses of the block
//!                                                    (each 50 ms)          '--> watchers, counts of the most frequent
//! ```
//!
//! Somebody looks while a watcher is there, for a while after somebody has asked for the most frequent, and as long as a block has
//! a witness. What finds no room is dropped and counted.

mod desk;
mod pace;
mod record;
mod show;
mod told;
mod watch;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use contract::limits::{TAP_QUEUE_MAX, TOP_OPEN_FOR, WATCHERS_MAX};
use contract::metrics::{Counter, Metrics};
use contract::wire::{Class, Rcode, RecordType};
use contract::{Client, Clock, Moment, Plugin, Way};
use rtrb::Consumer;
use tokio::sync::mpsc;

use self::desk::Seat;
use self::record::Record;
use self::show::Reader;
pub(crate) use self::told::rfc3339;
use self::watch::Watcher;
use super::api::Top;
use super::causes::Causes;
use super::sketch::Tops;

pub use self::desk::Tap;
pub(super) use self::told::name as name_told;
pub use self::watch::{BadFilter, Filter, TooManyWatchers, Watch};

/// Somebody looks at queries of all blocks.
const ALL: u8 = 1;
/// Some block has a witness.
const WITNESSED: u8 = 2;

/// Who has an address: `NAMESPACE/NAME`.
pub type PodOf = dyn Fn(IpAddr) -> Option<Arc<str>> + Send + Sync;

/// The taps of all desks, and those who look on. Outlives a reload.
pub struct Taps {
    open: Open,
    shown: Arc<Counter>,
    dropped: Arc<Counter>,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<Box<[u8]>>,
    table: Mutex<Table>,
    tops: Mutex<Tops>,
    causes: Causes,
    me: Weak<Self>,
}

/// What each hit looks at: on a line of the processor's cache that is hardly ever written.
#[repr(align(128))]
struct Open(AtomicU8);

/// Who is there.
struct Table {
    seats: Vec<Seat>,
    /// Rings that are not yet read.
    fresh: Vec<Consumer<u8>>,
    /// How many rings there are.
    rings: usize,
    onlookers: Vec<Weak<Onlookers>>,
    last_number: u32,
    watchers: Vec<Arc<Watcher>>,
    /// Until when the most frequent are counted.
    counting_until: Moment,
    /// When somebody began to look: what is older is not shown.
    opened: Moment,
    pods: Option<Arc<PodOf>>,
    /// The other end of the queue, until there is a thread.
    queued: Option<mpsc::Receiver<Box<[u8]>>>,
    thread: Option<Thread>,
}

/// The witnesses of one server block.
pub struct Onlookers {
    number: u32,
    witnesses: Box<[Arc<dyn Plugin>]>,
    wants_messages: bool,
}

impl Onlookers {
    /// True if one of them wants the query and the reply as they were on the wire.
    pub fn wants_messages(&self) -> bool {
        self.wants_messages
    }
}

/// A query and its reply, to be shown.
pub struct Shown<'s> {
    /// When the reply was made.
    pub moment: Moment,
    /// From arrival to reply.
    pub took: Duration,
    /// Who asked.
    pub client: Client,
    /// QNAME in wire form, lower case.
    pub name: &'s [u8],
    /// QTYPE and QCLASS.
    pub question: (RecordType, Class),
    /// What the reply said.
    pub rcode: Rcode,
    /// How it came about.
    pub way: Way,
    /// The query and the reply as they were on the wire, as far as they are at hand.
    pub messages: (&'s [u8], &'s [u8]),
    /// The block's witnesses.
    pub onlookers: Option<&'s Onlookers>,
}

impl<'s> Shown<'s> {
    /// With the messages if somebody wants them.
    fn record(&self, weight: u32) -> Record<'s> {
        let Self { moment, took, client, name, question, rcode, way, messages, onlookers } = *self;
        let (query, reply) = match onlookers {
            Some(onlookers) if onlookers.wants_messages => messages,
            _ => (&[][..], &[][..]),
        };
        let block = onlookers.map_or(0, |onlookers| onlookers.number);
        Record { moment, took, client, name, question, rcode, way, query, reply, weight, block }
    }
}

impl Taps {
    /// Nobody looks.
    pub fn new(clock: Arc<dyn Clock>, metrics: &Metrics) -> Arc<Self> {
        let (queue, queued) = mpsc::channel(TAP_QUEUE_MAX);
        let counter = |name, help| metrics.counter(name, help, &[]);
        let table = Table {
            seats: Vec::new(),
            fresh: Vec::new(),
            rings: 0,
            onlookers: Vec::new(),
            last_number: 0,
            watchers: Vec::new(),
            counting_until: Moment(0),
            opened: Moment(0),
            pods: None,
            queued: Some(queued),
            thread: None,
        };
        Arc::new_cyclic(|me| Self {
            open: Open(AtomicU8::new(0)),
            shown: counter("nearpath_sightings_total", "Queries that were shown to those who look on."),
            dropped: counter(
                "nearpath_sightings_dropped_total",
                "Queries that were to be shown and found no room, one for each who did not see them.",
            ),
            clock,
            queue,
            table: Mutex::new(table),
            tops: Mutex::default(),
            causes: Causes::default(),
            me: Weak::clone(me),
        })
    }

    /// True if somebody looks on. All that a hit does while nobody does.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.0.load(Ordering::Relaxed) != 0
    }

    /// True if somebody wants to see queries of a block with these witnesses.
    pub fn concerns(&self, onlookers: Option<&Onlookers>) -> bool {
        onlookers.is_some() || self.open.0.load(Ordering::Relaxed) & ALL != 0
    }

    /// Shows a query that is no hit of a thread of its own.
    pub fn show(&self, shown: &Shown<'_>) {
        if self.concerns(shown.onlookers) {
            self.queue(&shown.record(1));
        }
    }

    fn queue(&self, record: &Record<'_>) {
        if self.queue.try_send(record.owned()).is_err() {
            self.dropped.increment();
        }
    }

    /// Those plugins of a block that are witnesses: they are shown its queries as long as somebody holds what is returned. `None`
    /// if there are none.
    pub fn enlist(&self, chain: &[Arc<dyn Plugin>]) -> Option<Arc<Onlookers>> {
        let witnesses: Box<[_]> = chain.iter().filter(|plugin| plugin.witness().is_some()).cloned().collect();
        if witnesses.is_empty() {
            return None;
        }
        let wants_messages = witnesses.iter().filter_map(|plugin| plugin.witness()).any(|one| one.wants_messages());
        let mut table = self.table();
        table.last_number = table.last_number.checked_add(1).expect("fewer blocks than numbers in a process's life");
        let onlookers = Arc::new(Onlookers { number: table.last_number, witnesses, wants_messages });
        table.onlookers.push(Arc::downgrade(&onlookers));
        self.settle(&mut table, self.clock.now());
        Some(onlookers)
    }

    /// Says how to find out who has an address.
    pub fn know_pods(&self, pods: Arc<PodOf>) {
        self.table().pods = Some(pods);
    }

    /// The most frequent names and clients of the last 30 to 60 s, as far as somebody has asked for them meanwhile: asking makes
    /// them counted for [`TOP_OPEN_FOR`].
    pub fn top(&self) -> Top {
        let now = self.clock.now();
        let pods = {
            let mut table = self.table();
            table.counting_until = now.after(TOP_OPEN_FOR);
            self.settle(&mut table, now);
            table.pods.clone()
        };
        let mut tops = self.tops.lock().unwrap_or_else(PoisonError::into_inner);
        tops.told(now, |ip| pods.as_ref().and_then(|pods| pods(ip)))
    }

    /// Shows the queries that pass a filter, as they come.
    ///
    /// # Errors
    /// So many watch already.
    pub fn watch(&self, filter: Filter) -> Result<Watch, TooManyWatchers> {
        let mut table = self.table();
        table.watchers.retain(|watcher| !watcher.is_gone());
        if table.watchers.len() >= WATCHERS_MAX {
            return Err(TooManyWatchers { most: WATCHERS_MAX });
        }
        let (watcher, watch) = Watcher::new(filter);
        table.watchers.push(Arc::new(watcher));
        self.settle(&mut table, self.clock.now());
        Ok(watch)
    }

    /// Failures by their causes.
    pub fn causes(&self) -> &Causes {
        &self.causes
    }

    /// Keeps a place for a desk's ring.
    fn seat(&self, seat: Seat) {
        let mut table = self.table();
        table.seats.retain(|seat| !seat.is_left());
        table.seats.push(seat);
        if self.is_open() {
            table.give_rings();
        }
    }

    /// Opens or closes the taps, as there is somebody who looks, or nobody.
    fn settle(&self, table: &mut Table, now: Moment) -> bool {
        table.watchers.retain(|watcher| !watcher.is_gone());
        table.onlookers.retain(|onlookers| onlookers.strong_count() > 0);
        let all = table.counting_until > now || !table.watchers.is_empty();
        let open = if all { ALL } else { 0 } | if table.onlookers.is_empty() { 0 } else { WITNESSED };
        if open != 0 {
            table.give_rings();
            if !self.is_open() {
                table.opened = now;
                if !table.has_thread(&self.me) {
                    return false; // what cannot be shown is not collected
                }
            }
        }
        self.open.0.store(open, Ordering::Relaxed);
        open != 0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        // it sees that there is nothing left to show, and ends
        if let Some(thread) = self.table().thread.take() {
            thread.unpark();
        }
    }
}

impl Table {
    /// A ring for each desk that has none.
    fn give_rings(&mut self) {
        self.seats.retain(|seat| !seat.is_left());
        for seat in &mut self.seats {
            if let Some(ring) = seat.give(self.rings) {
                self.rings += 1;
                self.fresh.push(ring);
            }
        }
    }

    /// Wakes the thread, or starts it; false if there is none to be had.
    fn has_thread(&mut self, taps: &Weak<Taps>) -> bool {
        if let Some(thread) = &self.thread {
            thread.unpark();
            return true;
        }
        let Some(queued) = self.queued.take() else { return false };
        match Reader::new(queued).start(Weak::clone(taps)) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::error!(%error, "queries are not shown: there is no thread for it"),
        }
        self.thread.is_some()
    }
}

#[cfg(test)]
mod tests;
