//! The walk: candidates in order, those inside the cluster together, until one decides.

use contract::wire::{Name, Rcode};
use contract::{Failure, Query, Reply, SearchList, Served};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use crate::answers;
use crate::ask::{Asking, Outcome};
use crate::candidates::{self, Candidate, Position};
use crate::facts::Facts;

/// How a walk ended, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// This candidate decided.
    Decided(Position),
    /// No candidate exists.
    None,
    /// A candidate failed.
    Failed,
}

/// Walks one search list for one question.
pub(crate) async fn walk(asking: Asking<'_>, rest: &[u8], list: &SearchList, zones: &[Name]) -> (End, Served) {
    let candidates = candidates::candidates(rest, list, zones);
    let mut facts = Facts::new();
    let mut first: Option<Reply> = None;
    for group in candidates::groups(&candidates, asking.labels) {
        let group = &candidates[group];
        let mut asked: FuturesOrdered<_> = group.iter().map(|candidate| asking.ask(candidate)).collect();
        for candidate in group {
            let outcome = asked.next().await.expect("one outcome for each candidate");
            match outcome {
                Outcome::Missing(proofs) => {
                    proofs.iter().for_each(|proof| facts.rest_on_proof(proof));
                    first = first.or_else(|| proofs.into_iter().next());
                }
                decided => return end(asking.query, candidate, decided, facts),
            }
        }
    }
    // the rule never passes over a candidate without a proof; a rule broken by a test may
    let Some(first) = first else { return (End::Failed, Err(Failure::NotReady { what: "autopath" })) };
    (End::None, answers::denial(asking.query, Rcode::NXDOMAIN, &[&first], &facts))
}

/// The answer of the candidate that decides.
fn end(query: &Query, candidate: &Candidate, outcome: Outcome, mut facts: Facts) -> (End, Served) {
    let decided = End::Decided(candidate.position);
    let as_asked = candidate.name == query.name;
    match outcome {
        // the asked name's own answer needs no other fact, and keeps its own chain of CNAMEs
        Outcome::Positive(reply) | Outcome::NoData(reply, None) if as_asked => (decided, Ok(reply)),
        Outcome::Positive(reply) => {
            facts.rest_on(&reply);
            (decided, answers::behind_cname(query, &candidate.name, &reply, &facts))
        }
        Outcome::NoData(reply, None) => {
            facts.rest_on(&reply);
            (decided, answers::denial(query, Rcode::NOERROR, &[&reply], &facts))
        }
        Outcome::NoData(reply, Some(sibling)) => {
            facts.rest_on(&reply);
            facts.rest_on(&sibling);
            (decided, answers::denial(query, Rcode::NOERROR, &[&reply, &sibling], &facts))
        }
        // the stub is told what it asked, word for word, and walks on or ends as it does without us: glibc goes on after
        // SERVFAIL, but not after REFUSED
        Outcome::Failed(own, _) if as_asked => (End::Failed, own.map(Reply::unstored)),
        Outcome::Failed(own, sibling) => (End::Failed, answers::failed(query, &candidate.name, sibling.unwrap_or(own))),
        Outcome::Missing(_) => unreachable!("a missing candidate does not decide"),
    }
}
