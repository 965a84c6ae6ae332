//! What a check finds: how it is, why, and what mends it.

use serde::Serialize;

/// Reasons and commands that one check tells; more are counted.
const TOLD_MAX: usize = 4;

/// How it is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// There was nothing to look at, or no way to.
    Skip,
    /// As it should be.
    Ok,
    /// Not as it should be; DNS works.
    Warn,
    /// Questions are lost or wrong, or will be.
    Fail,
}

/// What a check finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: State,
    /// In words.
    pub(super) reason: String,
    /// Commands and changes that mend it.
    pub(super) mend: Vec<String>,
}

impl Finding {
    pub(super) fn ok(reason: impl Into<String>) -> Self {
        Self { state: State::Ok, reason: reason.into(), mend: Vec::new() }
    }

    pub(super) fn skip(reason: impl Into<String>) -> Self {
        Self { state: State::Skip, reason: reason.into(), mend: Vec::new() }
    }

    pub(super) fn warn(reason: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Warn, reason: reason.into(), mend: vec![mend.into()] }
    }

    pub(super) fn fail(reason: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Fail, reason: reason.into(), mend: vec![mend.into()] }
    }

    /// The worst of several, with all reasons that are as bad; `none` is told if there are none.
    pub(super) fn worst(findings: impl IntoIterator<Item = Self>, none: &str) -> Self {
        let all: Vec<Self> = findings.into_iter().collect();
        let Some(state) = all.iter().map(|finding| finding.state).max() else { return Self::skip(none) };
        let as_bad = || all.iter().filter(|finding| finding.state == state);
        let mut reasons = distinct(as_bad().map(|finding| &finding.reason));
        let left_out = reasons.len().saturating_sub(TOLD_MAX);
        reasons.truncate(TOLD_MAX);
        if left_out > 0 {
            reasons.push(format!("and {left_out} more"));
        }
        let mut mend = distinct(as_bad().flat_map(|finding| &finding.mend));
        mend.truncate(TOLD_MAX);
        Self { state, reason: reasons.join("; "), mend }
    }
}

fn distinct<'t>(texts: impl Iterator<Item = &'t String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for text in texts {
        if !distinct.contains(text) {
            distinct.push(text.clone());
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_and_only_it_is_told() {
        let all = [Finding::ok("a"), Finding::warn("b", "x"), Finding::warn("c", "x"), Finding::skip("d")];
        let worst = Finding::worst(all.clone(), "");
        assert_eq!((worst.state, worst.reason.as_str(), worst.mend.len()), (State::Warn, "b; c", 1));
        let worst = Finding::worst(all.into_iter().chain([Finding::fail("e", "y")]), "");
        assert_eq!((worst.state, worst.reason.as_str()), (State::Fail, "e"));
        assert_eq!(Finding::worst([], "nothing there"), Finding::skip("nothing there"));
    }

    #[test]
    fn many_reasons_are_counted() {
        let many = (0..9).map(|number| Finding::fail(format!("r{number}"), "m"));
        assert_eq!(Finding::worst(many, "").reason, "r0; r1; r2; r3; and 5 more");
    }
}
