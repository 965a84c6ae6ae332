//! One search and its cuts: which candidates are asked, and which are taken for missing because a cut proves it.
//!
//! ```text
//!   never judged before, or no cut ---> asked in full
//!   judged missing before, cut denied -> the cut is asked (mostly memory knows) --proof--> missing
//!                                                      '--no proof--> asked in full
//!   1 in 64 renewals of the cut -------> both are asked, and the candidate itself counts
//! ```

use contract::SearchList;
use contract::wire::RecordType;
use futures_util::future::join;

use crate::ask::{Asking, Outcome};
use crate::candidates::Candidate;
use crate::cut::{self, Cut};
use crate::cuts::{Cuts, Lean};
use crate::qualify;

/// A search of one list for one question.
pub(crate) struct Search<'a> {
    asking: Asking<'a>,
    cuts: Option<Known<'a>>,
}

/// What is known of it from before.
struct Known<'a> {
    cuts: &'a Cuts,
    list: &'a SearchList,
    /// It as a number.
    search: u64,
    /// Its name as a number.
    name: u64,
    /// Candidates that were judged in full before, from the first one on.
    judged: usize,
}

/// A candidate and the way to judge it.
pub(crate) struct Step {
    pub(crate) candidate: Candidate,
    cut: Option<Cut>,
    lean: Lean,
    /// It was judged in full before.
    again: bool,
}

impl<'a> Search<'a> {
    /// The search for the question of `asking`. Without `cuts` every candidate is asked in full.
    pub(crate) fn new(asking: Asking<'a>, list: &'a SearchList, cuts: Option<&'a Cuts>) -> Self {
        let query = asking.query;
        let cuts = cuts.filter(|_| asking.labels > 1 && Cuts::suits(query)).map(|cuts| {
            let search = cuts.seen.search(list.id, &query.name, query.rtype);
            let name = cuts.seen.name(list.id, &query.name);
            Known { cuts, list, search, name, judged: cuts.seen.judged(search) }
        });
        Self { asking, cuts }
    }

    /// How the candidate in this place is judged. `rest` is what stands before the search domains.
    pub(crate) fn step(&self, candidate: Candidate, at: usize, rest: &[u8]) -> Step {
        let full = |candidate, cut, again| Step { candidate, cut, lean: Lean::Unknown, again };
        let Some(known) = &self.cuts else { return full(candidate, None, false) };
        let again = at < known.judged;
        let cut = Cut::above(&candidate, rest, known.list, known.cuts.rules).filter(|cut| {
            known.cuts.is_trusted(&cut.domain) && self.asking.blocks.is_same_block(cut.name(), &candidate.name)
        });
        match cut {
            Some(cut) if again => {
                let lean = known.cuts.lean(&cut, self.asking.query.rtype);
                Step { candidate, cut: Some(cut), lean, again }
            }
            cut => full(candidate, cut, again),
        }
    }

    /// True if memory has a proof of each cut, so that what follows may be asked beside these candidates.
    pub(crate) fn is_proven(&self, steps: &[Step]) -> bool {
        let waits = steps.iter().any(|step| step.lean != Lean::Denied);
        waits && steps.iter().all(|step| step.cut.as_ref().is_some_and(|cut| self.is_stored(cut)))
    }

    /// Judges one candidate.
    pub(crate) async fn judge(&self, step: &Step) -> Outcome {
        let (Some(known), Some(cut)) = (&self.cuts, &step.cut) else { return self.full(step).await };
        match step.lean {
            Lean::Unknown => self.full(step).await,
            Lean::Denied => match self.lean(known, cut).await {
                Some(missing) => {
                    known.cuts.counts.saved.increment();
                    missing
                }
                None => self.full(step).await,
            },
            Lean::Check => match join(self.full(step), self.lean(known, cut)).await {
                // what fails may be missing all the same
                (Outcome::Failed(..), Some(missing)) => missing,
                (full, _) => full,
            },
        }
    }

    /// The walk ended at the step in this place, or behind the last: which cuts would have been of use, and what need not be
    /// asked in full next time. One that `failed` says nothing of what was known before.
    pub(crate) fn ended(&self, at: usize, steps: &[Step], failed: bool) {
        let Some(known) = &self.cuts else { return };
        if steps.iter().all(|step| step.cut.is_none()) {
            return;
        }
        known.cuts.seen.note(known.search, if failed { at.max(known.judged) } else { at });
        for step in steps.iter().take(at).filter(|step| step.lean == Lean::Unknown) {
            if let Some(cut) = &step.cut {
                known.cuts.want(cut, known.name, step.again, self.asking.query, self.asking.blocks);
            }
        }
    }

    /// The candidate's own word. If it exists, that may contradict a cut, and everybody should know.
    async fn full(&self, step: &Step) -> Outcome {
        let outcome = self.asking.ask(&step.candidate).await;
        let (Some(known), Some(_)) = (&self.cuts, &step.cut) else { return outcome };
        let replies = match &outcome {
            Outcome::Positive(own) => [Some(own), None],
            Outcome::NoData(own, sibling) => [Some(own), sibling.as_ref()],
            Outcome::Missing(_) | Outcome::Failed(..) => [None, None],
        };
        for reply in replies.into_iter().flatten() {
            let rtype = reply.answer.message().question_type();
            let asked = self.asking.query.candidate(step.candidate.name.clone(), rtype);
            known.cuts.look(&asked, &Ok(reply.clone()), self.asking.blocks);
        }
        outcome
    }

    /// What the cut proves about candidates below it.
    async fn lean(&self, known: &Known<'_>, cut: &Cut) -> Option<Outcome> {
        // whoever cares for the cut renews it; a search takes what memory has
        let query = contract::Query { refresh: false, ..self.asking.query.clone() };
        let outcome = Asking { query: &query, ..self.asking }.ask(&cut.candidate).await;
        let unknown = cut::says_nothing(&outcome);
        let proof = cut::proof(outcome, known.cuts.rules);
        known.cuts.note(cut, query.rtype, cut::told(proof.as_deref(), unknown), false);
        proof.map(Outcome::Missing)
    }

    /// True if memory proves the cut, for both address families where both decide.
    fn is_stored(&self, cut: &Cut) -> bool {
        let query = self.asking.query;
        let stored = |rtype: RecordType| self.asking.blocks.stored(&query.candidate(cut.name().clone(), rtype));
        let Some(own) = stored(query.rtype) else { return false };
        let sibling = match qualify::sibling(query.rtype) {
            Some(other) => match stored(other) {
                Some(sibling) => Some(sibling),
                None => return false,
            },
            None => None,
        };
        let rules = self.cuts.as_ref().map(|known| known.cuts.rules).unwrap_or_default();
        cut::proof(self.asking.outcome(own, sibling), rules).is_some()
    }
}
