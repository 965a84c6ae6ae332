//! What is done about memory that runs short, look by look. No clock, no file.

/// The store never shrinks below this, octets: what is asked for all the time fits.
const STORE_MIN: u64 = 256 << 10;
/// So many looks at the least store do not help: then a few misses are let in again.
const PATIENCE: u32 = 5;

/// What was decided before.
#[derive(Debug)]
pub(super) struct Relief {
    /// The store's bound when there is enough.
    full: u64,
    under_pressure: bool,
    /// Looks in a row that found the store at its least and still too much used.
    in_vain: u32,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All misses are let in.
    Easy {
        /// The store's bound, octets.
        store: u64,
    },
    /// Misses are refused.
    Relieve {
        /// The store's bound, octets.
        store: u64,
        /// True: but for a few.
        trickle: bool,
        /// True: this is the first such look in a row.
        began: bool,
    },
}

impl Relief {
    pub(super) fn new(full: u64) -> Self {
        Self { full, under_pressure: false, in_vain: 0 }
    }

    /// `used` of the limit, while the store may take `store`, octets. Over 90 % it shrinks by a quarter at each look; below
    /// 80 % it grows by an eighth of its full size; in between it stays.
    pub(super) fn look(&mut self, (used, limit): (u64, u64), store: u64) -> Step {
        let share = |per_cent: u64| limit / 100 * per_cent;
        if used > share(90) {
            let began = !std::mem::replace(&mut self.under_pressure, true);
            let least = STORE_MIN.min(self.full);
            self.in_vain = if store <= least { self.in_vain + 1 } else { 0 };
            return Step::Relieve { store: (store / 4 * 3).max(least), trickle: self.in_vain >= PATIENCE, began };
        }
        self.under_pressure = false;
        self.in_vain = 0;
        let grown = if used < share(80) { store + self.full / 8 } else { store };
        Step::Easy { store: grown.min(self.full) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100_000_000;
    const FULL: u64 = 32_000_000;

    #[test]
    fn the_store_shrinks_at_once_and_grows_slowly() {
        let mut relief = Relief::new(FULL);
        assert_eq!(relief.look((50_000_000, LIMIT), FULL), Step::Easy { store: FULL });
        let Step::Relieve { store, trickle: false, began: true } = relief.look((90_000_001, LIMIT), FULL) else {
            panic!()
        };
        assert_eq!(store, 24_000_000);
        assert_eq!(
            relief.look((91_000_000, LIMIT), store),
            Step::Relieve { store: 18_000_000, trickle: false, began: false }
        );
        assert_eq!(relief.look((85_000_000, LIMIT), 18_000_000), Step::Easy { store: 18_000_000 });
        assert_eq!(relief.look((79_000_000, LIMIT), 18_000_000), Step::Easy { store: 22_000_000 });
        assert_eq!(relief.look((79_000_000, LIMIT), 30_000_000), Step::Easy { store: FULL });
    }

    #[test]
    fn when_nothing_helps_a_few_misses_are_let_in() {
        let mut relief = Relief::new(FULL);
        let (mut store, mut looks) = (FULL, 0);
        loop {
            let Step::Relieve { store: next, trickle, .. } = relief.look((LIMIT, LIMIT), store) else { panic!() };
            assert!(next >= STORE_MIN);
            (store, looks) = (next, looks + 1);
            if trickle {
                break;
            }
            assert!(looks < 60);
        }
        assert_eq!(store, STORE_MIN);
        assert_eq!(relief.look((0, LIMIT), store), Step::Easy { store: STORE_MIN + FULL / 8 });
    }

    #[test]
    fn a_store_smaller_than_the_least_stays_as_it_is() {
        let mut relief = Relief::new(1_000);
        assert!(matches!(relief.look((LIMIT, LIMIT), 1_000), Step::Relieve { store: 1_000, .. }));
    }
}
