//! One memorised answer: immutable but for a few marks that hits and refreshes leave on it.
//!
//! ```text
//!   stored --- fresh_for ----------------> --- usable_for ----------------------->
//!     Fresh, TTLs aged                       Stale, EDE 3 or 19                     gone
//!                          '-- the last tenth: one asker is told to refresh
//! ```

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use contract::limits::ANSWER_WITHIN;
use contract::metrics::Counter;
use contract::told;
use contract::wire::{Ede, Rcode};
use contract::{Age, Answer, Decided, Failure, Moment, Reply};

use crate::capacity::Class;
use crate::policy::{PREFETCH_SHARE, Policy, Prefetch, StaleMode};
use crate::sources;

/// Octets on the heap that an entry takes beside its key and its answer's bytes: itself, its place in the map (which has
/// between one and a half and three places for each) and in a queue. `tests/allocations.rs` holds it against the heap.
pub(crate) const ENTRY_OCTETS: usize = 160;
/// A refresh has at least so much time, milliseconds.
const PREFETCH_LEAST: u64 = 1_000;
/// What the heap adds to a piece of memory, on average, octets.
const PIECE_OCTETS: usize = 16;

/// An answer and its times. There are many, so moments are kept as milliseconds since it was stored: enough for 49 days,
/// and an answer that could be served for longer ends there.
#[derive(Debug)]
pub struct Entry {
    answer: Answer,
    prefetches: Arc<Counter>,
    stored: Moment,
    fresh_for: u32,
    usable_for: u32,
    marks: Marks,
    source: u16,
    class: Class,
    /// As [`Decided::number`] has it.
    decided: u8,
}

/// What changes in an entry's life. Hits read them; they write only where the words below say so.
#[derive(Debug, Default)]
struct Marks {
    /// It was asked for: [`SINCE_SPARED`], [`SINCE_KEPT`], [`BEFORE_KEPT`]. Written once, by the first who asks.
    asked: AtomicU8,
    /// Questions without a long gap; counted only where `prefetch` is set.
    hits: AtomicU32,
    /// When the last of them came; zero: none since it was stored.
    last_hit: AtomicU32,
    /// Until when somebody is busy with a refresh. A lease, so that a lost refresh blocks nothing.
    lease: AtomicU32,
    /// Until when upstream is left alone; not zero: an attempt failed or was slow.
    recheck: AtomicU32,
}

/// Since it was stored, or since eviction last spared it.
const SINCE_SPARED: u8 = 1;
/// Since it was stored, or since what is hot was last kept for a restart.
const SINCE_KEPT: u8 = 2;
/// Between the last two times that this was done.
const BEFORE_KEPT: u8 = 4;
/// What a hit leaves.
const ASKED: u8 = SINCE_SPARED | SINCE_KEPT;

/// What an entry is made of.
pub(crate) struct Draft {
    pub(crate) answer: Answer,
    /// Counts its refreshes.
    pub(crate) prefetches: Arc<Counter>,
    /// Who said so, see `Sources`.
    pub(crate) source: u16,
    /// Which candidate of a search it is of.
    pub(crate) decided: Decided,
    pub(crate) class: Class,
    /// How long it is fresh.
    pub(crate) life: Duration,
    /// How long it may be served after that.
    pub(crate) stale: Duration,
}

/// A TTL of 30, EDE 3: an answer with records.
static STALE_ANSWER: Ede = told::STALE_ANSWER.plain();
/// EDE 19: NXDOMAIN.
static STALE_NXDOMAIN: Ede = told::STALE_NXDOMAIN.plain();

impl Entry {
    pub(crate) fn new(draft: Draft, now: Moment) -> Self {
        Self {
            answer: draft.answer,
            prefetches: draft.prefetches,
            stored: now,
            fresh_for: milliseconds(draft.life),
            usable_for: milliseconds(draft.life.saturating_add(draft.stale)),
            marks: Marks::default(),
            source: draft.source,
            class: draft.class,
            decided: draft.decided.number(),
        }
    }

    /// The answer. That of a failure says SERVFAIL with EDE 13.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Which class it is counted with.
    pub fn class(&self) -> Class {
        self.class
    }

    /// NXDOMAIN, NOERROR without records of the type, or a failure.
    pub fn is_denial(&self) -> bool {
        self.class != Class::Success
    }

    /// Which candidate of a search it is the answer of.
    pub fn decided(&self) -> Decided {
        Decided::from_number(self.decided)
    }

    /// How long it is fresh, all in all.
    pub fn life(&self) -> Duration {
        Duration::from_millis(self.fresh_for.into())
    }

    /// The number of who said so.
    pub(crate) fn source(&self) -> u16 {
        self.source
    }

    /// Octets on the heap that it takes under a key.
    pub(crate) fn octets(&self, key: &[u8]) -> u64 {
        (key.len() + self.answer.size() + 2 * PIECE_OCTETS + ENTRY_OCTETS) as u64
    }

    /// When it was stored.
    pub fn stored(&self) -> Moment {
        self.stored
    }

    /// Whole seconds since it was stored.
    pub fn age(&self, now: Moment) -> u32 {
        now.seconds_since(self.stored)
    }

    /// How long it is still fresh.
    pub fn remaining(&self, now: Moment) -> Duration {
        Duration::from_millis(u64::from(self.fresh_for).saturating_sub(self.elapsed(now)))
    }

    /// How long it has been past its end.
    pub(crate) fn past(&self, now: Moment) -> Duration {
        Duration::from_millis(self.elapsed(now).saturating_sub(self.fresh_for.into()))
    }

    /// How long it may still be served.
    pub(crate) fn usable_for(&self, now: Moment) -> Duration {
        Duration::from_millis(u64::from(self.usable_for).saturating_sub(self.elapsed(now)))
    }

    /// True if it is fresh for longer yet than it has been stored: good enough for whoever renews what rests on it.
    pub fn is_in_first_half(&self, now: Moment) -> bool {
        now.since(self.stored) < self.remaining(now)
    }

    /// The Extended DNS Error that goes out with it past its end (RFC 8914 4.4, 4.20).
    pub fn stale_ede(&self) -> &'static Ede {
        if self.answer.rcode() == Rcode::NXDOMAIN { &STALE_NXDOMAIN } else { &STALE_ANSWER }
    }

    /// The failure that it memorises, if it is one.
    #[inline]
    pub fn failure(&self) -> Option<Failure> {
        (self.class == Class::Failure).then(|| self.memorised())
    }

    #[inline(never)]
    fn memorised(&self) -> Failure {
        let text = self.answer.ede().map_or(Cow::Borrowed("upstream failed"), |ede| ede.text.clone());
        Failure::Memorised { text, replied: self.source != sources::STORE }
    }

    /// It as a reply for the miss path: true no longer than the entry, and never stored again if it is stale.
    pub fn reply(&self, age: Age, now: Moment) -> Reply {
        let stale = matches!(age, Age::Stale | Age::StaleWith(_));
        Reply {
            answer: Arc::new(self.answer.clone()),
            age,
            lifetime: Some(self.remaining(now)),
            storable: !stale,
            personal: false,
            source: contract::Source::Store,
            decided: self.decided(),
            ede: stale.then(|| self.stale_ede().clone()),
        }
    }

    /// The reply with the age that the moment gives it.
    pub(crate) fn reply_now(&self, policy: &Policy, now: Moment) -> Reply {
        let age = if self.is_fresh(now) { policy.fresh_age(self, now) } else { policy.stale_age() };
        self.reply(age, now)
    }

    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        self.elapsed(now) < self.fresh_for.into()
    }

    /// True if it may still be served: fresh, or stale and no failure.
    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        self.elapsed(now) < self.usable_for.into()
    }

    fn elapsed(&self, now: Moment) -> u64 {
        now.0.saturating_sub(self.stored.0)
    }

    /// The same as a mark holds it.
    fn mark(&self, now: Moment) -> u32 {
        u32::try_from(self.elapsed(now)).unwrap_or(u32::MAX)
    }

    /// Marks a hit.
    pub(crate) fn touch(&self) {
        if self.marks.asked.load(Relaxed) != ASKED {
            self.marks.asked.store(ASKED, Relaxed);
        }
    }

    /// True once per hit: eviction spares what was asked for since it last came by.
    pub(crate) fn spare(&self) -> bool {
        self.marks.asked.fetch_and(!SINCE_SPARED, Relaxed) & SINCE_SPARED != 0
    }

    /// True if it was asked for since what is hot was last kept, or in the time before that.
    pub(crate) fn is_hot(&self) -> bool {
        self.marks.asked.load(Relaxed) & (SINCE_KEPT | BEFORE_KEPT) != 0
    }

    /// It was hot before a restart.
    pub(crate) fn mark_kept(&self) {
        self.marks.asked.store(BEFORE_KEPT, Relaxed);
    }

    /// What is hot was kept: what was asked for lately was asked for before from now on.
    pub(crate) fn cool(&self) {
        let marks = self.marks.asked.load(Relaxed);
        if marks & (SINCE_KEPT | BEFORE_KEPT) != 0 {
            let before = if marks & SINCE_KEPT == 0 { 0 } else { BEFORE_KEPT };
            self.marks.asked.store(marks & SINCE_SPARED | before, Relaxed); // a hit at this moment may count for nothing
        }
    }

    /// Takes over what is known of the answer before it: that it is asked for, and how often where that is counted.
    pub(crate) fn inherit(&self, old: &Self, prefetch: Option<Prefetch>, now: Moment) {
        self.marks.asked.store(ASKED, Relaxed); // it was renewed because somebody asked
        // without a question since it was stored, popularity ends here: a renewal by itself keeps nothing popular
        let last_hit = old.marks.last_hit.load(Relaxed);
        let waited = old.mark(now).saturating_sub(last_hit);
        if last_hit > 0 && prefetch.is_some_and(|prefetch| waited <= milliseconds(prefetch.gap)) {
            self.marks.hits.store(old.marks.hits.load(Relaxed), Relaxed);
        }
    }

    /// True for one asker of a fresh entry that is popular (or AutoPath's) and near its end.
    pub(crate) fn wants_prefetch(&self, policy: &Policy, search: bool, now: Moment) -> bool {
        let popular = policy.prefetch.as_ref().is_some_and(|prefetch| self.is_popular(prefetch, now));
        if !popular && !search {
            return false;
        }
        let share = policy.prefetch.filter(|_| popular).map_or(PREFETCH_SHARE, |prefetch| prefetch.share);
        let life = u64::from(self.fresh_for);
        let threshold = (life * u64::from(share) / 100).max(PREFETCH_LEAST);
        self.elapsed(now) + threshold >= life && self.claim(now)
    }

    /// Counts a hit and says whether there were enough. A popular entry's line is written once per eighth of the gap.
    fn is_popular(&self, prefetch: &Prefetch, now: Moment) -> bool {
        let marks = &self.marks;
        let (gap, now) = (milliseconds(prefetch.gap), self.mark(now));
        let waited = now.saturating_sub(marks.last_hit.load(Relaxed));
        let hits = marks.hits.load(Relaxed);
        let popular = hits >= prefetch.amount && hits > 0 && waited <= gap;
        if popular && waited <= gap / 8 {
            return true;
        }
        let hits = if waited > gap { 1 } else { hits.saturating_add(1) };
        marks.hits.store(hits, Relaxed); // two hits at once may count as one: popular means several
        marks.last_hit.store(now.max(1), Relaxed);
        hits >= prefetch.amount
    }

    /// What is done with it past its end: whether it goes out at once, and whether this asker refreshes it.
    pub(crate) fn past_end(&self, policy: &Policy, now: Moment) -> (bool, bool) {
        let (recheck, at) = (self.marks.recheck.load(Relaxed), self.mark(now));
        if at < recheck {
            return (true, false);
        }
        match policy.stale.mode {
            StaleMode::Immediate => (true, self.claim(now)),
            // shortly after a failed attempt nobody waits; later upstream is asked first again: fresh beats stale
            StaleMode::Failing if recheck > 0 && at < recheck.saturating_add(milliseconds(policy.stale.recheck)) => {
                (true, self.claim(now))
            }
            StaleMode::Failing | StaleMode::Verify => (false, false),
        }
    }

    /// An attempt to refresh it failed, or was slow: upstream is left alone for a while.
    pub(crate) fn leave_upstream_alone(&self, wait: Duration, now: Moment) {
        self.marks.recheck.store(self.mark(now.after(wait)).max(1), Relaxed);
        self.marks.lease.store(0, Relaxed);
    }

    /// Whatever failed before: it may be asked for again.
    pub(crate) fn forgive(&self) {
        self.marks.recheck.store(0, Relaxed);
        self.marks.lease.store(0, Relaxed);
    }

    /// Makes one asker of many the one who refreshes.
    fn claim(&self, now: Moment) -> bool {
        let (lease, at) = (self.marks.lease.load(Relaxed), self.mark(now));
        if at < lease || at < self.marks.recheck.load(Relaxed) {
            return false;
        }
        let until = self.mark(now.after(ANSWER_WITHIN));
        let claimed = self.marks.lease.compare_exchange(lease, until, Relaxed, Relaxed).is_ok();
        if claimed {
            self.prefetches.increment();
        }
        claimed
    }
}

/// A duration as an entry holds it; at most some 49 days.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
