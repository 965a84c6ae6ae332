//! A reply out of memory: written, counted, shown. Allocates nothing and locks nothing.

use std::time::Duration;

use cache::Entry;
use contract::wire::Ede;
use contract::{Age, Asker, Recalled, Way};

use super::asker::{asker, asks_why};
use super::{Clerk, Visit, asked, event};
use crate::see::tap::Shown;
use crate::serve::block::Block;
use crate::serve::tally::{Exchange, StoreUse};
use crate::serve::way;

impl Clerk {
    /// Writes what memory knows, and says how long that is.
    pub(super) fn hit(
        &self,
        block: &Block,
        visit: &Visit<'_>,
        entry: &Entry,
        age: Age,
        ede: Option<&Ede>,
        out: &mut [u8],
    ) -> usize {
        let answer = entry.answer();
        let asker = asker(&visit.question, &visit.client, block.udp_reply_max, Some(&block.nsid));
        let length = match asks_why(&visit.question) {
            false => answer.write(&asker, age, ede, out),
            true => {
                let way = self.way_of_hit(block, visit, entry, ede.is_some());
                answer.write(&Asker { way: Some(&way), ..asker }, age, ede, out)
            }
        };
        let store = match age {
            Age::Stale | Age::StaleWith(_) => StoreUse::Stale,
            _ if entry.is_denial() => StoreUse::Denial,
            _ => StoreUse::Success,
        };
        block.arrange(&mut out[..length]);
        let exchange = Exchange {
            rtype: visit.question.rtype,
            rcode: answer.rcode(),
            query_len: visit.question.packet_len(),
            reply_len: length,
            took: Duration::ZERO,
            store,
            dnssec_ok: visit.question.dnssec_ok(),
            answerer: 0,
            plain: visit.plain,
        };
        block.tally.count(self.place.as_ref(), &visit.client, &exchange);
        if !block.observers.is_empty() && block.is_watched(false) {
            let query = self.query(visit);
            block.show(&event(&query, &exchange, &out[..length], (None, None)));
        }
        if self.shared.taps.is_open() {
            self.show_hit(block, visit, &exchange, &out[..length]);
        }
        length
    }

    /// Shows a hit to whoever looks on, if it is its turn. Like the hit itself it allocates nothing and locks nothing.
    #[inline(never)]
    fn show_hit(&self, block: &Block, visit: &Visit<'_>, exchange: &Exchange, reply: &[u8]) {
        let onlookers = block.onlookers.as_deref();
        if !self.shared.taps.concerns(onlookers) {
            return;
        }
        let mut tap = self.tap.borrow_mut();
        let Some(weight) = tap.is_due(visit.now) else { return };
        let shown = Shown {
            moment: visit.now,
            took: exchange.took,
            client: visit.client,
            name: self.key.name(),
            question: (visit.question.rtype, visit.question.class),
            rcode: exchange.rcode,
            way: match exchange.store {
                StoreUse::Stale => Way::Stale,
                StoreUse::Denial => Way::Denial,
                StoreUse::Success | StoreUse::Miss | StoreUse::None => Way::Hit,
            },
            messages: (visit.question.packet(), reply),
            onlookers,
        };
        tap.show(&self.shared.taps, weight, &shown);
    }

    /// What a client is told of a hit that asks for it.
    #[inline(never)]
    fn way_of_hit(&self, block: &Block, visit: &Visit<'_>, entry: &Entry, is_stale: bool) -> String {
        let state = if is_stale { Recalled::Stale } else { Recalled::Fresh };
        way::of_hit(&self.shared.store.recall(entry, state, visit.now), &asked(block, visit.scope, visit.plain))
    }
}
