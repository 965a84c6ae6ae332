//! The work after changes: names are looked at again and again, and memory forgets what their zone no longer shows.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use contract::limits::PURSUIT_QUESTIONS_MAX;
use contract::wire::{Name, RecordType};
use contract::{Blocks, Changes, Clock, Moment, Published};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::changed::{Changed, before_and_since};
use super::counts::Counts;
use super::forgetting::Forgetting;
use super::linked::Linked;
use super::look::{is_remembered, look};
use super::pursuit::{Look, Next};
use super::pursuits::{Due, Pursuits, is_wildcard};
use super::said::Said;

/// So many names are dealt with before other work of the thread has its turn.
const SHARE: usize = 64;

/// What the work stands on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) published: &'a Published,
    pub(super) blocks: &'a Arc<dyn Blocks>,
    pub(super) clock: &'a dyn Clock,
    pub(super) counts: &'a Counts,
    pub(super) linked: &'a Linked,
}

impl Ground<'_> {
    /// True if somebody here has asked for one of these types of it, or for a name whose answer rests on it.
    fn is_asked_for(&self, name: &Name, types: &[RecordType]) -> bool {
        self.linked.has(name) || is_remembered(self.blocks.as_ref(), self.clock, name, types)
    }
}

/// Pursues every name that changes after this moment, until it is dropped, and those that had changed shortly before: whoever
/// pursued them went with the configuration of then.
pub(super) async fn chase(ground: Ground<'_>, since: Moment) {
    let mut versions = ground.published.versions();
    let mut chase = Chase::new(ground, since);
    let mut looks = FuturesUnordered::new();
    loop {
        // not held while changes are read: whoever publishes has those locked, and waits for this
        let latest = *versions.borrow_and_update();
        chase.take_changes(latest);
        while let Some(name) = chase.next_look(PURSUIT_QUESTIONS_MAX - looks.len()) {
            let types = Said::of(ground.published, &name, ground.clock.now()).types();
            let is_linked = ground.linked.has(&name);
            looks.push(look(ground.blocks.as_ref(), ground.clock, name, types, is_linked));
        }
        chase.forgetting.start(ground.blocks);
        let (is_busy, next) = (chase.is_busy(), chase.pursuits.next_due());
        let timer = async {
            match next {
                _ if is_busy => tokio::task::yield_now().await,
                Some(at) => tokio::time::sleep(at.since(ground.clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((name, look)) = looks.next() => chase.judge(&name, &look),
            () = chase.forgetting.done() => {}
            Ok(()) = versions.changed() => {}
            // without a free place for a look, what is due waits for one
            () = timer, if is_busy || looks.len() < PURSUIT_QUESTIONS_MAX => {}
        }
    }
}

/// The state of the work but for the questions under way.
struct Chase<'a> {
    ground: Ground<'a>,
    version: u64,
    /// Changed names that were not looked into yet.
    changed: VecDeque<Changed>,
    pursuits: Pursuits,
    forgetting: Forgetting,
    jitter: RandomState,
    /// What is due was left for later, so that others have their turn.
    is_left: bool,
}

impl<'a> Chase<'a> {
    fn new(ground: Ground<'a>, since: Moment) -> Self {
        let (pursuits, forgetting, jitter) = (Pursuits::new(), Forgetting::default(), RandomState::new());
        let (version, changed) = before_and_since(ground.published, since);
        Self { ground, version, changed, pursuits, forgetting, jitter, is_left: false }
    }

    fn is_busy(&self) -> bool {
        !self.changed.is_empty() || self.is_left
    }

    /// Looks into a share of what has changed up to this version.
    fn take_changes(&mut self, latest: u64) {
        let Ground { published, clock, .. } = self.ground;
        if latest != self.version {
            let (version, changes) = published.changes_since(self.version);
            self.version = version;
            match changes {
                // what is still to be looked into is among them
                Changes::Any => self.changed = published.names().into_iter().map(Changed::perhaps).collect(),
                Changes::Names(names) => self.changed.extend(names.into_iter().map(Changed::now)),
            }
        }
        let now = clock.now();
        for _ in 0..SHARE {
            let Some(changed) = self.changed.pop_front() else { return };
            self.take_change(changed, now);
        }
    }

    fn take_change(&mut self, changed: Changed, now: Moment) {
        let Changed { name, is_certain, is_counted } = changed;
        let Ground { published, counts, .. } = self.ground;
        if self.pursuits.changed_again(&name, now) {
            counts.changes.add(is_counted.into());
            return;
        }
        let types = Said::of(published, &name, now).types();
        let is_asked_for = is_wildcard(&name) || self.ground.is_asked_for(&name, &types);
        let fits = match (is_asked_for, is_certain) {
            (true, _) => self.pursuits.found(name, now),
            (false, true) => self.pursuits.sleep(name, types, now),
            (false, false) => return,
        };
        counts.changes.add(is_counted.into());
        if !fits {
            counts.unseen.increment();
        }
    }

    /// The next name to look at, if there is a place for it.
    fn next_look(&mut self, places: usize) -> Option<Name> {
        let now = self.ground.clock.now();
        self.is_left = false;
        if places == 0 {
            return None;
        }
        for _ in 0..SHARE {
            match self.pursuits.take_due(now)? {
                Due::Look(name) => return Some(name),
                Due::Dormant(name, types) => match self.ground.is_asked_for(&name, &types) {
                    true => {
                        self.pursuits.found(name, now);
                    }
                    false => self.pursuits.sleep_on(name, now),
                },
            }
        }
        self.is_left = true;
        None
    }

    /// Draws the consequences of a look.
    fn judge(&mut self, name: &Name, look: &Look) {
        let Ground { published, clock, counts, .. } = self.ground;
        let now = clock.now();
        let said = Said::of(published, name, now);
        let jitter = self.jitter.hash_one((name, now));
        let verdict = self.pursuits.judged(name, now, |pursuit| pursuit.judge(look, &said, now, jitter));
        if verdict.forget {
            self.forgetting.add(name, look.began);
        }
        if verdict.newly_seen {
            counts.seen.increment();
        }
        if verdict.next == Next::End(true) {
            counts.unseen.increment();
            tracing::debug!(
                "privatezone: {name} was not seen in its zone as objects say, and is not waited for any longer"
            );
        }
    }
}
