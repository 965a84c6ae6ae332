//! The way of questions that something ahead of memory concerns: through that part of the chain, then into gates, memory and the
//! rest with whatever question came out of it.

use std::sync::Arc;

use cache::{BlockId, Lookup};
use contract::wire::{Class, RecordType};
use contract::{
    Ahead, Blocks, Boxed, Client, Failure, Inside, Next, Past, Plugin, Query, Scope, Served, Verdict, What,
};

use super::block::Block;
use super::entrance::{Entrance, filtered};
use super::zones::key_of;

/// What of a block's chain stands ahead of memory.
pub struct AheadOf {
    /// How many plugins of the chain stand ahead of memory, whether or not they have a say there.
    count: usize,
    /// Where the chain of a search begins: what stands before AutoPath is for its candidates, each of which enters anew.
    search_from: usize,
    /// Those with a say.
    plugins: Box<[Arc<dyn Plugin>]>,
    /// Those of them that must see some questions even where memory knows an answer.
    first: Box<[Arc<dyn Plugin>]>,
    /// The block's number in store keys for questions that came out of them and that they would change again.
    pub own_id: Arc<BlockId>,
}

impl AheadOf {
    /// Of a chain whose first `count` plugins stand ahead of memory; `None` if none of them has a say there.
    pub fn new(chain: &[Arc<dyn Plugin>], count: usize, own_id: impl FnOnce() -> Arc<BlockId>) -> Option<Self> {
        let those = |has: fn(&dyn Ahead) -> bool| {
            let plugins = chain.iter().filter(|plugin| plugin.ahead().is_some_and(has));
            plugins.cloned().collect::<Box<[_]>>()
        };
        let search_from = chain.iter().position(|plugin| plugin.scoper().is_some()).unwrap_or_default();
        let (plugins, first) = (those(|_| true), those(|ahead| ahead.may_be_first()));
        (!plugins.is_empty()).then(|| Self { count, search_from, plugins, first, own_id: own_id() })
    }

    /// True if one of them must see the question before memory is asked.
    #[inline]
    pub fn always(&self, client: &Client, rtype: RecordType) -> bool {
        !self.first.is_empty() && self.is_first(client, rtype)
    }

    #[inline(never)]
    fn is_first(&self, client: &Client, rtype: RecordType) -> bool {
        self.first.iter().filter_map(|plugin| plugin.ahead()).any(|ahead| ahead.always(client, rtype))
    }

    /// True if one of them changes the question or its replies. `name` is in wire form and lower case.
    pub fn touches(&self, name: &[u8], rtype: RecordType, class: Class) -> bool {
        self.plugins.iter().filter_map(|plugin| plugin.ahead()).any(|ahead| ahead.touches(name, rtype, class))
    }

    /// True if what one of them does depends on who asks.
    pub fn is_personal(&self) -> bool {
        self.plugins.iter().filter_map(|plugin| plugin.ahead()).any(Ahead::is_personal)
    }
}

impl Block {
    /// True if something ahead of memory concerns the question. A search passes: each of its candidates is looked at.
    pub fn is_ahead(&self, query: &Query) -> bool {
        query.past == Past::Not
            && query.scope == Scope::Shared
            && self.ahead.as_ref().is_some_and(|ahead| {
                ahead.always(&query.client, query.rtype)
                    || ahead.touches(query.name.as_wire(), query.rtype, query.class)
            })
    }

    /// True if what comes of the question may be memorised under it: nothing ahead of memory changes it.
    pub fn is_own_answer(&self, query: &Query) -> bool {
        query.past != Past::Not
            || query.scope != Scope::Shared
            || self.ahead.as_ref().is_none_or(|ahead| !ahead.touches(query.name.as_wire(), query.rtype, query.class))
    }

    /// The part of the chain that a question has before it.
    pub fn chain_for(&self, query: &Query) -> &[Arc<dyn Plugin>] {
        match (&self.ahead, query.past, query.scope) {
            (Some(ahead), Past::Shared | Past::Own, _) => &self.chain[ahead.count..],
            (Some(ahead), Past::Not, Scope::Search(_)) => &self.chain[ahead.search_from..],
            _ => &self.chain,
        }
    }
}

/// Who is asked behind what stands ahead of memory.
#[derive(Clone)]
pub(super) enum Asking {
    /// Memory, then the rest of the chain.
    AsUsual,
    /// The rest of the chain, past memory, and without sharing the question.
    Anew,
    /// Memory alone, answers past their end among them; if it knows nothing this is why nobody else is asked.
    Remembered(Failure),
}

impl Entrance {
    /// Enters a block: through what stands ahead of memory where that concerns the question, then gates, memory, chain.
    pub(super) async fn enter(&self, block: Arc<Block>, query: Query, asking: Asking) -> Served {
        match block.is_ahead(&query) {
            true => Box::pin(self.go_ahead(block, query, asking)).await,
            false => self.pass(block, query, asking).await,
        }
    }

    /// The part of the chain ahead of memory; behind it the block goes on with what became of the question.
    pub(super) async fn go_ahead(&self, block: Arc<Block>, query: Query, asking: Asking) -> Served {
        let count = block.ahead.as_ref().map_or(0, |ahead| ahead.count);
        let inner = Inner { entrance: self.clone(), block: Arc::clone(&block), asking };
        match &inner.asking {
            Asking::Remembered(failure) => {
                let closed = Closed { entrance: self.clone(), failure: failure.clone() };
                self.guarded(async { Next::ahead(&block.chain[..count], &closed, &inner).serve(&query).await }).await
            }
            Asking::AsUsual | Asking::Anew => {
                self.guarded(async { Next::ahead(&block.chain[..count], self, &inner).serve(&query).await }).await
            }
        }
    }

    /// What memory knows of a question, be it past its end.
    fn recalled(&self, block: &Block, query: &Query) -> Option<Served> {
        let (policy, shared) = (block.store.as_ref()?, self.0.shared());
        let now = shared.clock.now();
        match shared.store.read().lookup(&key_of(block, query), policy, now) {
            Lookup::Fresh { entry, age, .. } => Some(Ok(entry.reply(age, now))),
            Lookup::Stale { entry, .. } => {
                shared.stale.increment();
                Some(Ok(entry.reply(policy.stale_age(), now)))
            }
            Lookup::Failed { failure, .. } => Some(Err(failure)),
            Lookup::Miss => None,
        }
    }

    /// Gates, memory, chain.
    async fn pass(&self, block: Arc<Block>, query: Query, asking: Asking) -> Served {
        let verdict = block.verdict(&query.client, query.name.as_wire(), query.rtype);
        if verdict != Verdict::Allow {
            query.tell(|| What::Gate { verdict });
        }
        match (verdict, asking) {
            (Verdict::Allow, Asking::AsUsual) if query.options.are_shared() => self.answer(block, query).await,
            (Verdict::Allow, Asking::Remembered(failure)) => {
                let known = query.options.are_shared().then(|| self.recalled(&block, &query)).flatten();
                known.unwrap_or(Err(failure))
            }
            (Verdict::Allow, _) => self.ask(&block, &query, None).await,
            (Verdict::Block, _) => Err(Failure::Prohibited),
            (Verdict::Drop, _) => Err(Failure::Silent),
            (Verdict::Filter, _) => Ok(filtered(&query)),
        }
    }
}

/// A block behind what stands ahead of its memory.
struct Inner {
    entrance: Entrance,
    block: Arc<Block>,
    asking: Asking,
}

/// Server blocks of which memory alone answers: there is no room for another question.
struct Closed {
    entrance: Entrance,
    failure: Failure,
}

impl Blocks for Closed {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(self.entrance.enter_anew(query, Asking::Remembered(self.failure.clone())))
    }
}

impl Inside for Inner {
    fn enter<'a>(&'a self, query: &'a Query) -> Boxed<'a, Served> {
        let ahead = self.block.ahead.as_ref();
        let changed_again = ahead.is_some_and(|ahead| ahead.touches(query.name.as_wire(), query.rtype, query.class));
        let past = if changed_again { Past::Own } else { Past::Shared };
        let query = Query { past, ..query.clone() };
        Box::pin(self.entrance.pass(Arc::clone(&self.block), query, self.asking.clone()))
    }
}

#[cfg(test)]
mod tests;
