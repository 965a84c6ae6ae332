//! The judgement of one candidate, as a pure function: the rule that keeps an expanded answer equal to the pod's own.

/// What a result says about its name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// NOERROR with the type asked for (or cut short: the client asks again over TCP).
    Positive,
    /// NOERROR without it: the name exists.
    NoData,
    /// NXDOMAIN.
    Missing,
    /// No answer, or any other RCODE.
    Failed,
}

/// What is known of the same name's other address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling {
    /// The type asked for is no address.
    None,
    /// It was not asked, or has not said anything yet.
    Unknown,
    /// It says this.
    Known(Finding),
}

/// What follows for the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The sibling's word is needed.
    AskSibling,
    /// The name does not exist: the next candidate.
    Next,
    /// The candidate's answer is the answer.
    Positive,
    /// The name exists without this type: the walk ends, as the pod's own would.
    NoData,
    /// Nobody knows: the walk ends, because going on could hand the name to somebody else.
    Failed,
}

/// A rule of judgement.
pub type Judge = fn(Finding, Sibling) -> Judgement;

/// The rule. A and AAAA decide alike: a name is missing only if both say so, because servers exist that deny one family
/// of names that they have, and a stub that asks for both stops at the name that has one.
pub fn judge(own: Finding, sibling: Sibling) -> Judgement {
    match (own, sibling) {
        (Finding::Positive, _) => Judgement::Positive,
        (Finding::NoData, _) => Judgement::NoData,
        (Finding::Failed, _) => Judgement::Failed,
        (Finding::Missing, Sibling::Unknown) => Judgement::AskSibling,
        (Finding::Missing, Sibling::None | Sibling::Known(Finding::Missing)) => Judgement::Next,
        (Finding::Missing, Sibling::Known(Finding::Positive | Finding::NoData)) => Judgement::NoData,
        (Finding::Missing, Sibling::Known(Finding::Failed)) => Judgement::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nxdomain_of_both_families_goes_on() {
        use Finding::{Failed, Missing, NoData, Positive};
        for sibling in [Sibling::None, Sibling::Unknown, Sibling::Known(Missing), Sibling::Known(Positive)] {
            assert_eq!(judge(Positive, sibling), Judgement::Positive);
            assert_eq!(judge(NoData, sibling), Judgement::NoData);
            assert_eq!(judge(Failed, sibling), Judgement::Failed);
        }
        assert_eq!(judge(Missing, Sibling::None), Judgement::Next);
        assert_eq!(judge(Missing, Sibling::Unknown), Judgement::AskSibling);
        assert_eq!(judge(Missing, Sibling::Known(Missing)), Judgement::Next);
        assert_eq!(judge(Missing, Sibling::Known(Positive)), Judgement::NoData);
        assert_eq!(judge(Missing, Sibling::Known(NoData)), Judgement::NoData);
        assert_eq!(judge(Missing, Sibling::Known(Failed)), Judgement::Failed);
    }
}
