//! The way into the server blocks: for the front door, and for plugins that ask for another name.
//!
//! ```text
//!   Query --find--> Block --verdict--> Store --Fresh--> Reply
//!                                        |--Stale, serve at once--> Reply, and a refresh beside it
//!                                        '--Miss--> Flights --Lead--> chain --> Store --> every waiter
//!                                                     '--Wait--> fresh, or stale after STALE_AFTER
//! ```

use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cache::{Entry, KeyBuffer, Lookup, Policy};
use contract::limits::{CHAIN_WITHIN, MISSES_MAX, REENTRIES_MAX};
use contract::told;
use contract::wire::{Name, Rcode};
use contract::{
    Answer, Blocks, Bound, Boxed, Failure, Moment, Next, Plugin, Query, Recalled, Remembered, Reply, Scope, Served,
    Source, Verdict, What,
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::ahead::Asking;
use super::block::Block;
use super::flights::{Seat, Voyage};
use super::handle::Handle;
use super::waiting::Aged;
use super::zones::{Zones, key_of};

/// The way into the blocks, for the front door and for plugins that ask for another name.
#[derive(Clone)]
pub struct Entrance(pub Arc<Zones>);

impl Blocks for Entrance {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(self.enter_anew(query, Asking::AsUsual))
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        let block = self.0.find_for(query)?;
        let policy = block.store.as_ref()?;
        if block.is_ahead(query) || block.verdict(&query.client, query.name.as_wire(), query.rtype) != Verdict::Allow {
            return None;
        }
        let now = self.0.shared.clock.now();
        self.0.shared.store.read().peek(&key_of(block, query), policy, now).map(Ok)
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            match self.0.find_for(&query).cloned() {
                Some(block) => match self.enter(block, query, Asking::Anew).await {
                    Err(Failure::Silent) => Err(Failure::Prohibited),
                    served => served,
                },
                None => Err(Failure::NoBlock { name: query.name.to_string() }),
            }
        })
    }

    fn remembered(&self, query: &Query) -> Option<Remembered> {
        let block = self.0.find_for(query)?;
        let policy = block.store.as_ref()?;
        self.0.shared.store.remembered(&key_of(block, query), policy, self.0.shared.clock.now())
    }

    fn renew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            match self.0.find_for(&query) {
                Some(block) if block.is_ahead(&query) => self.enter(Arc::clone(block), query, Asking::Anew).await,
                Some(block) => self.ask(block, &query, Some(&key_of(block, &query))).await,
                None => Err(Failure::NoBlock { name: query.name.to_string() }),
            }
        })
    }

    fn forget(&self, names: &[Name], before: Moment) {
        self.0.shared.store.forget(names, before);
    }

    fn forgive(&self, zones: &[Name]) {
        self.0.shared.store.forgive(zones);
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        // where no block has several zones, names with the longest one in common have the shortest in common too, which is DS's
        match (self.0.around(one.as_wire()).next(), self.0.around(other.as_wire()).next()) {
            // with views it depends on the question
            (Some(_), Some(_)) if self.0.has_views && one != other => false,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        Some(Arc::new(Handle::new(&self.0)))
    }
}

/// The reply of acl's `filter`: NOERROR without records, with EDE 17.
pub fn filtered(query: &Query) -> Reply {
    let answer = Answer::empty(&query.name, query.rtype, query.class, Rcode::NOERROR).with_ede(told::FILTERED.plain());
    Reply::fresh(answer, Source::Plugin("acl")).unstored()
}

impl Entrance {
    /// Answers a question that a plugin has, as if the client had asked it.
    pub(super) async fn enter_anew(&self, query: Query, asking: Asking) -> Served {
        if query.reentries > REENTRIES_MAX {
            return Err(Bound::Reentries.reached());
        }
        let Some(block) = self.0.find_for(&query) else {
            return Err(Failure::NoBlock { name: query.name.to_string() });
        };
        query.tell(|| What::Block { zones: block.label() });
        let personal = query.chased.is_some() && (!block.gates.is_empty() || self.0.walks_are_closed());
        match self.enter(Arc::clone(block), query, asking).await {
            // whoever asked for this name to answer another is to be answered
            Err(Failure::Silent) => Err(Failure::Prohibited),
            served => served.map(|reply| Reply { personal: reply.personal || personal, ..reply }),
        }
    }

    /// Answers from a block whose gates have spoken.
    pub async fn answer(&self, block: Arc<Block>, query: Query) -> Served {
        let shared = &self.0.shared;
        let open = block.store.is_some()
            && self.0.walk_is_open(&block, query.scope, &query.client, query.name.as_wire(), query.rtype);
        let key = key_of(&block, &query);
        let stale = match block.store.as_ref().filter(|_| open) {
            Some(policy) => match self.recall(&block, &query, &key, policy) {
                ControlFlow::Break(served) => return served,
                ControlFlow::Continue(stale) => stale,
            },
            None => None,
        };
        let shareable = match query.scope {
            Scope::Shared => block.coalesce,
            Scope::Search(_) => block.coalesce_walks && !self.0.walks_are_closed(),
        };
        if !shareable || block.store.is_some() && !open {
            // boxed, as its state would make every question that is shared as large
            return Box::pin(self.ask(&block, &query, None)).await;
        }
        let aged =
            stale.map(|reply| Aged { reply, block: Arc::clone(&block), key: key.clone(), arrived: query.arrived });
        match shared.flights.board(key.as_bytes()) {
            Seat::Wait(flight) => {
                shared.coalesced.increment();
                let begun = query.step_begins();
                let served = self.wait(self.landed(flight.landed(), &block, &query, &key), aged).await;
                query.tell_since(begun, || What::Coalesced);
                served
            }
            Seat::Lead(lead) => {
                let (entrance, is_candidate) = (self.clone(), query.reentries > 0);
                let asking = async move {
                    let served = entrance.ask(&block, &query, Some(&key)).await;
                    lead.land(&served);
                    served
                };
                let voyage = Voyage::new(asking, &shared.runtime);
                match is_candidate {
                    // a walk may look at its candidates one after the other, while clients wait for them all
                    true => self.wait(voyage.depart(), aged).await,
                    false => self.wait(voyage, aged).await,
                }
            }
        }
    }

    /// Starts a question that nobody waits for.
    pub fn refresh(&self, block: &Arc<Block>, query: &Query) {
        if self.0.shared.flights.len() >= MISSES_MAX || self.0.shared.turnstile.is_narrow() {
            return; // who waits goes first; the claim runs out, and then somebody else may have it
        }
        let entrance = self.clone();
        let (block, query) = (Arc::clone(block), Query { refresh: true, story: None, ..query.clone() });
        self.0.shared.runtime.spawn(async move {
            let arrived = entrance.0.shared.clock.now();
            let _ = entrance.answer(block, Query { arrived, ..query }).await; // who asks next sees what was stored
        });
    }

    /// True if questions for the name pass this plugin.
    pub fn passes<P: Plugin>(&self, name: &Name, plugin: &P) -> bool {
        let same = |one: &Arc<dyn Plugin>| std::ptr::addr_eq(Arc::as_ptr(one), plugin);
        self.0.around(name.as_wire()).next().is_some_and(|block| block.chain.iter().any(same))
    }

    /// The zones that are answered for, longest first.
    pub fn zones(&self) -> impl Iterator<Item = &Name> {
        self.0.entries.iter().map(|(zone, _)| zone)
    }

    /// The blocks, each as often as it has zones.
    pub fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.0.blocks()
    }

    /// Asks the block of a name without store and without sharing the question, so that it is seen if it comes back.
    pub async fn probe(&self, query: Query) -> Served {
        match self.0.find_for(&query) {
            Some(block) => self.ask(block, &query, None).await,
            None => Err(Failure::NoBlock { name: query.name.to_string() }),
        }
    }

    /// What the store says, or goes on with what may be told where nobody answers in time.
    fn recall(
        &self,
        block: &Arc<Block>,
        query: &Query,
        key: &KeyBuffer,
        policy: &Policy,
    ) -> ControlFlow<Served, Option<Reply>> {
        let shared = &self.0.shared;
        let now = shared.clock.now();
        let tell = |entry: &Entry, state| query.tell(|| What::Remembered(shared.store.recall(entry, state, now)));
        match shared.store.read().lookup(key, policy, now) {
            Lookup::Fresh { entry, age, refresh } if !query.refresh || entry.is_in_first_half(now) => {
                if refresh && !query.refresh {
                    self.refresh(block, query);
                }
                tell(entry, Recalled::Fresh);
                ControlFlow::Break(Ok(entry.reply(age, now)))
            }
            Lookup::Stale { entry, serve_now: true, refresh } if !query.refresh => {
                if refresh {
                    self.refresh(block, query);
                }
                shared.stale.increment();
                tell(entry, Recalled::Stale);
                ControlFlow::Break(Ok(entry.reply(policy.stale_age(), now)))
            }
            Lookup::Stale { entry, .. } => {
                tell(entry, Recalled::Kept);
                ControlFlow::Continue(Some(entry.reply(policy.stale_age(), now)))
            }
            Lookup::Failed { entry, failure } if !query.refresh => {
                tell(entry, Recalled::Failed);
                ControlFlow::Break(Err(failure))
            }
            Lookup::Fresh { .. } | Lookup::Failed { .. } | Lookup::Miss => ControlFlow::Continue(None),
        }
    }

    /// Waits for a chain within the bound. A panic of it is this query's alone.
    pub(super) async fn guarded(&self, chain: impl Future<Output = Served>) -> Served {
        match timeout(CHAIN_WITHIN, AssertUnwindSafe(chain).catch_unwind()).await {
            Ok(Ok(served)) => served,
            Ok(Err(_)) => {
                self.0.shared.panics.increment();
                Err(Failure::Panicked)
            }
            Err(_) => Err(Failure::TooLate { waited: CHAIN_WITHIN }),
        }
    }

    /// Asks the chain and memorises what it says. A panic of the chain is this query's alone.
    pub(super) async fn ask(&self, block: &Block, query: &Query, key: Option<&KeyBuffer>) -> Served {
        let shared = &self.0.shared;
        let served = self.guarded(async { Next::new(block.chain_for(query), self).serve(query).await }).await;
        if matches!(served, Err(Failure::Panicked | Failure::Silent)) {
            return served;
        }
        if served.is_ok() && !shared.heard.load(Ordering::Relaxed) {
            shared.heard.store(true, Ordering::Relaxed);
        }
        let Some(policy) = block.store.as_ref().filter(|_| block.is_own_answer(query)) else { return served };
        let Some(key) = key else { return served.map(|reply| policy.bounded(query.name.as_wire(), reply)) };
        let now = shared.clock.now();
        match served {
            Ok(reply) => Ok(shared.store.insert(key, reply, policy, now)),
            // behind a CNAME a chain may be too long that is not by itself
            Err(failure) if query.chased.is_some() && matches!(failure, Failure::CnameTooLong { .. }) => Err(failure),
            // nobody waits for it, and it says nothing of upstream
            Err(failure) if query.refresh && matches!(failure, Failure::Bound { .. }) => Err(failure),
            Err(failure) => {
                shared.store.failed(key, &failure, policy, now);
                Err(failure)
            }
        }
    }
}
