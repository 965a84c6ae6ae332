//! A server block at work: its chain, and what of it has a say on every query.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cache::{BlockId, Policy};
use chaos::ChaosSpec;
use contract::wire::{Name, RecordType};
use contract::{
    Client, Decided, Event, Failure, ListId, Past, Plain, Plugin, Query, Reply, Resident, Scope, SearchList, Selector,
    Source, Verdict,
};

use shed::Shed;

use super::ahead::AheadOf;
use super::tally::Tally;
use crate::see::tap::Onlookers;

/// A server block. What a directive does not have is absent here, so that a block without it pays nothing.
pub struct Block {
    /// Its zones, most labels first.
    pub zones: Box<[Name]>,
    /// Its number in store keys; the same as long as what shapes its answers stays the same.
    pub id: Arc<BlockId>,
    /// The same for answers that rest on other blocks too (AutoPath's).
    pub walk_id: Arc<BlockId>,
    /// The plugins in query order.
    pub chain: Box<[Arc<dyn Plugin>]>,
    /// What stands ahead of memory; absent where nothing there has a say.
    pub ahead: Option<AheadOf>,
    /// True if somebody looks at the EDNS options that clients send.
    pub reads_options: bool,
    /// Those that put replies in order.
    pub arrangers: Box<[Arc<dyn Plugin>]>,
    /// Which of the questions for its zones are for it; absent if all are.
    pub view: Option<Arc<dyn Selector>>,
    /// Those with a say before the store.
    pub gates: Box<[Arc<dyn Plugin>]>,
    /// Those that see replies.
    pub observers: Box<[Arc<dyn Plugin>]>,
    /// Those that are told stories of misses.
    pub tracers: Box<[Arc<dyn Plugin>]>,
    /// Those that look on from a thread beside.
    pub onlookers: Option<Arc<Onlookers>>,
    /// The one that tells scopes.
    pub scoper: Option<Arc<dyn Plugin>>,
    /// How answers are memorised; absent if they are not.
    pub store: Option<Policy>,
    /// True if identical misses may share one question.
    pub coalesce: bool,
    /// The same for walks, whose candidates enter the other blocks too.
    pub coalesce_walks: bool,
    /// How long a client waits at most.
    pub answer_within: Duration,
    /// Who answers, for clients that ask for it (RFC 5001).
    pub nsid: Box<[u8]>,
    /// What is told in class CHAOS, if not what is told of itself.
    pub chaos: Option<ChaosSpec>,
    /// Drops datagrams for which there is no place.
    pub shed: Option<Shed>,
    /// The largest reply over UDP, octets.
    pub udp_reply_max: usize,
    /// Counts of its queries and replies.
    pub tally: Arc<Tally>,
}

#[cfg(test)]
impl Block {
    /// One with a chain and no directive of its own, which memorises as this statement of `cache` says.
    pub(super) fn bare(number: u32, zone: Name, cache: &str, chain: Box<[Arc<dyn Plugin>]>) -> Self {
        let text = format!(". {{\n {cache}\n whoami\n}}\n");
        let plan = crate::plan::check("Corefile", &text, &contract::corefile::Disk, 53).plan.unwrap();
        Self {
            zones: [zone].into(),
            id: Arc::new(BlockId(number)),
            walk_id: Arc::new(BlockId(number + 100)),
            ahead: None,
            chain,
            reads_options: false,
            arrangers: [].into(),
            view: None,
            answer_within: contract::limits::ANSWER_WITHIN,
            nsid: [].into(),
            chaos: None,
            shed: None,
            gates: [].into(),
            observers: [].into(),
            onlookers: None,
            tracers: [].into(),
            scoper: None,
            store: plan.blocks[0].settings.cache.as_ref().map(|cache| cache.policy.clone()),
            coalesce: true,
            coalesce_walks: true,
            udp_reply_max: contract::limits::UDP_REPLY_MAX,
            tally: Arc::default(),
        }
    }
}

impl Block {
    /// Its zones in a word, as an operator wrote them.
    pub fn label(&self) -> String {
        let zone = |zone: &Name| match zone.to_string() {
            root if zone.is_root() => root,
            name => name.trim_end_matches('.').to_owned(),
        };
        self.zones.iter().map(zone).collect::<Vec<_>>().join(" ")
    }

    /// For whom an answer to this client will hold; and why for everybody, where the block has AutoPath.
    pub fn scope(&self, client: IpAddr, name: &[u8], rtype: RecordType, dnssec_ok: bool) -> (Scope, Option<Plain>) {
        match self.scoper.as_deref().and_then(Plugin::scoper) {
            Some(scoper) => match scoper.search(client, name, rtype, dnssec_ok) {
                Ok(id) => (Scope::Search(id), None),
                Err(plain) => (Scope::Shared, Some(plain)),
            },
            None => (Scope::Shared, None),
        }
    }

    /// The same for somebody with this search list, whatever the client's address.
    pub fn scope_as(
        &self,
        resident: &Resident,
        name: &[u8],
        rtype: RecordType,
        dnssec_ok: bool,
    ) -> (Scope, Option<Plain>) {
        match self.scoper.as_deref().and_then(Plugin::scoper).map(|one| one.search_as(resident, name, rtype)) {
            Some(Ok(_)) if dnssec_ok => (Scope::Shared, Some(Plain::Dnssec)),
            Some(Ok(id)) => (Scope::Search(id), None),
            Some(Err(plain)) => (Scope::Shared, Some(plain)),
            None => (Scope::Shared, None),
        }
    }

    /// The search list behind a scope of this block.
    pub fn list(&self, id: ListId) -> Option<Arc<SearchList>> {
        self.scoper.as_deref().and_then(Plugin::scoper)?.list(id)
    }

    /// What the gates say: the first that does not allow.
    pub fn verdict(&self, client: &Client, name: &[u8], rtype: RecordType) -> Verdict {
        let verdicts =
            self.gates.iter().filter_map(|plugin| plugin.gate()).map(|gate| gate.verdict(client, name, rtype));
        verdicts.into_iter().find(|verdict| *verdict != Verdict::Allow).unwrap_or(Verdict::Allow)
    }

    /// True if somebody wants the story of the next miss.
    pub fn wants_story(&self) -> bool {
        // each is asked, since each counts
        self.tracers.iter().filter_map(|plugin| plugin.tracer()).fold(false, |wanted, tracer| tracer.wants() | wanted)
    }

    /// True if an observer wants replies of this kind.
    pub fn is_watched(&self, failed: bool) -> bool {
        self.observers.iter().filter_map(|plugin| plugin.observer()).any(|observer| failed || observer.wants_all())
    }

    /// Shows a reply to the observers.
    pub fn show(&self, event: &Event<'_>) {
        for observer in self.observers.iter().filter_map(|plugin| plugin.observer()) {
            if event.failure.is_some() || observer.wants_all() {
                observer.replied(event);
            }
        }
    }

    /// The plugin that an answer is counted for. Of an upstream's it is not known which of the two that have upstreams asked.
    pub fn answerer(&self, reply: &Reply) -> &'static str {
        let has = |name| self.chain.iter().any(|plugin| plugin.name() == name);
        match reply.source {
            _ if reply.decided != Decided::NoSearch => "autopath",
            Source::Plugin(name) => name,
            Source::Store => "cache",
            Source::Upstream(_) if has("privatezone") && !has("forward") => "privatezone",
            Source::Upstream(_) => "forward",
        }
    }

    /// True if the question is dropped rather than told of this failure.
    pub fn sheds(&self, client: &Client, failure: &Failure) -> bool {
        self.shed.as_ref().is_some_and(|shed| shed.drops(client, failure))
    }

    /// Puts the records of a reply in order, where somebody does.
    #[inline]
    pub fn arrange(&self, reply: &mut [u8]) {
        if !self.arrangers.is_empty() {
            self.arrange_by_all(reply);
        }
    }

    #[inline(never)]
    fn arrange_by_all(&self, reply: &mut [u8]) {
        self.arrangers.iter().filter_map(|plugin| plugin.arranger()).for_each(|arranger| arranger.arrange(reply));
    }

    /// The number in store keys of a question.
    pub fn id_of(&self, query: &Query) -> BlockId {
        match &self.ahead {
            Some(ahead) if query.past == Past::Own => *ahead.own_id,
            _ => self.id_for(query.scope),
        }
    }

    /// The number in store keys for a scope.
    pub fn id_for(&self, scope: Scope) -> BlockId {
        match scope {
            Scope::Shared => *self.id,
            Scope::Search(_) => *self.walk_id,
        }
    }
}
