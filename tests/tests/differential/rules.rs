//! Which deviation is which wanted difference. Each rule names one field and the circumstances in which it may deviate;
//! whatever no rule knows fails the run.

use nearpath_tests::Reply;

use super::deviation::{Deviation, Field};
use super::exchange::{Both, Said};
use super::fragment::{Fragment, Question};

/// A deviation and where it was seen.
#[derive(Debug)]
pub(crate) struct Seen<'s> {
    /// The fragment.
    pub fragment: &'s Fragment,
    /// What was asked.
    pub question: &'s Question,
    /// What both said.
    pub both: &'s Both,
    /// True if the same was asked before.
    pub again: bool,
    /// What deviates.
    pub deviation: &'s Deviation,
}

/// Each id with what recognises it.
type Rule = (&'static str, fn(&Seen<'_>) -> bool);

const RULES: &[Rule] = &[("recursion-available", |seen| seen.deviation.field == Field::Flag(0x0080)), ("size", |seen| seen.deviation.field==Field::EdnsSize && seen.deviation.nearpath=="1232")];

/// The wanted difference that a deviation is.
pub(crate) fn explain(seen: &Seen<'_>) -> Option<&'static str> {
    RULES.iter().find(|(_, is)| is(seen)).map(|(id, _)| *id)
}

impl Seen<'_> {
    fn replies(&self) -> Option<(&Reply, &Reply)> {
        match self.both {
            [Said::Reply(theirs, _), Said::Reply(ours, _)] => Some((theirs, ours)),
            _ => None,
        }
    }
}
