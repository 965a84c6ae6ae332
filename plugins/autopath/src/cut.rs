//! The NXDOMAIN cut (RFC 8020): below a name that does not exist there is nothing. Here: where it is taken, and what proves it.

use std::time::Duration;

use contract::limits::CUT_AHEAD;
use contract::wire::Name;
use contract::{Reply, SearchList};

use crate::ask::Outcome;
use crate::candidates::{Candidate, Position};
use crate::cuts::Told;

/// What of the cut a test may break on purpose.
#[derive(Clone, Copy, Debug)]
pub struct CutRules {
    /// Whether candidates are covered whose search domain stands inside the cluster's zone, or does not.
    pub covers: fn(inside: bool) -> bool,
    /// Whether a cut holds whose name exists, or does not.
    pub holds: fn(exists: bool) -> bool,
}

impl Default for CutRules {
    /// Only inside the cluster's zone: outside it servers deny names that have others below them. Only where the name does
    /// not exist.
    fn default() -> Self {
        Self { covers: |inside| inside, holds: |exists| !exists }
    }
}

/// The shortest name below a search domain that stands above a candidate.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// It as a candidate, because it is asked and judged as one.
    pub(crate) candidate: Candidate,
    /// The search domain.
    pub(crate) domain: Name,
}

impl Cut {
    /// The cut above a candidate; `None` if it has none: the rest has one label, or nothing is denied so far down there.
    pub(crate) fn above(candidate: &Candidate, rest: &[u8], list: &SearchList, rules: CutRules) -> Option<Self> {
        let Position::Domain(number) = candidate.position else { return None };
        let last = last_label(rest).filter(|label| label.len() < rest.len())?;
        let domain = list.domains.get(number).filter(|_| (rules.covers)(candidate.covered))?;
        let name = Name::join(last, domain)?;
        Some(Self { candidate: Candidate { name, ..candidate.clone() }, domain: domain.clone() })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.candidate.name
    }
}

/// What proves that the name of the cut does not exist; `None` if that is not proven. A CNAME exists, wherever it leads
/// (RFC 8020 2).
pub(crate) fn proof(outcome: Outcome, rules: CutRules) -> Option<Vec<Reply>> {
    let (exists, replies) = match outcome {
        Outcome::Missing(proofs) => (proofs.iter().any(has_answers), proofs),
        Outcome::Positive(reply) => (true, vec![reply]),
        Outcome::NoData(own, sibling) => (true, [own].into_iter().chain(sibling).collect()),
        Outcome::Failed(..) => return None,
    };
    (!replies.is_empty() && (rules.holds)(exists)).then_some(replies)
}

/// True if the outcome says nothing about the name that holds for others as well: it failed, or shows data that is for
/// this client only, as a policy's empty answer is.
pub(crate) fn says_nothing(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(..) => true,
        Outcome::Positive(own) => !own.storable,
        Outcome::NoData(own, sibling) => ![Some(own), sibling.as_ref()].into_iter().flatten().all(|one| one.storable),
        Outcome::Missing(_) => false,
    }
}

/// What asking a cut said, for those who care for it; `unknown` if it [`says_nothing`].
pub(crate) fn told(proof: Option<&[Reply]>, unknown: bool) -> Told {
    let Some(replies) = proof else { return if unknown { Told::Failed } else { Told::Useless } };
    if replies.iter().any(Reply::is_stale) {
        return Told::Failed;
    }
    let life = replies.iter().map(|reply| reply.true_for().filter(|_| reply.storable)).min().flatten();
    life.filter(|life| !life.is_zero()).map_or(Told::Useless, Told::Denied)
}

/// When a proof is renewed, counted from now, if it is true for so long from now on. `jitter` spreads those that were got
/// together.
pub(crate) fn renewed_after(life: Duration, jitter: u64) -> Duration {
    let ahead = (life / 4).min(CUT_AHEAD);
    let spread = u32::try_from(jitter % 16).expect("below 16");
    life.saturating_sub(ahead + ahead * spread / 64)
}

fn has_answers(reply: &Reply) -> bool {
    reply.answer.message().section(contract::wire::Section::Answer).next().is_some()
}

/// The last of the labels (wire form, without root), with its length.
fn last_label(labels: &[u8]) -> Option<&[u8]> {
    let mut left = labels;
    loop {
        let length = 1 + usize::from(*left.first()?);
        match left.split_at_checked(length)? {
            (last, []) => return Some(last),
            (_, tail) => left = tail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::candidates;
    use contract::wire::{Class, Rcode, RecordType};
    use contract::{Answer, SearchLists, Source};

    fn cuts(rest: &str, search: &[&str], zones: &[&str]) -> Vec<Option<String>> {
        let names = |texts: &[&str]| texts.iter().map(|text| Name::parse(text).unwrap()).collect::<Vec<_>>();
        let list = SearchLists::default().intern(&names(search));
        let rest = Name::parse(rest).unwrap();
        let rest = Name::strip(rest.as_wire(), Name::root().as_wire()).unwrap();
        let all = candidates(rest, &list, &names(zones));
        let cut = |one: &Candidate| Cut::above(one, rest, &list, CutRules::default());
        all.iter().map(|one| cut(one).map(|cut| cut.name().to_string())).collect()
    }

    #[test]
    fn the_cut_stands_below_search_domains_of_the_cluster() {
        let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
        let stock = ["shop.svc.d.e", "svc.d.e", "d.e", "corp.example"];
        let inside = some(&["com.shop.svc.d.e.", "com.svc.d.e.", "com.d.e."]);
        assert_eq!(cuts("www.x.com", &stock, &["d.e"]), [inside.clone(), vec![None, None]].concat());
        assert_eq!(
            cuts("x.com", &stock, &["."]),
            [inside, vec![None, None]].concat(),
            "the cluster as the list shows it"
        );
        assert_eq!(cuts("web", &stock, &["d.e"]), vec![None; 5], "one label");
        // inside the zone is the candidate, not the search domain
        assert_eq!(cuts("web.d", &["e", "."], &["d.e"]), vec![None; 2]);
        assert_eq!(cuts("web.svc.d.e", &["corp"], &["d.e"]), vec![None; 2]);
    }

    #[test]
    fn what_one_client_is_told_is_no_word_for_all() {
        let reply = |rcode| {
            let answer = Answer::empty(&Name::parse("com.d").unwrap(), RecordType::A, Class::IN, rcode);
            Reply::fresh(answer, Source::Plugin("server"))
        };
        let told = |outcome| {
            let unknown = says_nothing(&outcome);
            told(proof(outcome, CutRules::default()).as_deref(), unknown)
        };
        let (denied, nodata) = (reply(Rcode::NXDOMAIN), reply(Rcode::NOERROR));
        let filtered = || Some(nodata.clone().unstored());
        assert_eq!(told(Outcome::NoData(denied.clone(), filtered())), Told::Failed);
        assert_eq!(told(Outcome::NoData(nodata.clone().unstored(), None)), Told::Failed);
        assert_eq!(told(Outcome::NoData(denied, Some(nodata.clone()))), Told::Useless);
        assert_eq!(told(Outcome::Positive(nodata)), Told::Useless);
    }

    #[test]
    fn a_proof_is_renewed_ahead_of_its_end_and_not_too_soon() {
        for jitter in 0..64 {
            for seconds in [1, 5, 30, 300] {
                let life = Duration::from_secs(seconds);
                let after = renewed_after(life, jitter);
                assert!(after >= life * 2 / 3 && after <= life * 3 / 4 || life - after <= CUT_AHEAD * 5 / 4);
                assert!(life - after >= (life / 4).min(CUT_AHEAD));
            }
        }
        assert_eq!(renewed_after(Duration::from_secs(300), 0), Duration::from_secs(295));
    }
}
