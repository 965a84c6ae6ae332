//! The server blocks of a listener, which of them a question is for, and what all listeners share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cache::{KeyBuffer, Store};
use contract::metrics::{Counter, Metrics};
use contract::wire::{Class, Flags, NAME_MAX, Name, RecordType};
use contract::{Bound, Client, Clock, Cluster, Failure, Looked, Query, Scope, SearchList, SearchLists, Shelf, Verdict};

use super::ahead::AheadOf;
use super::block::Block;
use super::chaos::Presence;
use super::flights::{Flights, Turnstile};
use super::tally::{Places, Tally};
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
    pub(super) entries: Box<[(Name, Arc<Block>)]>,
    pub(super) shared: Arc<Shared>,
    /// Counts of queries that enter no block.
    pub(super) outside: Arc<Tally>,
    /// For whom memorised walks hold.
    walks: Walks,
    /// True if any block has a view.
    pub(super) has_views: bool,
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
    /// whose view is for the question the first as written. Views look at the rest of the question, if there are any. A question
    /// for DS enters the block of the shortest zone below the root: DS stands in the parent's zone (RFC 4035 3.1.4.1).
    #[inline]
    pub fn find<'q>(&self, name: &[u8], rtype: RecordType, looked: impl FnOnce() -> Looked<'q>) -> Option<&Arc<Block>> {
        match self.has_views || rtype == RecordType::DS {
            false => self.around(name).next(),
            true => self.find_seen(name, &looked()),
        }
    }

    #[inline(never)]
    fn find_seen(&self, name: &[u8], looked: &Looked<'_>) -> Option<&Arc<Block>> {
        let is_for = |block: &Arc<Block>| block.view.as_ref().is_none_or(|view| view.selects(looked));
        match looked.rtype {
            RecordType::DS => self.find_parent(name, is_for),
            _ => self.around(name).find(|block| is_for(block)),
        }
    }

    /// The block for a question for DS, as CoreDNS finds it: who serves the parent as well is to be asked as the parent. It is not
    /// known between which of the zones names are delegated, so that of the shortest zone is taken, and of its views the last as
    /// written; that of the root only where there is no other. A block with nothing to answer with fails what is below it.
    fn find_parent(&self, name: &[u8], is_for: impl Fn(&Arc<Block>) -> bool) -> Option<&Arc<Block>> {
        let mut found = None;
        for (zone, block) in self.enclosing(name) {
            if zone.is_root() && name.len() > 1 {
                match found {
                    None if is_for(block) => return Some(block),
                    None => continue,
                    Some(_) => break,
                }
            }
            if block.view.is_none() && block.chain.is_empty() {
                return Some(block);
            }
            found = Some(block).filter(|block| is_for(block)).or(found);
        }
        found
    }

    /// True if somebody looks at the EDNS options that clients send.
    pub fn read_options(&self) -> bool {
        self.reads_options
    }

    /// The block for an owned question.
    pub fn find_for(&self, query: &Query) -> Option<&Arc<Block>> {
        self.find(query.name.as_wire(), query.rtype, || looked(query))
    }

    /// The block for a question that a client might ask.
    pub fn find_as(&self, client: &Client, name: &[u8], rtype: RecordType) -> Option<&Arc<Block>> {
        let header = (0, Flags::RD);
        self.find(name, rtype, || Looked { client, name, rtype, class: Class::IN, edns: None, header, size: 0 })
    }

    /// The blocks whose zones enclose a name, the longest zone first.
    #[inline]
    pub fn around(&self, name: &[u8]) -> impl Iterator<Item = &Arc<Block>> {
        self.enclosing(name).map(|(_, block)| block)
    }

    #[inline]
    fn enclosing(&self, name: &[u8]) -> impl Iterator<Item = &(Name, Arc<Block>)> {
        self.entries.iter().filter(move |(zone, _)| Name::strip(name, zone.as_wire()).is_some())
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
            let is_touched = || {
                let sees = |ahead: &AheadOf| ahead.always(client, rtype) || ahead.touches(candidate, rtype, Class::IN);
                block.ahead.as_ref().is_some_and(sees)
            };
            block.verdict(client, candidate, rtype) == Verdict::Allow && !is_touched()
        })
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

#[cfg(test)]
mod tests;
