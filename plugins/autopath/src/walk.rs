//! The walk: candidates in order, those inside the cluster together, until one decides.

use std::borrow::Cow;

use contract::wire::{Name, Rcode};
use contract::{Failure, Query, Reply, SearchList, Served, What};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use crate::answers;
use crate::ask::{Asking, Outcome};
use crate::candidates::{self, Candidate, Position};
use crate::cuts::Cuts;
use crate::facts::Facts;
use crate::lean::{Search, Step};

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
pub(crate) async fn walk(
    asking: Asking<'_>,
    rest: &[u8],
    list: &SearchList,
    zones: &[Name],
    cuts: Option<&Cuts>,
) -> (End, Served) {
    let candidates = candidates::candidates(rest, list, zones);
    let groups = candidates::groups(&candidates, asking.labels);
    let search = Search::new(asking, list, cuts);
    let steps: Vec<Step> = candidates.into_iter().enumerate().map(|(at, one)| search.step(one, at, rest)).collect();
    let mut facts = Facts::new();
    let mut first: Option<Reply> = None;
    let mut asked = FuturesOrdered::new();
    let mut begun = 0;
    for (number, group) in groups.iter().enumerate() {
        // what leaves the cluster goes out beside candidates that a cut proves missing already: one round for both
        let beside = groups.get(number + 1).filter(|_| search.is_proven(&steps[group.clone()]));
        let end = beside.map_or(group.end, |beside| beside.end);
        asked.extend(steps.iter().take(end).skip(begun).map(|step| told(asking.query, list, step, search.judge(step))));
        begun = begun.max(end);
        for (at, step) in steps.iter().enumerate().take(group.end).skip(group.start) {
            match asked.next().await.expect("one outcome for each candidate") {
                Outcome::Missing(proofs) => {
                    proofs.iter().for_each(|proof| facts.rest_on_proof(proof));
                    first = first.or_else(|| proofs.into_iter().next());
                }
                decided => {
                    search.ended(at, &steps, matches!(decided, Outcome::Failed(..)));
                    return end_of(asking.query, &step.candidate, decided, facts);
                }
            }
        }
    }
    search.ended(steps.len(), &steps, false);
    // the rule never passes over a candidate without a proof; a rule broken by a test may
    let Some(first) = first else { return (End::Failed, Err(Failure::NotReady { what: "autopath" })) };
    (End::None, answers::denial(asking.query, Rcode::NXDOMAIN, &[&first], &facts))
}

/// What a candidate comes to, told where somebody wants to know.
async fn told(query: &Query, list: &SearchList, step: &Step, judged: impl Future<Output = Outcome>) -> Outcome {
    let begun = query.step_begins();
    let outcome = judged.await;
    query.tell_since(begun, || {
        let Candidate { name, position, .. } = &step.candidate;
        let of = Position::Absolute.place(list);
        What::Candidate { position: position.place(list), of, name: name.clone(), result: result(&outcome, name) }
    });
    outcome
}

fn result(outcome: &Outcome, candidate: &Name) -> Cow<'static, str> {
    match outcome {
        Outcome::Missing(proofs) => {
            let proof = proofs.first().and_then(|proof| proof.answer.message().question_name());
            match proof.filter(|proof| proof != candidate) {
                Some(cut) => format!("does not exist, since {cut} does not").into(),
                None => "does not exist".into(),
            }
        }
        Outcome::Positive(_) => "answers".into(),
        Outcome::NoData(..) => "exists, without such records".into(),
        Outcome::Failed(..) => "failed".into(),
    }
}

/// The answer of the candidate that decides.
fn end_of(query: &Query, candidate: &Candidate, outcome: Outcome, mut facts: Facts) -> (End, Served) {
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
