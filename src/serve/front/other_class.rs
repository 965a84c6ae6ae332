//! Questions of other classes than IN: class CHAOS tells of this server, and a client of itself.

use std::sync::Arc;

use contract::limits::{MESSAGE_MAX, UDP_REPLY_MAX};
use contract::wire::{Class, Name, Question, Rcode};
use contract::{Age, Asker, Client, Moment, Scope, Verdict};

use super::asker::{OPT_MAX, asker, tell};
use super::{Clerk, Visit, looked};
use crate::serve::Outcome;
use crate::serve::block::Block;
use crate::serve::chaos::{self, client, client::Asked as About};
use crate::serve::entrance::Entrance;
use crate::serve::tally::{Exchange, StoreUse};
use crate::serve::zones::Zones;

impl Clerk {
    /// Class CHAOS tells of this server; no other class is served.
    pub(super) fn other_class(
        &self,
        zones: &Arc<Zones>,
        question: &Question<'_>,
        (client, now): (&Client, Moment),
        out: &mut [u8],
    ) -> Outcome {
        // what the daemon asks itself is neither refused nor counted by any `acl`, nor changed by any `rewrite`
        let is_own = chaos::is_of_watchdog(self.key.name());
        let looked = || looked(question, client, self.key.name());
        let block = zones.find(self.key.name(), question.rtype, looked).filter(|_| !is_own);
        let verdict = block.map(|block| block.verdict(client, self.key.name(), question.rtype));
        if verdict == Some(Verdict::Drop) {
            return Outcome::Silent; // whoever is to hear nothing hears nothing of itself either
        }
        let nsid = Some(block.map_or(self.shared.node_name.as_bytes(), |block| &block.nsid));
        let asker = asker(question, client, UDP_REPLY_MAX, nsid);
        let name = Name::from_wire(self.key.name()).expect("the question was parsed");
        let about = (&name, question.rtype, question.class);
        let of_client = client::asked(about.0, about.1, about.2).filter(|_| self.shared.dig_explain);
        let answer = match of_client {
            Some(About::Explain(typed)) => {
                return self.explain(zones, (name, typed), question, (client, now), out);
            }
            Some(About::Whoami) => client::reply(about, &client::whoami(zones, client, now)),
            None => {
                let own = block.and_then(|block| block.chaos.as_ref());
                let own = own.and_then(|own| own.answer(about.0, about.1, &self.shared.node_name));
                match own.filter(|_| question.class == Class::CH) {
                    Some(texts) => chaos::texts(about, &texts),
                    None => chaos::answer(about, &self.shared.node_name, &self.shared.presence, self.worker),
                }
            }
        };
        if let Some(block) = block.filter(|block| answer.rcode() == Rcode::REFUSED && self.is_ruled(block, question)) {
            let visit = Visit { question: *question, client: *client, scope: Scope::Shared, plain: None, now };
            return self.miss(zones, block, &visit, out);
        }
        self.show_local(question, client, answer.rcode());
        Outcome::Reply(answer.write(&asker, Age::Fresh(0), None, out))
    }

    /// True if a rule of the block is for this question, which nobody here has an answer to in its class.
    fn is_ruled(&self, block: &Block, question: &Question<'_>) -> bool {
        let ahead = block.ahead.as_ref();
        ahead.is_some_and(|ahead| ahead.touches(self.key.name(), question.rtype, question.class))
    }

    /// Asks what a program of the client would ask, and tells what happened: a miss like others, and under their bounds.
    fn explain(
        &self,
        zones: &Arc<Zones>,
        (name, typed): (Name, Name),
        question: &Question<'_>,
        (client, arrived): (&Client, Moment),
        out: &mut [u8],
    ) -> Outcome {
        let asker = asker(question, client, UDP_REPLY_MAX, Some(self.shared.node_name.as_bytes()));
        let turn = match self.shared.turnstile.enter(client.ip()) {
            Ok(turn) => turn,
            Err(failure) => {
                self.shared.count(&failure);
                return Outcome::Reply(tell(&failure, &asker, name.as_wire(), out));
            }
        };
        let (about, query_len) = ((question.rtype, question.class), question.packet_len());
        let (entrance, client, shared) = (Entrance(Arc::clone(zones)), *client, Arc::clone(&self.shared));
        let (spelling, has_nsid, Asker { id, flags, edns, limit, .. }) =
            (question.section().to_vec(), asker.nsid.is_some(), asker);
        Outcome::Miss(Box::pin(async move {
            let lines = client::explain(&entrance, client, typed).await;
            drop(turn);
            let nsid = has_nsid.then_some(shared.node_name.as_bytes());
            let asker = Asker { id, flags, question: &spelling, edns, nsid, way: None, limit };
            let answer = client::reply((&name, about.0, about.1), &lines);
            let mut out = vec![0; (answer.size() + OPT_MAX + shared.node_name.len()).min(MESSAGE_MAX)];
            let length = answer.write(&asker, Age::Fresh(0), None, &mut out);
            out.truncate(length);
            let exchange = Exchange {
                rtype: about.0,
                rcode: answer.rcode(),
                query_len,
                reply_len: length,
                took: shared.clock.now().since(arrived),
                store: StoreUse::None,
                dnssec_ok: edns.unwrap_or_default(),
                answerer: 0,
                plain: None,
            };
            entrance.0.outside.count(None, &client, &exchange);
            Some(out)
        }))
    }
}
