//! What the kernel shows of an address at one moment, and how two such moments differ.

use std::net::IpAddr;

use super::event::Mac;

/// A link: its index, and which of those that had this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Via {
    pub(super) index: u32,
    pub(super) born: u32,
}

/// What the kernel shows of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Where its host routes lead, in order, each once.
    pub(super) hops: Vec<(Via, Option<IpAddr>)>,
    /// Where it is a neighbour, and under which link-layer address.
    pub(super) neighbour: Option<(Via, Mac)>,
    /// The bridge port behind which that was seen.
    pub(super) port: Option<Via>,
    /// Counts the reasons to doubt that show in nothing else.
    pub(super) doubts: u32,
}

/// How a later moment differs from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Not at all.
    Equal,
    /// All that was shown is shown, and more.
    Grown,
    /// Something is no longer shown, and nothing contradicts it.
    Lost,
    /// Something is another.
    Other,
}

impl Shown {
    /// How `later` differs.
    pub(super) fn step(&self, later: &Self) -> Step {
        let doubts = if self.doubts == later.doubts { Step::Equal } else { Step::Other };
        let hops = part(self.hops.first().map(|_| &self.hops), later.hops.first().map(|_| &later.hops));
        let neighbour = part(self.neighbour, later.neighbour);
        [doubts, hops, neighbour, part(self.port, later.port)].into_iter().fold(Step::Equal, Step::worse)
    }
}

impl Step {
    fn worse(self, other: Self) -> Self {
        if other as u8 > self as u8 { other } else { self }
    }
}

fn part<T: PartialEq>(earlier: Option<T>, later: Option<T>) -> Step {
    match (earlier, later) {
        (None, None) => Step::Equal,
        (None, Some(_)) => Step::Grown,
        (Some(_), None) => Step::Lost,
        (Some(earlier), Some(later)) if earlier == later => Step::Equal,
        (Some(_), Some(_)) => Step::Other,
    }
}
