//! What became of each question of a place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::Place;
use super::question::Asker;

/// How long an answer may take: each question is tried once.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A central server, through the kernel.
    Centre,
    /// A daemon on the node.
    Daemon,
    /// Somebody who does not say who he is.
    Unnamed,
}

/// How it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// UDP from a port of its own, on a connected socket.
    FreshPort,
    /// UDP from a port that is asked from all the time.
    FixedPort,
    /// TCP, a connection of its own.
    Connection,
    /// TCP, a kept connection.
    Kept,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    /// When it was sent.
    pub(super) sent: Duration,
    /// How.
    pub(super) way: Way,
    /// What became of it.
    pub(super) end: End,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing yet.
    Open,
    /// The right answer came.
    Answered(Duration, By),
    /// Something else came.
    Wrong(String),
    /// It could not be sent, or the system says that nobody is there.
    Failed(String),
}

/// The questions of a place.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) place: Place,
    pub(super) asker: Asker,
    start: Instant,
    fates: Mutex<Vec<Fate>>,
    notes: Mutex<Notes>,
    stopping: AtomicBool,
    closed: AtomicBool,
}

/// What is counted beside questions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notes {
    /// Answers that came again.
    pub(super) again: u32,
    /// Kept connections that closed under a question, which was then asked on a new one (RFC 7766 6.2.4).
    pub(super) cut: u32,
    /// Questions that were not asked, because nobody gave us a core in their time.
    pub(super) skipped: u32,
}

impl Ledger {
    pub(super) fn new(place: Place, asker: Asker, start: Instant) -> Self {
        let (stopping, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (fates, notes) = (Mutex::default(), Mutex::default());
        Self { place, asker, start, fates, notes, stopping, closed }
    }

    /// The time since the load started.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notes that a question is being sent; gives its number.
    pub(super) fn opens(&self, way: Way) -> u32 {
        let mut fates = self.fates();
        fates.push(Fate { sent: self.start.elapsed(), way, end: End::Open });
        u32::try_from(fates.len() - 1).expect("a run has fewer questions")
    }

    /// The number of the last question with this id.
    pub(super) fn last_with(&self, id: u16) -> Option<u32> {
        let last = u32::try_from(self.fates().len()).expect("a run has fewer questions").checked_sub(1)?;
        let same = (last & !0xffff) | u32::from(id);
        if same > last { same.checked_sub(0x1_0000) } else { Some(same) }
    }

    /// Judges a message to a question.
    pub(super) fn hears(&self, index: u32, octets: &[u8]) {
        let now = self.now();
        let judged = self.asker.judge(index, octets);
        let mut fates = self.fates();
        let fate = &mut fates[index as usize];
        match (&fate.end, judged) {
            (End::Open, Ok(by)) => fate.end = End::Answered(now, by),
            (End::Answered(..), Ok(_)) => self.notes().again += 1,
            (_, Err(what)) => fate.end = End::Wrong(what),
            _ => {}
        }
    }

    /// Notes that a question cannot be answered any more.
    pub(super) fn fails(&self, index: u32, why: String) {
        let mut fates = self.fates();
        let fate = &mut fates[index as usize];
        if fate.end == End::Open {
            fate.end = End::Failed(why);
        }
    }

    /// Notes that something wrong came.
    pub(super) fn is_wrong(&self, index: u32, what: String) {
        self.fates()[index as usize].end = End::Wrong(what);
    }

    /// When a question was sent.
    pub(super) fn sent(&self, index: u32) -> Duration {
        self.fates()[index as usize].sent
    }

    /// True if something young enough is outstanding.
    pub(super) fn has_open(&self) -> bool {
        let now = self.now();
        let fates = self.fates();
        let young = fates.iter().rev().take_while(|fate| fate.sent + TIMEOUT > now);
        young.into_iter().any(|fate| fate.end == End::Open)
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("nobody panics with it")
    }

    pub(super) fn fates(&self) -> MutexGuard<'_, Vec<Fate>> {
        self.fates.lock().expect("nobody panics with it")
    }

    /// No more is asked.
    pub(super) fn stops(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// No more is heard.
    pub(super) fn closes(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
