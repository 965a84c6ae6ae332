//! The thread that shows what was seen: from the rings and the queue to witnesses, watchers and counts. Asleep while nobody looks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};
use std::thread::Thread;
use std::time::SystemTime;

use contract::Moment;
use contract::limits::{TAP_QUEUE_MAX, TAP_SHOW_EVERY};
use rtrb::Consumer;
use tokio::sync::mpsc;

use super::record::Record;
use super::watch::Watcher;
use super::{Onlookers, PodOf, Taps, desk, told};

/// What the thread reads from.
pub(super) struct Reader {
    pub(super) rings: Vec<Consumer<u8>>,
    queued: mpsc::Receiver<Box<[u8]>>,
    scratch: Vec<u8>,
}

/// Those who look, at one moment.
struct Audience<'t> {
    taps: &'t Taps,
    onlookers: Vec<Arc<Onlookers>>,
    watchers: Vec<Arc<Watcher>>,
    is_counting: bool,
    opened: Moment,
    pods: Option<Arc<PodOf>>,
    /// The same moment by both clocks.
    now: (Moment, SystemTime),
}

impl Reader {
    pub(super) fn new(queued: mpsc::Receiver<Box<[u8]>>) -> Self {
        Self { rings: Vec::new(), queued, scratch: Vec::new() }
    }

    /// Starts the thread. It ends with the taps.
    pub(super) fn start(mut self, taps: Weak<Taps>) -> std::io::Result<Thread> {
        let work = move || {
            while let Some(taps) = taps.upgrade() {
                let is_open = taps.show_seen(&mut self, SystemTime::now());
                drop(taps); // whoever drops the last one must not wait for this thread
                match is_open {
                    true => std::thread::park_timeout(TAP_SHOW_EVERY),
                    false => std::thread::park(),
                }
            }
        };
        let handle = std::thread::Builder::new().name("nearpath-see".to_owned()).spawn(work)?;
        Ok(handle.thread().clone())
    }
}

impl Taps {
    /// Shows all that was seen until now; false if nobody looks any more.
    pub(super) fn show_seen(&self, reader: &mut Reader, wall: SystemTime) -> bool {
        let now = self.clock.now();
        let (audience, is_open) = self.audience(reader, (now, wall));
        let Reader { rings, queued, scratch } = reader;
        for ring in rings {
            while desk::take(ring, scratch, |octets| audience.show(octets)) {}
        }
        for _ in 0..TAP_QUEUE_MAX {
            let Ok(octets) = queued.try_recv() else { break };
            audience.show(&octets);
        }
        is_open
    }

    fn audience(&self, reader: &mut Reader, now: (Moment, SystemTime)) -> (Audience<'_>, bool) {
        let mut table = self.table();
        reader.rings.append(&mut table.fresh);
        reader.rings.retain(|ring| !ring.is_abandoned() || ring.slots() > 0);
        table.rings = reader.rings.len();
        let is_open = self.settle(&mut table, now.0);
        let audience = Audience {
            taps: self,
            onlookers: table.onlookers.iter().filter_map(Weak::upgrade).collect(),
            watchers: table.watchers.clone(),
            is_counting: table.counting_until > now.0,
            opened: table.opened,
            pods: table.pods.clone(),
            now,
        };
        (audience, is_open)
    }
}

impl Audience<'_> {
    /// The witnesses of a block; of one that a reload brought while others were shown, too.
    fn onlookers_of(&self, block: u32) -> Option<Arc<Onlookers>> {
        let is_it = |onlookers: &Arc<Onlookers>| onlookers.number == block;
        let known = self.onlookers.iter().find(|onlookers| is_it(onlookers)).cloned();
        // blocks without witnesses have the number 0
        known.or_else(|| {
            (block > 0).then(|| self.taps.table().onlookers.iter().filter_map(Weak::upgrade).find(is_it))?
        })
    }

    fn show(&self, octets: &[u8]) {
        let Some(record) = Record::read(octets) else { return };
        if record.moment < self.opened {
            return; // it lay there since somebody else looked
        }
        self.taps.shown.increment();
        if self.is_counting {
            let mut tops = self.taps.tops.lock().unwrap_or_else(PoisonError::into_inner);
            tops.count(self.now.0, &record.client, record.name, record.question.0, record.weight);
        }
        let (now, wall) = self.now;
        // what came while others were shown is younger than the two clocks' moment
        let at = wall + record.moment.since(now);
        let at = at.checked_sub(now.since(record.moment)).unwrap_or(at);
        let pod = |ip| self.pods.as_ref().and_then(|pods| pods(ip));
        let sighting = record.sighting(at);
        for watcher in self.watchers.iter().filter(|watcher| watcher.wants(&sighting, &pod)) {
            if !watcher.show(|| told::sighted(&sighting, &pod)) {
                self.taps.dropped.increment();
            }
        }
        let Some(onlookers) = self.onlookers_of(record.block) else { return };
        for witness in onlookers.witnesses.iter().filter_map(|plugin| plugin.witness()) {
            if catch_unwind(AssertUnwindSafe(|| witness.seen(&sighting))).is_err() {
                self.taps.dropped.increment();
            }
        }
    }
}
