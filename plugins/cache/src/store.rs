//! The answer store of the process: look-up on the hit path, storing and failing on the miss path.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contract::metrics::{Gauge, Metrics};
use contract::wire::{Ede, Name, Rcode, ede};
use contract::{Age, Answer, Failure, Fault, Moment, Reply, Source};
use moka::notification::RemovalCause;

use crate::capacity::{BlockLabels, BlockRooms, Class, Rooms};
use crate::entry::{Draft, Entry};
use crate::judge::{Judgement, judge};
use crate::key::{BlockId, KeyBuffer, block_of};
use crate::policy::Policy;

/// The bound of the whole process unless a flag says otherwise, octets.
pub const STORE_OCTETS: u64 = 32 << 20;

/// Octets on the heap that an entry takes beside its key and its answer's bytes: the entry, the store's own nodes and
/// its share of tables. Measured by `tests/allocations.rs`, rounded up.
pub(crate) const ENTRY_OCTETS: usize = 600;

type Answers = moka::sync::Cache<Arc<[u8]>, Arc<Entry>, foldhash::quality::RandomState>;

/// All memorised answers. One per process; it outlives reloads.
pub struct Store {
    answers: Answers,
    rooms: Rooms,
    metrics: Arc<Metrics>,
    octets: Arc<Gauge>,
}

/// What the store knows about a question.
#[derive(Debug)]
pub enum Lookup {
    /// An answer that is true.
    Fresh {
        /// The answer.
        entry: Arc<Entry>,
        /// How its TTLs are written.
        age: Age,
        /// True for one asker: ask upstream anew, beside this reply.
        refresh: bool,
    },
    /// An answer past its end; it is written with [`Policy::stale_age`] and [`Entry::stale_ede`].
    Stale {
        /// The answer.
        entry: Arc<Entry>,
        /// True: it goes out now. False: ask upstream, and wait for that for [`Policy::patience`] at most.
        serve_now: bool,
        /// True for one asker: ask upstream anew, beside this reply.
        refresh: bool,
    },
    /// Upstream failed a moment ago: SERVFAIL, without asking again (RFC 9520).
    Failed(Failure),
    /// Nothing.
    Miss,
}

/// How metrics count a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // said by the words
pub enum Kind {
    Success,
    Denial,
    StaleSuccess,
    StaleDenial,
    Miss,
}

impl Lookup {
    /// How metrics count it. A stale answer that must wait for a fresh one counts as a miss until it goes out.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fresh { entry, .. } if entry.is_denial() => Kind::Denial,
            Self::Fresh { .. } => Kind::Success,
            Self::Stale { serve_now: false, .. } | Self::Miss => Kind::Miss,
            Self::Stale { entry, .. } if entry.is_denial() => Kind::StaleDenial,
            Self::Stale { .. } => Kind::StaleSuccess,
            Self::Failed(_) => Kind::Denial,
        }
    }
}

impl Store {
    /// An empty store that holds at most so many octets, see [`STORE_OCTETS`].
    pub fn new(bytes: u64, metrics: Arc<Metrics>) -> Self {
        let answers: Answers = moka::sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            .eviction_listener(|_, entry: Arc<Entry>, cause| {
                if entry.leave() {
                    entry.room().leave(cause == RemovalCause::Size);
                }
            })
            .build_with_hasher(foldhash::quality::RandomState::default());
        let octets = metrics.gauge("nearpath_cache_bytes", "Octets that memorised answers take.", &[]);
        Self { answers, rooms: Rooms::default(), metrics, octets }
    }

    /// Names a block in metrics. A number keeps its first labels.
    pub fn register(&self, block: BlockId, labels: BlockLabels) {
        self.rooms.of(block, &self.metrics, || labels);
    }

    /// Looks an answer up. Allocates nothing (but the text of a failure) and takes no lock that is held while somebody
    /// waits for the system; one caller in some sixty does a share of the store's housekeeping.
    pub fn lookup(&self, key: &KeyBuffer, policy: &Policy, now: Moment) -> Lookup {
        if !policy.covers(key.name()) {
            return Lookup::Miss;
        }
        let Some(entry) = self.answers.get(key.as_bytes()) else { return Lookup::Miss };
        if entry.is_fresh(now) {
            entry.touch();
            if let Some(failure) = entry.failure() {
                return Lookup::Failed(failure);
            }
            let refresh = entry.wants_prefetch(policy, key.is_search(), now);
            let age = policy.fresh_age(&entry, now);
            return Lookup::Fresh { entry, age, refresh };
        }
        if !entry.is_usable(now) {
            return Lookup::Miss;
        }
        entry.touch();
        let (serve_now, refresh) = entry.past_end(policy, now);
        Lookup::Stale { entry, serve_now, refresh }
    }

    /// Memorises what the chain said, as far as the policy wants it, and returns what clients are told: the same as
    /// later hits, or the older answer where that stands.
    pub fn insert(&self, key: &KeyBuffer, reply: Reply, policy: &Policy, now: Moment) -> Reply {
        if !policy.covers(key.name()) {
            return reply;
        }
        let old = self.answers.get(key.as_bytes());
        let standing = old.as_deref().filter(|old| old.class() != Class::Failure && old.is_usable(now));
        let judgement = judge(key, &reply, policy);
        if let Some((old, wait)) = standing.zip(stands_for(standing, &judgement, policy)) {
            old.leave_upstream_alone(wait, now);
            return if matches!(judgement, Judgement::PassBeside) { reply } else { old.reply_now(policy, now) };
        }
        match judgement {
            Judgement::Keep { answer, class, life, stale } => {
                let stale = if stale { policy.stale.max } else { Duration::ZERO };
                let entry = self.put(key, (answer, class, life, stale), reply.source, (old.as_deref(), policy), now);
                let age = policy.fresh_age(&entry, now);
                return Reply { source: reply.source, ede: reply.ede, ..entry.reply(age, now) };
            }
            Judgement::Failed(true) => {
                let text = format!("upstream said {}", reply.answer.rcode());
                self.memorise_failure(key, text, old.as_deref(), policy, now);
            }
            Judgement::Pass if old.is_some() => self.answers.invalidate(key.as_bytes()),
            Judgement::Foreign => self.block(key).drops.increment(),
            Judgement::Pass | Judgement::PassBeside | Judgement::Failed(false) => {}
        }
        reply
    }

    /// Notes that the question got no answer. A failure of upstream is memorised for a while (RFC 9520), one of ours
    /// never; a stale answer goes out at once until upstream is asked again (RFC 8767 5).
    pub fn failed(&self, key: &KeyBuffer, failure: &Failure, policy: &Policy, now: Moment) {
        if !policy.covers(key.name()) || !failure.is_transient() {
            return;
        }
        let old = self.answers.get(key.as_bytes());
        if let Some(old) = old.as_ref().filter(|old| old.is_usable(now)) {
            if old.class() != Class::Failure {
                old.leave_upstream_alone(policy.stale.recheck, now);
            }
            return; // a memorised failure is not prolonged
        }
        // what is memorised elsewhere must not be memorised anew: it would never end
        if failure.fault() == Fault::Upstream && !matches!(failure, Failure::Memorised { .. }) {
            self.memorise_failure(key, failure.to_string(), old.as_deref(), policy, now);
        }
    }

    /// Notes that upstream took too long for a client, who was given the stale answer: it goes out at once for a while.
    pub fn slow(&self, key: &KeyBuffer, policy: &Policy, now: Moment) {
        let entry = self.answers.get(key.as_bytes());
        if let Some(entry) = entry.filter(|entry| !entry.is_fresh(now) && entry.is_usable(now)) {
            entry.leave_upstream_alone(policy.stale.recheck, now);
        }
    }

    /// Octets that the answers take, by the estimate that the bound goes by.
    pub fn bytes(&self) -> u64 {
        self.answers.weighted_size()
    }

    /// How many answers of a class a block has; failures count as denials.
    pub fn entries(&self, block: BlockId, class: Class) -> usize {
        self.rooms.existing(block).map_or(0, |rooms| rooms.of(class).live())
    }

    /// Removes what can no longer be served, and does what housekeeping is due. To be called about once a minute, off
    /// the hit path: it looks at every entry.
    pub fn sweep(&self, now: Moment) {
        let gone: Vec<_> = self.answers.iter().filter(|(_, entry)| !entry.is_usable(now)).collect();
        for (key, _) in gone {
            self.answers.invalidate(&*key);
        }
        self.settle();
    }

    /// Removes everything of a block whose answers are no longer true, or that is no longer there.
    pub fn purge(&self, block: BlockId) {
        let all: Vec<_> = self.answers.iter().filter(|(key, _)| block_of(key) == block).collect();
        for (key, _) in all {
            self.answers.invalidate(&*key);
        }
        self.settle();
        self.rooms.remove(block);
    }

    /// Does the housekeeping that is due, so that [`Store::bytes`] is exact.
    pub fn settle(&self) {
        self.answers.run_pending_tasks();
        self.publish();
    }

    #[cfg(test)]
    pub(crate) fn queued(&self, block: BlockId, class: Class) -> usize {
        self.rooms.existing(block).map_or(0, |rooms| rooms.of(class).queued())
    }

    /// Stores an entry: answer, class, fresh life, stale life.
    fn put(
        &self,
        key: &KeyBuffer,
        (answer, class, life, stale): (Arc<Answer>, Class, Duration, Duration),
        source: Source,
        (old, policy): (Option<&Entry>, &Policy),
        now: Moment,
    ) -> Arc<Entry> {
        let rooms = self.block(key);
        let room = Arc::clone(rooms.of(class));
        let capacity = if class == Class::Success { policy.success.capacity } else { policy.denial.capacity };
        let key = old.map_or_else(|| Arc::from(key.as_bytes()), |old| Arc::clone(old.key()));
        let draft = Draft { answer, key: Arc::clone(&key), room: Arc::clone(&room), source, class, life, stale };
        let entry = Arc::new(Entry::new(draft, now));
        if let Some(old) = old.filter(|_| policy.prefetch.is_some()) {
            entry.inherit(old);
        }
        room.enter(&entry);
        self.answers.insert(key, Arc::clone(&entry));
        for excess in room.excess(capacity) {
            self.answers.invalidate(&**excess.key());
        }
        self.publish();
        entry
    }

    fn memorise_failure(&self, key: &KeyBuffer, text: String, old: Option<&Entry>, policy: &Policy, now: Moment) {
        if policy.servfail.is_zero() || !policy.denial.takes(key.name()) {
            return;
        }
        let name = Name::from_wire(key.name()).expect("a key's name was parsed");
        let answer =
            Answer::empty(&name, key.rtype(), key.class(), Rcode::SERVFAIL).with_ede(Ede::new(ede::CACHED_ERROR, text));
        let what = (Arc::new(answer), Class::Failure, policy.servfail, Duration::ZERO);
        self.put(key, what, Source::Store, (old, policy), now);
    }

    fn block(&self, key: &KeyBuffer) -> Arc<BlockRooms> {
        self.rooms.of(key.block(), &self.metrics, BlockLabels::default)
    }

    fn publish(&self) {
        self.octets.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.answers.entry_count()).field("bytes", &self.bytes()).finish()
    }
}

/// How long upstream is left alone because an older answer stands against this judgement; `None` if it does not stand.
fn stands_for(standing: Option<&Entry>, judgement: &Judgement, policy: &Policy) -> Option<Duration> {
    let old = standing?;
    match judgement {
        Judgement::Failed(_) | Judgement::PassBeside | Judgement::Keep { stale: false, .. } => {
            Some(policy.stale.recheck)
        }
        Judgement::Keep { class: Class::Denial, life, .. } => {
            let positive = policy.prefer_positive && old.class() == Class::Success;
            positive.then(|| policy.stale.recheck.max(*life))
        }
        Judgement::Keep { .. } | Judgement::Pass | Judgement::Foreign => None,
    }
}

/// Octets on the heap that an entry takes.
fn weigh(key: &Arc<[u8]>, entry: &Arc<Entry>) -> u32 {
    u32::try_from(key.len() + entry.answer().size() + ENTRY_OCTETS).unwrap_or(u32::MAX)
}
