//! The server blocks of a listener: the longest zone, its gates, the store, one question for many askers, the chain.
//!
//! ```text
//!   Query --find--> Block --verdict--> Store --Fresh--> Reply
//!                                        |--Stale, serve at once--> Reply, and a refresh beside it
//!                                        '--Miss--> Flights --Lead--> chain --> Store --> every waiter
//!                                                     '--Wait--> fresh, or stale after STALE_AFTER
//! ```

use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cache::{Entry, KeyBuffer, Lookup, Policy, Store};
use contract::limits::{CHAIN_WITHIN, MISSES_MAX, REENTRIES_MAX};
use contract::metrics::{Counter, Metrics};
use contract::told;
use contract::wire::{NAME_MAX, Name, Rcode, RecordType};
use contract::{
    Answer, Blocks, Bound, Boxed, Client, Clock, Cluster, Failure, Moment, Next, Plugin, Query, Recalled, Remembered,
    Reply, Scope, SearchList, SearchLists, Served, Shelf, Source, Verdict, What,
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::block::Block;
use super::chaos::Presence;
use super::flights::{Flights, Seat, Turnstile, Voyage};
use super::handle::Handle;
use super::tally::{Places, Tally};
use super::waiting::Aged;
use crate::see::tap::Taps;

/// What all listeners share. Outlives a reload.
pub struct Shared {
    /// The answer store.
    pub store: Store,
    /// Questions under way.
    pub flights: Arc<Flights>,
    /// Misses under way.
    pub turnstile: Arc<Turnstile>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where desks count.
    pub places: Arc<Places>,
    /// Where plugins keep what should be known after a restart.
    pub state_dir: Option<PathBuf>,
    /// Search lists and their numbers.
    pub lists: Arc<SearchLists>,
    /// What is watched of the Kubernetes cluster.
    pub cluster: Arc<dyn Cluster>,
    /// What plugins keep over a reload.
    pub shelf: Arc<Shelf>,
    /// Where misses run.
    pub runtime: tokio::runtime::Handle,
    /// What `hostname.bind`, `id.server` and NSID say.
    pub node_name: String,
    /// Which process this is.
    pub presence: Presence,
    /// True if clients are told of themselves in class CHAOS.
    pub dig_explain: bool,
    /// Who looks on.
    pub taps: Arc<Taps>,
    /// True once a question was answered by the chain of a block: an upstream can be reached.
    pub heard: AtomicBool,
    /// Askers that waited for somebody else's question.
    pub coalesced: Arc<Counter>,
    /// Replies past their end.
    pub stale: Arc<Counter>,
    /// Panics in the chain.
    pub panics: Arc<Counter>,
    /// Refusals by bound, in the order of [`Bound::ALL`].
    pub bounds: [Arc<Counter>; Bound::ALL.len()],
}

impl Shared {
    /// Counts a failure that tells of one of our own bounds.
    pub fn count(&self, failure: &Failure) {
        if let Failure::Bound { bound, .. } = failure {
            let index = Bound::ALL.iter().position(|one| one == bound).expect("ALL has every bound");
            self.bounds[index].increment();
        }
    }
}

/// The server blocks of one listener.
pub struct Zones {
    /// Every zone with its block, longest first.
    entries: Box<[(Name, Arc<Block>)]>,
    shared: Arc<Shared>,
    /// Counts of queries that enter no block.
    pub(super) outside: Arc<Tally>,
    /// True if any block has a gate: then the names behind AutoPath's answers are judged on hits too.
    gated: bool,
}

/// The way into the blocks, for the front door and for plugins that ask for another name.
#[derive(Clone)]
pub struct Entrance(pub Arc<Zones>);

impl Zones {
    /// Puts the blocks of a listener in order.
    pub fn new(blocks: &[Arc<Block>], shared: Arc<Shared>) -> Self {
        let mut entries: Vec<_> =
            blocks.iter().flat_map(|block| block.zones.iter().map(|zone| (zone.clone(), Arc::clone(block)))).collect();
        entries.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.label_count()));
        let gated = blocks.iter().any(|block| !block.gates.is_empty());
        Self { entries: entries.into(), shared, outside: Arc::default(), gated }
    }

    /// Counts queries that enter no block there.
    #[must_use]
    pub fn counting_outside(mut self, tally: Arc<Tally>) -> Self {
        self.outside = tally;
        self
    }

    /// The block of the longest zone that encloses a name (wire form, lower case).
    pub fn find(&self, name: &[u8]) -> Option<&Arc<Block>> {
        self.entries.iter().find(|(zone, _)| Name::strip(name, zone.as_wire()).is_some()).map(|(_, block)| block)
    }

    /// The blocks, each as often as it has zones.
    pub fn blocks(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.entries.iter().map(|(_, block)| block)
    }

    /// What all listeners share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// True if a memorised walk may be used for this client: no gate stands in the way of any of its candidates.
    #[inline]
    pub fn walk_is_open(&self, block: &Block, scope: Scope, client: &Client, name: &[u8], rtype: RecordType) -> bool {
        match scope {
            Scope::Search(id) if self.gated => {
                block.list(id).is_some_and(|list| self.gates_let_pass(&list, client, name, rtype))
            }
            Scope::Search(_) | Scope::Shared => true,
        }
    }

    /// What the gates of all blocks say of the candidates of a search.
    #[inline(never)]
    pub(super) fn gates_let_pass(&self, list: &SearchList, client: &Client, name: &[u8], rtype: RecordType) -> bool {
        let Some(rest) = list.domains.first().and_then(|first| Name::strip(name, first.as_wire())) else {
            return false;
        };
        let root: &[u8] = &[0];
        let mut candidate = [0; NAME_MAX];
        list.domains.iter().map(Name::as_wire).chain([root]).all(|domain| {
            let length = rest.len() + domain.len();
            let Some(candidate) = candidate.get_mut(..length) else { return true }; // such a name is passed over
            candidate[..rest.len()].copy_from_slice(rest);
            candidate[rest.len()..].copy_from_slice(domain);
            let verdict = self.find(candidate).map(|block| block.verdict(client, candidate, rtype));
            verdict.is_none_or(|verdict| verdict == Verdict::Allow)
        })
    }
}

impl Blocks for Entrance {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            if query.reentries > REENTRIES_MAX {
                return Err(Bound::Reentries.reached());
            }
            let Some(block) = self.0.find(query.name.as_wire()) else {
                return Err(Failure::NoBlock { name: query.name.to_string() });
            };
            query.tell(|| What::Block { zones: block.label() });
            let personal = query.chased.is_some() && !block.gates.is_empty();
            let served = match block.verdict(&query.client, query.name.as_wire(), query.rtype) {
                Verdict::Allow => self.answer(Arc::clone(block), query).await,
                verdict @ (Verdict::Block | Verdict::Drop) => {
                    query.tell(|| What::Gate { verdict });
                    Err(Failure::Prohibited)
                }
                verdict @ Verdict::Filter => {
                    query.tell(|| What::Gate { verdict });
                    Ok(filtered(&query))
                }
            };
            served.map(|reply| Reply { personal: reply.personal || personal, ..reply })
        })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        let block = self.0.find(query.name.as_wire())?;
        let policy = block.store.as_ref()?;
        if block.verdict(&query.client, query.name.as_wire(), query.rtype) != Verdict::Allow {
            return None;
        }
        let now = self.0.shared.clock.now();
        self.0.shared.store.read().peek(&key_of(block, query), policy, now).map(Ok)
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            let block = self.0.find(query.name.as_wire());
            let verdict = block.map(|block| block.verdict(&query.client, query.name.as_wire(), query.rtype));
            match verdict {
                Some(Verdict::Filter) => Ok(filtered(&query)),
                Some(Verdict::Block | Verdict::Drop) => Err(Failure::Prohibited),
                Some(Verdict::Allow) | None => self.probe(query).await,
            }
        })
    }

    fn remembered(&self, query: &Query) -> Option<Remembered> {
        let block = self.0.find(query.name.as_wire())?;
        let policy = block.store.as_ref()?;
        self.0.shared.store.remembered(&key_of(block, query), policy, self.0.shared.clock.now())
    }

    fn renew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            match self.0.find(query.name.as_wire()) {
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
        match (self.0.find(one.as_wire()), self.0.find(other.as_wire())) {
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
        let shareable = if query.scope == Scope::Shared { block.coalesce } else { block.coalesce_walks };
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
        self.0.find(name.as_wire()).is_some_and(|block| block.chain.iter().any(same))
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
        match self.0.find(query.name.as_wire()) {
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

    /// Asks the chain and memorises what it says. A panic of the chain is this query's alone.
    pub(super) async fn ask(&self, block: &Block, query: &Query, key: Option<&KeyBuffer>) -> Served {
        let shared = &self.0.shared;
        let chain = AssertUnwindSafe(async { Next::new(&block.chain, self).serve(query).await }).catch_unwind();
        let served = match timeout(CHAIN_WITHIN, chain).await {
            Ok(Ok(served)) => served,
            Ok(Err(_)) => {
                shared.panics.increment();
                return Err(Failure::Panicked);
            }
            Err(_) => Err(Failure::TooLate { waited: CHAIN_WITHIN }),
        };
        if served.is_ok() && !shared.heard.load(Ordering::Relaxed) {
            shared.heard.store(true, Ordering::Relaxed);
        }
        let (Some(policy), Some(key)) = (&block.store, key) else { return served };
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

/// The store key of a question.
pub fn key_of(block: &Block, query: &Query) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    key.set_name(query.name.as_wire());
    let id = block.id_for(query.scope);
    key.set(id, query.scope, query.rtype, query.class, query.dnssec_ok, query.checking_disabled);
    key
}
