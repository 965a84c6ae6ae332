//! How long a question waits for a flight, and whether what landed holds for it too.

use std::sync::Arc;

use cache::{KeyBuffer, Policy};
use contract::limits::{CHASED_PATIENCE, CHASED_TOGETHER, STALE_AFTER};
use contract::wire::Rcode;
use contract::{Bound, Failure, Fault, Moment, Query, Reply, Served};
use tokio::time::timeout;

use super::block::Block;
use super::entrance::Entrance;
use super::flights::Seat;

/// An answer past its end, and for which question it will do if a fresh one is late.
pub(super) struct Aged {
    pub(super) reply: Reply,
    pub(super) block: Arc<Block>,
    pub(super) key: KeyBuffer,
    pub(super) arrived: Moment,
}

impl Entrance {
    /// Waits for the flight; with a stale answer at hand only for a while.
    pub(super) async fn wait(&self, flight: impl Future<Output = Served>, aged: Option<Aged>) -> Served {
        let shared = self.0.shared();
        let Some(Aged { reply, block, key, arrived }) = aged else { return flight.await };
        let patience = block.store.as_ref().map_or(STALE_AFTER, Policy::patience);
        // before the client is given up (`cancel`)
        let patience = patience.min(block.answer_within * 3 / 4);
        let patience = patience.saturating_sub(shared.clock.now().since(arrived));
        match timeout(patience, flight).await {
            Ok(served) if !is_failure(&served) => return served,
            Ok(_) => {}
            Err(_) => {
                if let Some(policy) = &block.store {
                    shared.store.slow(&key, policy, shared.clock.now());
                }
            }
        }
        shared.stale.increment();
        Ok(reply)
    }

    /// What somebody else's question comes to, if it holds for us too. The target of a CNAME waits for it a while only, since the
    /// other one may be waiting for us.
    pub(super) async fn landed(
        &self,
        flight: impl Future<Output = Served>,
        block: &Arc<Block>,
        query: &Query,
        key: &KeyBuffer,
    ) -> Served {
        let served = match query.chased {
            None => Some(flight.await),
            Some(_) => timeout(CHASED_PATIENCE, flight).await.ok(),
        };
        match served {
            Some(served) if holds_for_all(&served) && !is_refused(&served) => served,
            // boxed, as its state would make every question that is shared as large
            _ => Box::pin(self.ask_apart(block, query, key)).await,
        }
    }

    /// Asks beside somebody who asks the same, together with others who do: one question for the many names that lead to one
    /// slow target, and for all who waited for a refresh that was refused.
    async fn ask_apart(&self, block: &Arc<Block>, query: &Query, key: &KeyBuffer) -> Served {
        let apart = [key.as_bytes(), &[0]].concat();
        match self.0.shared().flights.board(&apart) {
            Seat::Lead(lead) => {
                let served = self.ask(block, query, Some(key)).await;
                lead.land(&served);
                return served;
            }
            Seat::Wait(flight) => match timeout(CHASED_TOGETHER, flight.landed()).await {
                // whoever leads this one may go before its end
                Ok(Err(Failure::Panicked)) | Err(_) => {}
                Ok(served) if holds_for_all(&served) => return served,
                Ok(_) => {}
            },
        }
        self.ask(block, query, None).await
    }
}

/// True if a stale answer is better: upstream or we failed, or upstream says that it did (RFC 8767 4: any RCODE but
/// NOERROR and NXDOMAIN).
fn is_failure(served: &Served) -> bool {
    match served {
        Ok(reply) => !matches!(reply.answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN),
        Err(failure) => failure.fault() != Fault::Client,
    }
}

/// False for what was said of one client alone, or of a chain that is longer than ours.
fn holds_for_all(served: &Served) -> bool {
    match served {
        Ok(reply) => !reply.personal,
        Err(failure) => !matches!(failure, Failure::CnameTooLong { .. } | Failure::Prohibited),
    }
}

/// True if there was no room below an upstream's rate: nobody waits for a refresh, so it is refused at once where a client would
/// have had its turn.
fn is_refused(served: &Served) -> bool {
    matches!(served, Err(Failure::Bound { bound: Bound::UpstreamRate | Bound::UpstreamPipeline, .. }))
}
