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
use contract::wire::{Class, Flags, NAME_MAX, Name, Rcode, RecordType};
use contract::{
    Answer, Blocks, Bound, Boxed, Client, Clock, Cluster, Failure, Looked, Moment, Next, Plugin, Query, Recalled,
    Remembered, Reply, Scope, SearchList, SearchLists, Served, Shelf, Source, Verdict, What,
};
use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::ahead::{AheadOf, Asking};
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
    /// For whom memorised walks hold.
    walks: Walks,
    /// True if any block has a view.
    has_views: bool,
    /// True if any block looks at the EDNS options that clients send: a question may come there by another block.
    reads_options: bool,
}

/// For whom memorised walks of AutoPath hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walks {
    /// For everybody with the same list.
    Open,
    /// For those whom no gate forbids a candidate.
    Gated,
    /// For nobody else: what a candidate comes to depends on who asks.
    Closed,
}

impl Walks {
    fn among(blocks: &[Arc<Block>]) -> Self {
        let is_personal = |block: &Arc<Block>| {
            block.ahead.as_ref().is_some_and(AheadOf::is_personal)
                || block.view.as_ref().is_some_and(|view| view.is_personal())
        };
        match blocks {
            _ if blocks.iter().any(is_personal) => Self::Closed,
            _ if blocks.iter().any(|block| !block.gates.is_empty()) => Self::Gated,
            _ => Self::Open,
        }
    }
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
        let reads_options = blocks.iter().any(|block| block.reads_options);
        let has_views = blocks.iter().any(|block| block.view.is_some());
        Self {
            entries: entries.into(),
            shared,
            outside: Arc::default(),
            walks: Walks::among(blocks),
            has_views,
            reads_options,
        }
    }

    /// Counts queries that enter no block there.
    #[must_use]
    pub fn counting_outside(mut self, tally: Arc<Tally>) -> Self {
        self.outside = tally;
        self
    }

    /// The block for a question about a name (wire form, lower case): that of the longest zone that encloses it, among those
    /// whose view is for the question the first as written. Views look at the rest of the question, if there are any.
    #[inline]
    pub fn find<'q>(&self, name: &[u8], looked: impl FnOnce() -> Looked<'q>) -> Option<&Arc<Block>> {
        match self.has_views {
            false => self.around(name).next(),
            true => self.find_seen(name, &looked()),
        }
    }

    #[inline(never)]
    fn find_seen(&self, name: &[u8], looked: &Looked<'_>) -> Option<&Arc<Block>> {
        self.around(name).find(|block| block.view.as_ref().is_none_or(|view| view.selects(looked)))
    }

    /// True if somebody looks at the EDNS options that clients send.
    pub fn read_options(&self) -> bool {
        self.reads_options
    }

    /// The block for an owned question.
    pub fn find_for(&self, query: &Query) -> Option<&Arc<Block>> {
        self.find(query.name.as_wire(), || looked(query))
    }

    /// The block for a question that a client might ask.
    pub fn find_as(&self, client: &Client, name: &[u8], rtype: RecordType) -> Option<&Arc<Block>> {
        let header = (0, Flags::RD);
        self.find(name, || Looked { client, name, rtype, class: Class::IN, edns: None, header, size: 0 })
    }

    /// The blocks whose zones enclose a name, the longest zone first.
    #[inline]
    pub fn around(&self, name: &[u8]) -> impl Iterator<Item = &Arc<Block>> {
        self.entries.iter().filter(move |(zone, _)| Name::strip(name, zone.as_wire()).is_some()).map(|(_, block)| block)
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
            Scope::Search(id) if self.walks == Walks::Gated => {
                block.list(id).is_some_and(|list| self.gates_let_pass(&list, client, name, rtype))
            }
            Scope::Search(_) => self.walks == Walks::Open,
            Scope::Shared => true,
        }
    }

    /// True if who asks may change what a walk comes to, so that each asks for itself.
    pub(super) fn walks_are_closed(&self) -> bool {
        self.walks == Walks::Closed
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
            let Some(block) = self.find_as(client, candidate, rtype) else { return true };
            // gates judge what a rule makes of a candidate: that is found by walking
            let is_touched = || block.ahead.as_ref().is_some_and(|ahead| ahead.touches(candidate, rtype, Class::IN));
            block.verdict(client, candidate, rtype) == Verdict::Allow && !is_touched()
        })
    }
}

impl Blocks for Entrance {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            if query.reentries > REENTRIES_MAX {
                return Err(Bound::Reentries.reached());
            }
            let Some(block) = self.0.find_for(&query) else {
                return Err(Failure::NoBlock { name: query.name.to_string() });
            };
            query.tell(|| What::Block { zones: block.label() });
            let personal = query.chased.is_some() && (!block.gates.is_empty() || self.0.walks_are_closed());
            match self.enter(Arc::clone(block), query, Asking::AsUsual).await {
                // whoever asked for this name to answer another is to be answered
                Err(Failure::Silent) => Err(Failure::Prohibited),
                served => served.map(|reply| Reply { personal: reply.personal || personal, ..reply }),
            }
        })
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
        let (Some(policy), Some(key)) = (&block.store, key) else { return served };
        if !block.is_own_answer(query) {
            return served;
        }
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

/// A question as views look at it.
fn looked(query: &Query) -> Looked<'_> {
    Looked {
        client: &query.client,
        name: query.name.as_wire(),
        rtype: query.rtype,
        class: query.class,
        edns: query.edns,
        header: query.header,
        size: 0,
    }
}

/// The store key of a question.
pub fn key_of(block: &Block, query: &Query) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    key.set_name(query.name.as_wire());
    let id = block.id_of(query);
    key.set(id, query.scope, query.rtype, query.class, query.dnssec_ok, query.checking_disabled);
    key
}
