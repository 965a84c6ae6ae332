//! One candidate is asked, for both address families where both decide, and judged.

use contract::wire::{Rcode, RecordType};
use contract::{Blocks, Boxed, Query, Reply, Served};
use futures_util::future::{Either, select};

use crate::candidates::Candidate;
use crate::judge::{Finding, Judge, Judgement, Sibling};
use crate::qualify;

/// What a candidate came to.
pub(crate) enum Outcome {
    /// It does not exist; what proves that.
    Missing(Vec<Reply>),
    /// It decides with this answer.
    Positive(Reply),
    /// It exists without the type: the reply to the type asked for, and that of the sibling where it tells.
    NoData(Reply, Option<Reply>),
    /// Nobody knows: what the type asked for says, and its sibling if it is that which failed.
    Failed(Served, Option<Served>),
}

/// Asks and judges candidates of one question.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) query: &'a Query,
    pub(crate) blocks: &'a dyn Blocks,
    pub(crate) judge: Judge,
    /// Labels of the rest.
    pub(crate) labels: usize,
}

impl<'a> Asking<'a> {
    /// The outcome of one candidate.
    pub(crate) async fn ask(self, candidate: &Candidate) -> Outcome {
        let own = self.resolve(candidate, self.query.rtype);
        let Some(other) = qualify::sibling(self.query.rtype) else {
            let own = own.await;
            return self.outcome(own, None);
        };
        if candidate.is_likely(self.labels) {
            let own = own.await;
            return self.with_sibling(own, self.resolve(candidate, other)).await;
        }
        // likely missing, and then both must say so: asked at once, the one does not wait for the other
        match select(own, self.resolve(candidate, other)).await {
            Either::Left((own, sibling)) => self.with_sibling(own, sibling).await,
            Either::Right((sibling, own)) => {
                let own = own.await;
                self.with_sibling(own, Box::pin(async move { sibling })).await
            }
        }
    }

    async fn with_sibling(self, own: Served, sibling: Boxed<'a, Served>) -> Outcome {
        match (self.judge)(finding(&own), Sibling::Unknown) {
            Judgement::AskSibling => {
                let sibling = sibling.await;
                self.outcome(own, Some(sibling))
            }
            _ => self.outcome(own, None),
        }
    }

    /// What the reply to the type asked for and that of its sibling, if there is one, come to.
    pub(crate) fn outcome(self, own: Served, sibling: Option<Served>) -> Outcome {
        let said = match &sibling {
            Some(sibling) => Sibling::Known(finding(sibling)),
            None if qualify::sibling(self.query.rtype).is_some() => Sibling::Unknown,
            None => Sibling::None,
        };
        match ((self.judge)(finding(&own), said), own, sibling) {
            (Judgement::Positive, Ok(own), _) => Outcome::Positive(own),
            (Judgement::NoData, Ok(own), sibling) => Outcome::NoData(own, sibling.and_then(Result::ok)),
            (Judgement::Next, own, sibling) => {
                Outcome::Missing([own.ok(), sibling.and_then(Result::ok)].into_iter().flatten().collect())
            }
            (_, own, sibling) => Outcome::Failed(own, sibling),
        }
    }

    fn resolve(self, candidate: &Candidate, rtype: RecordType) -> Boxed<'a, Served> {
        self.blocks.resolve(self.query.candidate(candidate.name.clone(), rtype))
    }
}

/// What a result says.
fn finding(served: &Served) -> Finding {
    let Ok(reply) = served else { return Finding::Failed };
    match reply.answer.rcode() {
        Rcode::NXDOMAIN => Finding::Missing,
        // what was cut may be missing: the client reads the whole over TCP
        Rcode::NOERROR if reply.answer.is_truncated() => Finding::Positive,
        Rcode::NOERROR if reply.answer.is_nodata() => Finding::NoData,
        Rcode::NOERROR => Finding::Positive,
        _ => Finding::Failed,
    }
}
