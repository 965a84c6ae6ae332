//! Queries that enter no server block: counted and shown on their own.

use std::time::Duration;

use contract::limits::UDP_REPLY_MAX;
use contract::wire::{Class, Message, Name, Question, Rcode, RecordType};
use contract::{Client, Failure, Way};

use super::Clerk;
use super::asker::{asker, tell};
use crate::see::tap::Shown;
use crate::serve::tally::{Exchange, StoreUse};
use crate::serve::zones::Zones;
use crate::serve::{Outcome, chaos};

impl Clerk {
    /// Counts a reply to a query that enters no server block.
    pub(super) fn outside(
        &self,
        zones: &Zones,
        client: &Client,
        (question, packet): (Option<&Question<'_>>, &[u8]),
        outcome: Outcome,
        out: &[u8],
    ) -> Outcome {
        // what the daemon asks itself is no client's question
        let is_own =
            question.is_some_and(|question| question.class == Class::CH) && chaos::is_of_watchdog(self.key.name());
        if let Outcome::Reply(length) = outcome
            && !is_own
        {
            let exchange = Exchange {
                rtype: question.map_or(RecordType(0), |question| question.rtype),
                rcode: rcode_of(&out[..length]),
                query_len: packet.len(),
                reply_len: length,
                took: Duration::ZERO,
                store: StoreUse::None,
                dnssec_ok: question.is_some_and(Question::dnssec_ok),
                answerer: 0,
                plain: None,
            };
            zones.outside.count(self.place.as_ref(), client, &exchange);
        }
        outcome
    }

    pub(super) fn no_block(&self, question: &Question<'_>, client: &Client, out: &mut [u8]) -> Outcome {
        let name = Name::from_wire(self.key.name()).expect("the question was parsed");
        let failure = Failure::NoBlock { name: name.to_string() };
        let nsid = Some(self.shared.node_name.as_bytes());
        self.shared.taps.causes().count(&failure, self.shared.clock.now());
        let length = tell(&failure, &asker(question, client, UDP_REPLY_MAX, nsid), self.key.name(), out);
        self.show_local(question, client, failure.told().0);
        Outcome::Reply(length)
    }

    /// Shows a question that no server block had a part in.
    pub(super) fn show_local(&self, question: &Question<'_>, client: &Client, rcode: Rcode) {
        let taps = &self.shared.taps;
        if !taps.is_open() || chaos::is_of_watchdog(self.key.name()) {
            return;
        }
        taps.show(&Shown {
            moment: self.shared.clock.now(),
            took: Duration::ZERO,
            client: *client,
            name: self.key.name(),
            question: (question.rtype, question.class),
            rcode,
            way: Way::Local,
            messages: (&[], &[]),
            onlookers: None,
        });
    }
}

/// The RCODE of a reply of ours, the upper bits of its OPT included.
fn rcode_of(reply: &[u8]) -> Rcode {
    Message::parse(reply).map_or(Rcode::SERVFAIL, |message| message.rcode())
}
