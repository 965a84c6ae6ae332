//! How many questions may be asked of a second upstream while the first is still expected to answer.

use std::sync::atomic::{AtomicU32, Ordering};

use contract::limits::HEDGE_SHARE;

/// Hundredths of a hedge: each question earns [`HEDGE_SHARE`] of them.
const COST: u32 = 100;
/// Hedges that can be saved up.
const SAVED_MAX: u32 = 10 * COST;

/// A count of tokens; full at the start.
#[derive(Debug)]
pub(crate) struct Hedge(AtomicU32);

impl Hedge {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(SAVED_MAX))
    }

    /// A question was asked.
    pub(crate) fn earn(&self) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| Some((saved + HEDGE_SHARE).min(SAVED_MAX)));
    }

    /// Takes what one hedge costs, if it is there.
    pub(crate) fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_are_a_share_of_the_questions() {
        let hedge = Hedge::new();
        while hedge.spend() {}
        let mut hedged = 0;
        for _ in 0..1_000 {
            hedge.earn();
            hedged += u32::from(hedge.spend());
        }
        assert_eq!(hedged, 1_000 * HEDGE_SHARE / 100);
    }
}
