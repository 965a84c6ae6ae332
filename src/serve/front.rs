//! The front door: the whole life of a query as a list of decisions that return early.
//!
//! ```text
//!   parse --> class --> block --> scope --> gates --> store --hit--> write --> counted, shown
//!                                                       '--miss--> finish (later) --> counted, shown
//! ```

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cache::{KeyBuffer, Lookup};
use contract::wire::{Class, Name, Question, Reject, reject_reply};
use contract::{
    Client, Event, Failure, Looked, Moment, Plain, Query, Recalled, Scope, Story, Transport, Verdict, What,
};

use self::asker::asks_why;
use self::pending::Pending;
use super::ahead::AheadOf;
use super::block::Block;
use super::entrance::{Entrance, filtered};
use super::tally::{Exchange, Place};
use super::way::Asked;
use super::zones::{Shared, Zones};
use super::{Desk, Door, Outcome};
use crate::see::tap::Tap;

/// The front door of one listener. A reload swaps the blocks behind it.
#[derive(Clone)]
pub struct Front {
    zones: Arc<ArcSwap<Zones>>,
    shared: Arc<Shared>,
}

/// One thread's or one connection's place at the front door.
pub struct FrontDesk {
    /// Followed without touching a count that other threads touch.
    zones: arc_swap::Cache<Arc<ArcSwap<Zones>>, Arc<Zones>>,
    clerk: Clerk,
}

/// What a desk works with, apart from the blocks that a reload may swap.
struct Clerk {
    shared: Arc<Shared>,
    key: KeyBuffer,
    /// Where it counts, if it has a place of its own.
    place: Option<Place>,
    /// The number of its thread, if that has one.
    worker: Option<usize>,
    /// How those who look on see what it answers at once.
    tap: RefCell<Tap>,
}

impl Front {
    /// A door before these blocks.
    pub fn new(zones: Arc<Zones>) -> Self {
        let shared = Arc::clone(zones.shared());
        Self { zones: Arc::new(ArcSwap::new(zones)), shared }
    }

    /// Puts other blocks behind the door. Queries under way end with the old ones.
    pub fn swap(&self, zones: Arc<Zones>) {
        self.zones.store(zones);
    }
}

impl Door for Front {
    type Desk = FrontDesk;

    fn desk(&self, transport: Transport) -> FrontDesk {
        // connections come and go in numbers, threads do not
        let place = (transport == Transport::Udp).then(|| self.shared.places.take()).flatten();
        let tap = RefCell::new(Tap::new(&self.shared.taps, transport));
        FrontDesk {
            zones: arc_swap::Cache::new(Arc::clone(&self.zones)),
            clerk: Clerk { shared: Arc::clone(&self.shared), key: KeyBuffer::new(), place, worker: None, tap },
        }
    }

    fn desk_of_worker(&self, worker: usize) -> FrontDesk {
        let mut desk = self.desk(Transport::Udp);
        desk.clerk.worker = Some(worker);
        desk
    }
}

/// One query on its way, borrowed from its packet.
#[derive(Clone, Copy)]
struct Visit<'p> {
    question: Question<'p>,
    client: Client,
    scope: Scope,
    /// Why there is no search, or none out of memory, where the block has AutoPath.
    plain: Option<Plain>,
    now: Moment,
}

impl Desk for FrontDesk {
    fn now(&self) -> Moment {
        self.clerk.shared.clock.now()
    }

    fn answer(&mut self, packet: &[u8], client: &Client, now: Moment, out: &mut [u8]) -> Outcome {
        self.clerk.answer(self.zones.load(), packet, (client, now), out)
    }
}

impl Clerk {
    /// The life of a query, decision by decision.
    fn answer(
        &mut self,
        zones: &Arc<Zones>,
        packet: &[u8],
        (client, now): (&Client, Moment),
        out: &mut [u8],
    ) -> Outcome {
        let question = match Question::parse(packet) {
            Ok(question) => question,
            Err(Reject::Silent) => return Outcome::Silent,
            Err(Reject::Reply(rcode, edns)) => {
                let outcome = Outcome::Reply(reject_reply(packet, rcode, edns, out));
                return self.outside(zones, client, (None, packet), outcome, out);
            }
        };
        self.key.set_name(question.name());
        if question.class != Class::IN {
            let outcome = self.other_class(zones, &question, (client, now), out);
            return self.outside(zones, client, (Some(&question), packet), outcome, out);
        }
        let looked = || looked(&question, client, self.key.name());
        let Some(block) = zones.find(self.key.name(), question.rtype, looked) else {
            let outcome = self.no_block(&question, client, out);
            return self.outside(zones, client, (Some(&question), packet), outcome, out);
        };
        let (scope, plain) = block.scope(client.ip(), self.key.name(), question.rtype, question.dnssec_ok());
        let mut visit = Visit { question, client: *client, scope, plain, now };
        if self.is_ahead(block, &visit) {
            return self.miss(zones, block, &visit, out);
        }
        if !block.gates.is_empty() {
            match block.verdict(client, self.key.name(), question.rtype) {
                Verdict::Allow => {}
                verdict => return self.gated(zones, block, &visit, verdict, out),
            }
        }
        if !zones.walk_is_open(block, scope, client, self.key.name(), visit.question.rtype) {
            visit.plain = Some(Plain::Gate);
        }
        match self.look_up(zones, block, &visit, out) {
            Some(length) => Outcome::Reply(length),
            None => self.miss(zones, block, &visit, out),
        }
    }

    /// True if something ahead of memory concerns the question, whatever memory knows. Where gates are to judge the question that
    /// comes out of it, names that memory does not know are looked at now; else that can wait.
    #[inline]
    fn is_ahead(&mut self, block: &Block, visit: &Visit<'_>) -> bool {
        let Some(ahead) = &block.ahead else { return false };
        visit.scope == Scope::Shared
            && (ahead.always(&visit.client, visit.question.rtype)
                || !block.gates.is_empty() && self.is_touched(block, visit, ahead))
    }

    /// True if a rule touches the name. What memory knows under a question as asked no rule touches.
    #[inline(never)]
    fn is_touched(&mut self, block: &Block, visit: &Visit<'_>, ahead: &AheadOf) -> bool {
        let question = &visit.question;
        let (dnssec_ok, checking_disabled) = (question.dnssec_ok(), question.checking_disabled());
        let id = block.id_for(visit.scope);
        self.key.set(id, visit.scope, question.rtype, question.class, dnssec_ok, checking_disabled);
        !self.shared.store.read().has(&self.key) && ahead.touches(self.key.name(), question.rtype, question.class)
    }

    /// A reply from the store, if it has one that may go out now.
    fn look_up(&mut self, zones: &Arc<Zones>, block: &Arc<Block>, visit: &Visit<'_>, out: &mut [u8]) -> Option<usize> {
        let policy = block.store.as_ref()?;
        let question = &visit.question;
        let (dnssec_ok, checking_disabled) = (question.dnssec_ok(), question.checking_disabled());
        let id = block.id_for(visit.scope);
        self.key.set(id, visit.scope, question.rtype, question.class, dnssec_ok, checking_disabled);
        if visit.plain == Some(Plain::Gate) {
            return None;
        }
        match self.shared.store.read().lookup(&self.key, policy, visit.now) {
            Lookup::Fresh { entry, age, refresh } => {
                if refresh {
                    Entrance(Arc::clone(zones)).refresh(block, &self.query(visit));
                }
                Some(self.hit(block, visit, entry, age, None, out))
            }
            Lookup::Stale { entry, serve_now: true, refresh } => {
                if refresh {
                    Entrance(Arc::clone(zones)).refresh(block, &self.query(visit));
                }
                self.shared.stale.increment();
                Some(self.hit(block, visit, entry, policy.stale_age(), Some(entry.stale_ede()), out))
            }
            Lookup::Failed { entry, failure } => {
                let pending = self.pending(zones, block, visit);
                pending.query.tell(|| What::Remembered(self.shared.store.recall(entry, Recalled::Failed, visit.now)));
                Some(pending.write(Err(failure), out))
            }
            Lookup::Stale { .. } | Lookup::Miss => None,
        }
    }

    /// An answer past its end where no question can be asked: a bound of ours is reached.
    fn stale_at_least(&self, block: &Block, visit: &Visit<'_>, out: &mut [u8]) -> Option<usize> {
        let policy = block.store.as_ref()?;
        if visit.plain == Some(Plain::Gate) {
            return None;
        }
        match self.shared.store.read().lookup(&self.key, policy, visit.now) {
            Lookup::Stale { entry, .. } => {
                self.shared.stale.increment();
                Some(self.hit(block, visit, entry, policy.stale_age(), Some(entry.stale_ede()), out))
            }
            _ => None,
        }
    }

    fn pending(&self, zones: &Zones, block: &Arc<Block>, visit: &Visit<'_>) -> Pending {
        let shared = Arc::clone(&self.shared);
        let mut query = self.query(visit);
        if zones.read_options() {
            let options = visit.question.options();
            query.options.asked = (!options.is_empty()).then(|| options.into());
        }
        if asks_why(&visit.question) {
            query.story = Some(Arc::new(Story::begin()));
        }
        Pending::new(visit, query, Arc::clone(block), shared)
    }

    /// A question for the chain: owned, so that the packet's buffer is free again.
    fn miss(&self, zones: &Arc<Zones>, block: &Arc<Block>, visit: &Visit<'_>, out: &mut [u8]) -> Outcome {
        match self.shared.turnstile.enter(visit.client.ip()) {
            Ok(turn) => {
                let mut pending = self.pending(zones, block, visit);
                if block.wants_story() {
                    pending.is_traced = true;
                    pending.query.story.get_or_insert_with(|| Arc::new(Story::begin()));
                }
                Outcome::Miss(Box::pin(pending.finish(Entrance(Arc::clone(zones)), turn)))
            }
            Err(failure) => {
                self.shared.count(&failure);
                let pending = self.pending(zones, block, visit);
                if block.is_ahead(&pending.query) {
                    // memory may know what the question becomes: that takes no room
                    return Outcome::Miss(Box::pin(pending.recall(Entrance(Arc::clone(zones)), failure)));
                }
                let stale = self.stale_at_least(block, visit, out);
                match stale {
                    Some(length) => Outcome::Reply(length),
                    None if block.sheds(&visit.client, &failure) => Outcome::Silent,
                    None => Outcome::Reply(self.pending(zones, block, visit).write(Err(failure), out)),
                }
            }
        }
    }

    fn gated(&self, zones: &Zones, block: &Arc<Block>, visit: &Visit<'_>, verdict: Verdict, out: &mut [u8]) -> Outcome {
        let pending = self.pending(zones, block, visit);
        pending.query.tell(|| What::Gate { verdict });
        let served = match verdict {
            Verdict::Drop => return Outcome::Silent,
            Verdict::Filter => Ok(filtered(&pending.query)),
            Verdict::Block | Verdict::Allow => Err(Failure::Prohibited),
        };
        Outcome::Reply(pending.write(served, out))
    }

    fn query(&self, visit: &Visit<'_>) -> Query {
        let question = &visit.question;
        Query {
            name: Name::from_wire(self.key.name()).expect("the question was parsed"),
            rtype: question.rtype,
            class: question.class,
            dnssec_ok: question.dnssec_ok(),
            checking_disabled: question.checking_disabled(),
            scope: visit.scope,
            client: visit.client,
            edns: question.edns,
            header: (question.id(), question.flags()),
            arrived: visit.now,
            reentries: 0,
            refresh: false,
            chased: None,
            past: contract::Past::Not,
            options: contract::Options::default(),
            story: None,
        }
    }
}

/// A question as views look at it.
fn looked<'q>(question: &Question<'_>, client: &'q Client, name: &'q [u8]) -> Looked<'q> {
    Looked {
        client,
        name,
        rtype: question.rtype,
        class: question.class,
        edns: question.edns,
        header: (question.id(), question.flags()),
        size: question.packet_len(),
    }
}

/// What the way of an answer tells of the asker.
fn asked(block: &Block, scope: Scope, plain: Option<Plain>) -> Asked {
    let candidates = match scope {
        Scope::Search(id) => block.list(id).map(|list| list.domains.len() + 1),
        Scope::Shared => None,
    };
    Asked { block: block.label(), candidates, plain }
}

fn event<'e>(
    query: &'e Query,
    exchange: &Exchange,
    reply: &'e [u8],
    (failure, upstream): (Option<&'e Failure>, Option<SocketAddr>),
) -> Event<'e> {
    Event {
        client: query.client,
        header: query.header,
        name: query.name.as_wire(),
        question: (query.rtype, query.class),
        edns: query.edns,
        query_len: exchange.query_len,
        reply,
        upstream,
        failure,
        took: exchange.took,
    }
}

mod asker;
mod hit;
mod other_class;
mod outside;
mod pending;
#[cfg(test)]
mod tests;
