//! The answer store of the process: look-up on the hit path, storing and failing on the miss path.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits::{EDE_TEXT_MAX, SERVFAIL_MAX};
use contract::metrics::{Gauge, Metrics};
use contract::wire::{Ede, Name, Rcode, ede};
use contract::{Age, Answer, Decided, Failure, Fault, Moment, Recall, Recalled, Remembered, Reply, Source};
use foldhash::quality::SeedableRandomState;

use crate::capacity::{Answers, BlockLabels, Class, Rooms};
use crate::entry::{Draft, Entry};
use crate::forget;
use crate::judge::{Judgement, judge};
use crate::key::{BlockId, KeyBuffer, block_of};
use crate::policy::Policy;
use crate::sources::Sources;

/// The bound of the whole process unless a flag says otherwise, octets.
pub const STORE_OCTETS: u64 = 32 << 20;
/// Entries that a sweep or a purge takes out before whoever wants to store has its turn.
const REMOVED_AT_ONCE: usize = 256;

/// All memorised answers. One per process; it outlives reloads.
///
/// Whoever changes it holds `rooms`; whoever reads takes no lock and writes nothing that other readers read.
pub struct Store {
    answers: Answers,
    rooms: Mutex<Rooms>,
    /// Octets that all answers may take together; changes when memory is scarce.
    bound: AtomicU64,
    sources: Sources,
    metrics: Arc<Metrics>,
    octets: Arc<Gauge>,
}

/// A look into the store: what it finds stays in memory as long as it is there. Never held across an await.
pub struct Reader<'s> {
    answers: papaya::HashMapRef<'s, Arc<[u8]>, Entry, SeedableRandomState, papaya::LocalGuard<'s>>,
}

/// What the store knows about a question.
#[derive(Debug)]
pub enum Lookup<'r> {
    /// An answer that is true.
    Fresh {
        /// The answer.
        entry: &'r Entry,
        /// How its TTLs are written.
        age: Age,
        /// True for one asker: ask upstream anew, beside this reply.
        refresh: bool,
    },
    /// An answer past its end; it is written with [`Policy::stale_age`] and [`Entry::stale_ede`].
    Stale {
        /// The answer.
        entry: &'r Entry,
        /// True: it goes out now. False: ask upstream, and wait for that for [`Policy::patience`] at most.
        serve_now: bool,
        /// True for one asker: ask upstream anew, beside this reply.
        refresh: bool,
    },
    /// Upstream failed a moment ago: SERVFAIL, without asking again (RFC 9520).
    Failed {
        /// What memory has.
        entry: &'r Entry,
        /// What it says.
        failure: Failure,
    },
    /// Nothing.
    Miss,
}

impl Reader<'_> {
    /// True if something is held for this key, be it past its end.
    pub fn has(&self, key: &KeyBuffer) -> bool {
        self.answers.get(key.as_bytes()).is_some()
    }

    /// Looks an answer up. Allocates nothing (but the text of a failure) and takes no lock.
    pub fn lookup(&self, key: &KeyBuffer, policy: &Policy, now: Moment) -> Lookup<'_> {
        if !policy.covers(key.name()) {
            return Lookup::Miss;
        }
        let Some(entry) = self.answers.get(key.as_bytes()) else { return Lookup::Miss };
        if entry.is_fresh(now) {
            entry.touch();
            if let Some(failure) = entry.failure() {
                return Lookup::Failed { entry, failure };
            }
            let refresh = entry.wants_prefetch(policy, key.is_search(), now);
            let age = policy.fresh_age(entry, now);
            return Lookup::Fresh { entry, age, refresh };
        }
        if !entry.is_usable(now) {
            return Lookup::Miss;
        }
        entry.touch();
        let (serve_now, refresh) = entry.past_end(policy, now);
        Lookup::Stale { entry, serve_now, refresh }
    }

    /// What a fresh answer says, if there is one and it is no failure. Leaves no mark: this is no question of a client.
    pub fn peek(&self, key: &KeyBuffer, policy: &Policy, now: Moment) -> Option<Reply> {
        let entry = self.answers.get(key.as_bytes()).filter(|_| policy.covers(key.name()))?;
        let told = entry.is_fresh(now) && entry.class() != Class::Failure;
        told.then(|| entry.reply(policy.fresh_age(entry, now), now))
    }
}

impl Store {
    /// An empty store that holds at most so many octets, see [`STORE_OCTETS`].
    pub fn new(bytes: u64, metrics: Arc<Metrics>) -> Self {
        Self::with_hasher(bytes, metrics, SeedableRandomState::random())
    }

    /// The same with hashes of the caller's choice, so that instructions can be counted. Clients could aim at known ones.
    pub fn with_hasher(bytes: u64, metrics: Arc<Metrics>, hasher: SeedableRandomState) -> Self {
        let octets = metrics.gauge("nearpath_cache_bytes", "Octets that memorised answers take.", &[]);
        let (answers, rooms, sources) = (Answers::with_hasher(hasher), Mutex::default(), Sources::default());
        Self { answers, rooms, bound: AtomicU64::new(bytes), sources, metrics, octets }
    }

    /// Names a block in metrics. A number keeps its first labels.
    pub fn register(&self, block: BlockId, labels: BlockLabels) {
        self.rooms().of(block, &self.metrics, || labels);
    }

    /// Opens the store for look-ups.
    pub fn read(&self) -> Reader<'_> {
        Reader { answers: self.answers.pin() }
    }

    /// Memorises what the chain said, as far as the policy wants it, and returns what clients are told: the same as
    /// later hits, or the older answer where that stands.
    pub fn insert(&self, key: &KeyBuffer, reply: Reply, policy: &Policy, now: Moment) -> Reply {
        if !policy.covers(key.name()) {
            return reply;
        }
        let pin = self.answers.pin();
        let old = pin.get(key.as_bytes());
        let standing = old.filter(|old| old.class() != Class::Failure && old.is_usable(now));
        let (judgement, reply) = judge(key, reply, policy);
        if let Some((old, wait)) = standing.zip(stands_for(standing, &judgement, policy)) {
            old.leave_upstream_alone(wait, now);
            if key.is_search() && reply.is_stale() && matches!(reply.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
                self.put_expired(key, &reply, old, (wait, policy), now);
            }
            return if matches!(judgement, Judgement::PassBeside) { reply } else { old.reply_now(policy, now) };
        }
        match judgement {
            Judgement::Keep { class, life, stale } => {
                // what was made up in place of an answer ends with its time
                let is_made = reply.answer.ede().is_some_and(|ede| ede.code == ede::SYNTHESIZED);
                let stale = if stale && !is_made { policy.stale.max } else { Duration::ZERO };
                let what = (Answer::clone(&reply.answer), class, life, stale);
                self.put(key, what, (reply.source, reply.decided), policy, now);
                let age = if policy.keep_ttl { Age::Kept } else { Age::Fresh(0) };
                return Reply { age, lifetime: Some(life), ..reply };
            }
            Judgement::Failed(life) => {
                self.memorise_failure(key, what_failed(&reply), (life, reply.source), policy, now);
            }
            Judgement::Pass if old.is_some() => {
                let mut rooms = self.rooms();
                rooms.remove_if(&self.answers, key.as_bytes(), |_| true);
                self.publish(&rooms);
            }
            Judgement::Foreign => {
                self.rooms().of(key.block(), &self.metrics, BlockLabels::default).drops.increment();
            }
            Judgement::Pass | Judgement::PassBeside => {}
        }
        reply
    }

    /// Notes that the question got no answer. That upstream said nothing of use is memorised (RFC 9520), but briefly however
    /// long its own SERVFAIL is: a network that was gone may be back, and nobody has said anything of the name. A failure of
    /// ours never is. A stale answer goes out at once until upstream is asked again (RFC 8767 5).
    pub fn failed(&self, key: &KeyBuffer, failure: &Failure, policy: &Policy, now: Moment) {
        if !policy.covers(key.name()) || !failure.is_transient() {
            return;
        }
        let pin = self.answers.pin();
        if let Some(old) = pin.get(key.as_bytes()).filter(|old| old.is_usable(now)) {
            if old.class() != Class::Failure {
                old.leave_upstream_alone(policy.stale.recheck, now);
            }
            return; // a memorised failure is not prolonged
        }
        // what is memorised elsewhere must not be memorised anew: it would never end
        if failure.fault() == Fault::Upstream && !matches!(failure, Failure::Memorised { .. }) {
            let text = failure.told().1.text.into_owned(); // with what to do
            self.memorise_failure(key, text, (policy.servfail.min(SERVFAIL_MAX), Source::Store), policy, now);
        }
    }

    /// Notes that upstream took too long for a client, who was given the stale answer: it goes out at once for a while.
    pub fn slow(&self, key: &KeyBuffer, policy: &Policy, now: Moment) {
        let pin = self.answers.pin();
        if let Some(entry) = pin.get(key.as_bytes()).filter(|entry| !entry.is_fresh(now) && entry.is_usable(now)) {
            entry.leave_upstream_alone(policy.stale.recheck, now);
        }
    }

    /// Who said what an entry holds.
    pub fn source(&self, entry: &Entry) -> Source {
        self.sources.of(entry.source())
    }

    /// What is told of an entry to whoever asks why.
    pub fn recall(&self, entry: &Entry, state: Recalled, now: Moment) -> Recall {
        let age = now.since(entry.stored());
        Recall { state, age, life: entry.life(), source: self.source(entry), decided: entry.decided() }
    }

    /// What is known, fresh or past its end, if it is no failure, and who said so. Leaves no mark.
    pub fn remembered(&self, key: &KeyBuffer, policy: &Policy, now: Moment) -> Option<Remembered> {
        let pin = self.answers.pin();
        let entry = pin.get(key.as_bytes()).filter(|entry| entry.is_usable(now) && entry.class() != Class::Failure)?;
        let reply = Reply { source: self.source(entry), ..entry.reply_now(policy, now) };
        Some(Remembered { reply, past_end: entry.past(now) })
    }

    /// Octets that the answers take, by the estimate that the bound goes by.
    pub fn bytes(&self) -> u64 {
        self.rooms().octets()
    }

    /// Octets that the answers may take.
    pub fn bound(&self) -> u64 {
        self.bound.load(Ordering::Relaxed)
    }

    /// Sets how many octets the answers may take, and takes the oldest out that nobody asks for until they do.
    pub fn set_bound(&self, bytes: u64) {
        self.bound.store(bytes, Ordering::Relaxed);
        loop {
            let mut rooms = self.rooms();
            let done = rooms.shrink(&self.answers, bytes, REMOVED_AT_ONCE);
            self.publish(&rooms);
            if done {
                return;
            }
        }
    }

    /// Shows every answer that can be kept for a restart: those asked for lately first, then those stored within `lately`,
    /// until `visit` says that it is enough. With `cool`, what was asked for before this moment counts as asked for before.
    pub(crate) fn visit_hot(
        &self,
        now: Moment,
        (lately, cool): (Duration, bool),
        visit: &mut dyn FnMut(&[u8], &Entry) -> bool,
    ) {
        let pin = self.answers.pin();
        let kept = |entry: &Entry| {
            let told = matches!(entry.answer().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN);
            // what a plugin made by itself may be made otherwise after a restart: the file that it read may have changed
            let asked = !matches!(self.sources.of(entry.source()), Source::Plugin(_));
            told && asked && entry.class() != Class::Failure && entry.is_usable(now)
        };
        let is_young = |entry: &Entry| now.since(entry.stored()) <= lately;
        let hot = pin.iter().filter(|(_, entry)| kept(entry) && entry.is_hot());
        let young = pin.iter().filter(|(_, entry)| kept(entry) && !entry.is_hot() && is_young(entry));
        for (key, entry) in hot.chain(young) {
            if !visit(key, entry) {
                break;
            }
        }
        if cool {
            pin.values().for_each(Entry::cool);
        }
    }

    /// Puts back an answer that was kept over a restart, fresh and usable for so long; false if the block does not want it,
    /// or knows better by now.
    pub(crate) fn put_back(
        &self,
        key: &KeyBuffer,
        answer: Answer,
        (fresh, usable): (Duration, Duration),
        policy: &Policy,
        now: Moment,
    ) -> bool {
        let class = if answer.is_negative() { Class::Denial } else { Class::Success };
        let own = if class == Class::Success { &policy.success } else { &policy.denial };
        let life = fresh.min(Duration::from_secs(own.ttl_max.into()));
        let stale = usable.saturating_sub(fresh).min(policy.stale.max);
        let nothing = life.saturating_add(stale).is_zero();
        if nothing || !policy.covers(key.name()) || !own.takes(key.name()) {
            return false;
        }
        let pin = self.answers.pin();
        if pin.get(key.as_bytes()).is_some() {
            return false;
        }
        self.put(key, (answer, class, life, stale), (Source::Store, Decided::NoSearch), policy, now);
        if let Some(entry) = pin.get(key.as_bytes()) {
            entry.mark_kept();
        }
        true
    }

    /// How many answers of a class a block has; failures count as denials.
    pub fn entries(&self, block: BlockId, class: Class) -> usize {
        self.rooms().live(block, class)
    }

    /// Removes what can no longer be served. To be called about once a minute, off the hit path: it looks at every entry.
    pub fn sweep(&self, now: Moment) {
        self.remove(|_, entry| !entry.is_usable(now));
    }

    /// Removes what is known of these names and was stored before that moment, and everything that rests on them. To be called
    /// off the hit path: it looks at every entry.
    pub fn forget(&self, names: &[Name], before: Moment) {
        self.remove(|key, entry| forget::rests_on(names, before, key, entry));
    }

    /// Names in these zones can be asked for again: memorised failures and what a plugin made in place of an answer go, and
    /// stale answers are asked for anew at the next question. It looks at every entry.
    pub fn forgive(&self, zones: &[Name]) {
        let of_plugin = |entry: &Entry| matches!(self.sources.of(entry.source()), Source::Plugin(_));
        self.remove(|key, entry| {
            let concerned = forget::concerns(zones, key);
            if concerned {
                entry.forgive();
            }
            concerned && (entry.class() == Class::Failure || of_plugin(entry))
        });
    }

    /// Removes everything of a block whose answers are no longer true, or that is no longer there.
    pub fn purge(&self, block: BlockId) {
        self.remove(|key, _| block_of(key) == block);
        self.rooms().forget(block);
    }

    #[cfg(test)]
    pub(crate) fn queued(&self, block: BlockId, class: Class) -> usize {
        self.rooms().queued(block, class)
    }

    /// Removes what is `gone`, a share at a time.
    fn remove(&self, gone: impl Fn(&[u8], &Entry) -> bool) {
        let pin = self.answers.pin();
        let keys: Vec<_> = pin.iter().filter(|(key, entry)| gone(key, entry)).map(|(key, _)| Arc::clone(key)).collect();
        for share in keys.chunks(REMOVED_AT_ONCE) {
            let mut rooms = self.rooms();
            for key in share {
                rooms.remove_if(&self.answers, key, |entry| gone(key, entry));
            }
            self.publish(&rooms);
        }
        self.rooms().tidy(&self.answers);
    }

    /// Stores an entry: answer, class, fresh life, stale life; who said so, and for which candidate of a search.
    fn put(
        &self,
        key: &KeyBuffer,
        (answer, class, life, stale): (Answer, Class, Duration, Duration),
        (source, decided): (Source, Decided),
        policy: &Policy,
        now: Moment,
    ) {
        let capacity = if class == Class::Success { policy.success.capacity } else { policy.denial.capacity };
        let source = self.sources.number(source);
        let mut rooms = self.rooms();
        let prefetches = Arc::clone(&rooms.of(key.block(), &self.metrics, BlockLabels::default).prefetches);
        let entry = Entry::new(Draft { answer, prefetches, source, decided, class, life, stale }, now);
        if let Some(old) = self.answers.pin().get(key.as_bytes()) {
            entry.inherit(old, policy.prefetch, now);
        }
        rooms.put(&self.answers, key.as_bytes(), entry, capacity, self.bound());
        self.publish(&rooms);
    }

    /// A search that was walked while the centre fails rests on proofs past their end, but on an outside answer of this
    /// moment: it takes the place of the older one, past its end from the start, and goes when that would have gone.
    fn put_expired(
        &self,
        key: &KeyBuffer,
        reply: &Reply,
        old: &Entry,
        (wait, policy): (Duration, &Policy),
        now: Moment,
    ) {
        if reply.answer.is_truncated() {
            return;
        }
        let class = if reply.answer.is_negative() { Class::Denial } else { Class::Success };
        let what = (Answer::clone(&reply.answer), class, Duration::ZERO, old.usable_for(now));
        self.put(key, what, (reply.source, reply.decided), policy, now);
        if let Some(entry) = self.answers.pin().get(key.as_bytes()) {
            entry.leave_upstream_alone(wait, now);
        }
    }

    /// Memorises a failure for so long. Who said so; the store itself where nobody replied.
    fn memorise_failure(
        &self,
        key: &KeyBuffer,
        text: String,
        (life, source): (Duration, Source),
        policy: &Policy,
        now: Moment,
    ) {
        if life.is_zero() || !policy.denial.takes(key.name()) {
            return;
        }
        let name = Name::from_wire(key.name()).expect("a key's name was parsed");
        let answer =
            Answer::empty(&name, key.rtype(), key.class(), Rcode::SERVFAIL).with_ede(Ede::new(ede::CACHED_ERROR, text));
        let what = (answer, Class::Failure, life, Duration::ZERO);
        self.put(key, what, (source, Decided::NoSearch), policy, now);
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, rooms: &Rooms) {
        self.octets.set(i64::try_from(rooms.octets()).unwrap_or(i64::MAX));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.answers.len()).field("bytes", &self.bytes()).finish()
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

/// What a reply that is a failure says of itself, so that a repeated question is told the same.
fn what_failed(reply: &Reply) -> String {
    let told = reply.ede.as_ref().or(reply.answer.ede()).map(|ede| &*ede.text).filter(|text| !text.is_empty());
    match told {
        Some(text) => text[..text.floor_char_boundary(EDE_TEXT_MAX)].to_owned(),
        None => format!("upstream said {}", reply.answer.rcode()),
    }
}
