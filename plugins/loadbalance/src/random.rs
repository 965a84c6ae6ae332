//! Numbers that are spread evenly and cost little: good for balance, and for nothing that must not be guessed.

use std::cell::Cell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

thread_local! {
    /// Each thread has its own, so that nobody waits; the hasher's keys are the system's randomness.
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// A number below `limit`, which is at least 1.
pub(crate) fn below(limit: u32) -> u32 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    ((u64::from(mixed(state)) * u64::from(limit)) >> 32) as u32
}

/// The upper half of SplitMix64's output: every bit of the counter moves every bit of it.
fn mixed(counter: u64) -> u32 {
    let one = (counter ^ counter >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let two = (one ^ one >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((two ^ two >> 31) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_limit_comes_about_as_often() {
        let mut counts = [0u32; 5];
        for _ in 0..50_000 {
            counts[below(5) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "{counts:?}");
        assert_eq!(below(1), 0);
    }
}
