//! A query that was no hit: asked later, or answered at once without memory; and the one exit of both.

use std::sync::Arc;

use contract::limits::MESSAGE_MAX;
use contract::wire::Rcode;
use contract::{Asker, Failure, Plain, Query, Reply, Served, Source, Way};
use tokio::time::timeout;

use super::asker::{OPT_MAX, reply_limit, tell};
use super::{Visit, asked, event};
use crate::see::tap::Shown;
use crate::serve::ahead::Asking;
use crate::serve::block::Block;
use crate::serve::entrance::Entrance;
use crate::serve::flights::Turn;
use crate::serve::tally::{Exchange, StoreUse, answerer};
use crate::serve::way;
use crate::serve::zones::Shared;

/// A query whose reply comes later, with what its reply needs of the packet.
pub(super) struct Pending {
    pub(super) query: Query,
    spelling: Box<[u8]>,
    query_len: usize,
    plain: Option<Plain>,
    /// The query as it came, where a witness wants it.
    packet: Option<Box<[u8]>>,
    /// True if the block's tracers want its story.
    pub(super) is_traced: bool,
    block: Arc<Block>,
    shared: Arc<Shared>,
}

impl Pending {
    pub(super) fn new(visit: &Visit<'_>, query: Query, block: Arc<Block>, shared: Arc<Shared>) -> Self {
        let question = &visit.question;
        let (spelling, query_len) = (question.section().into(), question.packet_len());
        let wants_it = block.onlookers.as_ref().is_some_and(|onlookers| onlookers.wants_messages());
        let packet = wants_it.then(|| question.packet().into());
        Self { query, spelling, query_len, plain: visit.plain, packet, is_traced: false, block, shared }
    }

    /// Asks, and writes the reply.
    pub(super) async fn finish(self, entrance: Entrance, turn: Turn) -> Option<Vec<u8>> {
        let waited = self.block.answer_within;
        let asked = async {
            let (block, query) = (Arc::clone(&self.block), self.query.clone());
            match block.is_ahead(&query) {
                true => entrance.go_ahead(block, query, Asking::AsUsual).await,
                false => entrance.answer(block, query).await,
            }
        };
        let served = timeout(waited, asked).await.unwrap_or(Err(Failure::TooLate { waited }));
        drop(turn);
        if let Err(failure) = &served {
            self.shared.count(failure);
        }
        self.end(served)
    }

    /// Asks memory alone, as there is no room for a question that something ahead of memory changes: that is counted already.
    pub(super) async fn recall(self, entrance: Entrance, refused: Failure) -> Option<Vec<u8>> {
        let asking = Asking::Remembered(refused.clone());
        let served = entrance.go_ahead(Arc::clone(&self.block), self.query.clone(), asking).await;
        if let Err(failure) = &served
            && *failure != refused
        {
            self.shared.count(failure);
        }
        match &served {
            Err(failure) if self.block.sheds(&self.query.client, failure) => None,
            _ => self.end(served),
        }
    }

    fn end(self, served: Served) -> Option<Vec<u8>> {
        if matches!(served, Err(Failure::Silent)) {
            return None;
        }
        let mut out = vec![0; self.room(&served)];
        let length = self.write(served, &mut out);
        out.truncate(length);
        Some(out)
    }

    /// Octets that the reply cannot exceed.
    fn room(&self, served: &Served) -> usize {
        let size = served.as_ref().map_or(OPT_MAX, |reply| reply.answer.size());
        (size + OPT_MAX + self.block.nsid.len()).min(MESSAGE_MAX)
    }

    /// Writes, counts and shows the reply: the one exit of a query that was not a hit.
    pub(super) fn write(&self, served: Served, out: &mut [u8]) -> usize {
        let way = self.way(&served);
        let asker = Asker { way: way.as_deref(), ..self.asker() };
        let (rcode, length) = match &served {
            Ok(Reply { answer, age, ede, .. }) => (answer.rcode(), answer.write(&asker, *age, ede.as_ref(), out)),
            Err(failure) => (failure.told().0, tell(failure, &asker, self.query.name.as_wire(), out)),
        };
        self.block.arrange(&mut out[..length]);
        let exchange = Exchange {
            rtype: self.query.rtype,
            rcode,
            query_len: self.query_len,
            reply_len: length,
            took: self.shared.clock.now().since(self.query.arrived),
            store: match &served {
                _ if self.block.store.is_none() => StoreUse::None,
                // memory was not asked
                Err(Failure::Prohibited) => StoreUse::None,
                Ok(reply) if reply.source == Source::Plugin("acl") => StoreUse::None,
                // upstream was asked first, and what memory had went out all the same
                Ok(reply) if reply.is_stale() => StoreUse::Stale,
                _ => StoreUse::Miss,
            },
            dnssec_ok: self.query.dnssec_ok,
            answerer: served.as_ref().map_or(0, |reply| answerer(self.block.answerer(reply))),
            plain: self.plain,
        };
        self.block.tally.count(None, &self.query.client, &exchange);
        self.tell_tracers(&served, rcode);
        self.show(&served, &exchange, &out[..length]);
        let failure = served.as_ref().err();
        if !self.block.observers.is_empty() && self.block.is_watched(failure.is_some()) {
            let upstream = served.as_ref().ok().and_then(|reply| match reply.source {
                Source::Upstream(upstream) => Some(upstream),
                Source::Store | Source::Plugin(_) => None,
            });
            let mut event = event(&self.query, &exchange, &out[..length], (failure, upstream));
            event.query_len = self.query_len;
            self.block.show(&event);
        }
        length
    }

    /// What a client is told of the way that asks for it.
    fn way(&self, served: &Served) -> Option<String> {
        let story = self.query.story.as_ref().filter(|_| self.query.edns.is_some_and(|edns| edns.nsid))?;
        let asked = asked(&self.block, self.query.scope, self.plain);
        Some(way::of_story(story, served, story.begun().elapsed(), &asked))
    }

    fn tell_tracers(&self, served: &Served, rcode: Rcode) {
        let Some(story) = self.query.story.as_ref().filter(|_| self.is_traced) else { return };
        let tracers = self.block.tracers.iter().filter_map(|plugin| plugin.tracer());
        tracers.for_each(|tracer| tracer.told(&self.query, story, served, rcode));
    }

    /// Shows the reply to whoever looks on, and counts what went wrong by its cause.
    fn show(&self, served: &Served, exchange: &Exchange, reply: &[u8]) {
        let (taps, moment) = (&self.shared.taps, self.query.arrived.after(exchange.took));
        match served {
            Err(failure) => taps.causes().count(failure, moment),
            Ok(reply) if !matches!(exchange.rcode, Rcode::NOERROR | Rcode::NXDOMAIN) => {
                taps.causes().count_reply(exchange.rcode, reply.source, moment);
            }
            Ok(_) => {}
        }
        if !taps.is_open() {
            return;
        }
        let way = match served {
            Err(Failure::Prohibited) => Way::Gated,
            Err(_) => Way::Failed,
            Ok(reply) if reply.source == Source::Plugin("acl") => Way::Gated,
            Ok(reply) if reply.is_stale() => Way::Stale,
            Ok(_) => Way::Miss,
        };
        taps.show(&Shown {
            moment,
            took: exchange.took,
            client: self.query.client,
            name: self.query.name.as_wire(),
            question: (self.query.rtype, self.query.class),
            rcode: exchange.rcode,
            way,
            messages: (self.packet.as_deref().unwrap_or_default(), reply),
            onlookers: self.block.onlookers.as_deref(),
        });
    }

    fn asker(&self) -> Asker<'_> {
        let edns = self.query.edns;
        Asker {
            id: self.query.header.0,
            flags: self.query.header.1,
            question: &self.spelling,
            edns: edns.map(|edns| edns.dnssec_ok),
            nsid: edns.filter(|edns| edns.nsid).map(|_| &*self.block.nsid),
            way: None,
            limit: reply_limit(edns, self.query.client.transport, self.block.udp_reply_max),
        }
    }
}
