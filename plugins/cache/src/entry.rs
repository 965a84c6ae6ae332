//! One memorised answer: immutable but for a few marks that hits and refreshes leave on it.
//!
//! ```text
//!   stored ------------------ fresh_until ------------------------- stale_until
//!     Fresh, TTLs aged          Stale, EDE 3 or 19                    gone
//!               '-- the last tenth: one asker is told to refresh
//! ```

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use contract::limits::ANSWER_WITHIN;
use contract::wire::{Ede, Rcode, ede};
use contract::{Age, Answer, Failure, Moment, Reply, Source};

use crate::capacity::{Class, Room};
use crate::policy::{PREFETCH_SHARE, Policy, Prefetch, StaleMode};

/// An answer and its times.
#[derive(Debug)]
pub struct Entry {
    answer: Arc<Answer>,
    key: Arc<[u8]>,
    room: Arc<Room>,
    source: Source,
    class: Class,
    stored: Moment,
    fresh_until: Moment,
    stale_until: Moment,
    marks: Marks,
}

/// What changes in an entry's life. Hits read them; they write only where the words below say so.
#[derive(Debug, Default)]
struct Marks {
    /// It was asked for since it was stored, or since eviction last spared it. Written once.
    asked: AtomicBool,
    /// It has left the store.
    gone: AtomicBool,
    /// Questions without a long gap; counted only where `prefetch` is set.
    hits: AtomicU32,
    /// When the last of them came, milliseconds.
    last_hit: AtomicU64,
    /// Until when somebody is busy with a refresh, milliseconds. A lease, so that a lost refresh blocks nothing.
    lease: AtomicU64,
    /// Until when upstream is left alone, milliseconds; not zero: an attempt failed or was slow.
    recheck: AtomicU64,
}

/// What an entry is made of.
pub(crate) struct Draft {
    pub(crate) answer: Arc<Answer>,
    pub(crate) key: Arc<[u8]>,
    pub(crate) room: Arc<Room>,
    pub(crate) source: Source,
    pub(crate) class: Class,
    /// How long it is fresh.
    pub(crate) life: Duration,
    /// How long it may be served after that.
    pub(crate) stale: Duration,
}

/// A TTL of 30, EDE 3: an answer with records.
static STALE_ANSWER: Ede = Ede { code: ede::STALE_ANSWER, text: Cow::Borrowed("stale, upstream does not answer") };
/// EDE 19: NXDOMAIN.
static STALE_NXDOMAIN: Ede = Ede { code: ede::STALE_NXDOMAIN, text: Cow::Borrowed("stale, upstream does not answer") };

impl Entry {
    pub(crate) fn new(draft: Draft, now: Moment) -> Self {
        let fresh_until = now.after(draft.life);
        Self {
            answer: draft.answer,
            key: draft.key,
            room: draft.room,
            source: draft.source,
            class: draft.class,
            stored: now,
            fresh_until,
            stale_until: fresh_until.after(draft.stale),
            marks: Marks::default(),
        }
    }

    /// The answer. That of a failure says SERVFAIL with EDE 13.
    pub fn answer(&self) -> &Arc<Answer> {
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

    /// Who said so.
    pub fn source(&self) -> Source {
        self.source
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
        self.fresh_until.since(now)
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
    pub fn failure(&self) -> Option<Failure> {
        let text = || self.answer.ede().map_or(Cow::Borrowed("upstream failed"), |ede| ede.text.clone());
        (self.class == Class::Failure).then(|| Failure::Memorised { text: text() })
    }

    /// It as a reply for the miss path: true no longer than the entry, and never stored again if it is stale.
    pub fn reply(&self, age: Age, now: Moment) -> Reply {
        let stale = matches!(age, Age::Stale | Age::StaleWith(_));
        Reply {
            answer: Arc::clone(&self.answer),
            age,
            lifetime: Some(self.remaining(now)),
            storable: !stale,
            source: Source::Store,
            ede: stale.then(|| self.stale_ede().clone()),
        }
    }

    /// The reply with the age that the moment gives it.
    pub(crate) fn reply_now(&self, policy: &Policy, now: Moment) -> Reply {
        let age = if self.is_fresh(now) { policy.fresh_age(self, now) } else { policy.stale_age() };
        self.reply(age, now)
    }

    pub(crate) fn key(&self) -> &Arc<[u8]> {
        &self.key
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        now < self.fresh_until
    }

    /// True if it may still be served: fresh, or stale and no failure.
    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        now < self.stale_until
    }

    /// Marks a hit.
    pub(crate) fn touch(&self) {
        if !self.marks.asked.load(Relaxed) {
            self.marks.asked.store(true, Relaxed);
        }
    }

    /// True once per hit: eviction spares what was asked for since it last came by.
    pub(crate) fn spare(&self) -> bool {
        self.marks.asked.swap(false, Relaxed)
    }

    /// Marks that it left the store. True the first time.
    pub(crate) fn leave(&self) -> bool {
        !self.marks.gone.swap(true, Relaxed)
    }

    /// True once it has left the store.
    pub(crate) fn is_gone(&self) -> bool {
        self.marks.gone.load(Relaxed)
    }

    /// Takes over what is known about how often the name is asked for.
    pub(crate) fn inherit(&self, old: &Self) {
        self.marks.hits.store(old.marks.hits.load(Relaxed), Relaxed);
        self.marks.last_hit.store(old.marks.last_hit.load(Relaxed), Relaxed);
    }

    /// True for one asker of a fresh entry that is popular (or AutoPath's) and near its end.
    pub(crate) fn wants_prefetch(&self, policy: &Policy, search: bool, now: Moment) -> bool {
        let popular = policy.prefetch.as_ref().is_some_and(|prefetch| self.is_popular(prefetch, now));
        if !popular && !search {
            return false;
        }
        let share = policy.prefetch.filter(|_| popular).map_or(PREFETCH_SHARE, |prefetch| prefetch.share);
        let life = self.fresh_until.since(self.stored);
        let threshold = (life * u32::from(share) / 100).max(Duration::from_secs(1));
        self.remaining(now) <= threshold && self.claim(now)
    }

    /// Counts a hit and says whether there were enough. A popular entry's line is written once per eighth of the gap.
    fn is_popular(&self, prefetch: &Prefetch, now: Moment) -> bool {
        let marks = &self.marks;
        let gap = prefetch.gap.as_millis() as u64;
        let waited = now.0.saturating_sub(marks.last_hit.load(Relaxed));
        let hits = marks.hits.load(Relaxed);
        let popular = hits >= prefetch.amount && hits > 0 && waited <= gap;
        if popular && waited <= gap / 8 {
            return true;
        }
        let hits = if waited > gap { 1 } else { hits.saturating_add(1) };
        marks.hits.store(hits, Relaxed); // two hits at once may count as one: popular means several
        marks.last_hit.store(now.0, Relaxed);
        hits >= prefetch.amount
    }

    /// What is done with it past its end: whether it goes out at once, and whether this asker refreshes it.
    pub(crate) fn past_end(&self, policy: &Policy, now: Moment) -> (bool, bool) {
        let recheck = self.marks.recheck.load(Relaxed);
        if now.0 < recheck {
            return (true, false);
        }
        match policy.stale.mode {
            StaleMode::Immediate => (true, self.claim(now)),
            // shortly after a failed attempt nobody waits; later upstream is asked first again: fresh beats stale
            StaleMode::Failing if recheck > 0 && now < Moment(recheck).after(policy.stale.recheck) => {
                (true, self.claim(now))
            }
            StaleMode::Failing | StaleMode::Verify => (false, false),
        }
    }

    /// An attempt to refresh it failed, or was slow: upstream is left alone for a while.
    pub(crate) fn leave_upstream_alone(&self, wait: Duration, now: Moment) {
        self.marks.recheck.store(now.after(wait).0.max(1), Relaxed);
        self.marks.lease.store(0, Relaxed);
    }

    /// Makes one asker of many the one who refreshes.
    fn claim(&self, now: Moment) -> bool {
        let lease = self.marks.lease.load(Relaxed);
        if now.0 < lease || now.0 < self.marks.recheck.load(Relaxed) {
            return false;
        }
        let until = now.after(ANSWER_WITHIN).0;
        let claimed = self.marks.lease.compare_exchange(lease, until, Relaxed, Relaxed).is_ok();
        if claimed {
            self.room.prefetches.increment();
        }
        claimed
    }
}
