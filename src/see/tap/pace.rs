//! How many queries a desk shows: all of them while they are few, else a share, and never more than a bound.

use contract::Moment;
use contract::limits::{TAP_SHOWN_PER_STEP_MAX, TAP_STEP};

/// Of a step's bound, what is used up before the share gets smaller.
const HALF: u32 = TAP_SHOWN_PER_STEP_MAX / 2;
/// A step as moments count it.
const STEP_MS: u64 = TAP_STEP.as_millis() as u64;

/// The pace of one desk.
///
/// In a step the first half of what may be shown is shown with the share that the step before would have needed; with half of
/// the rest the share is halved, and so on. Which queries of a share are shown is drawn, because clients ask in patterns: of
/// those who ask for A and AAAA in turns, each second one would be A alone.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the step began.
    began: Moment,
    /// Queries of this step.
    seen: u32,
    /// Those that were shown.
    shown: u32,
    /// One of so many is shown.
    one_of: u32,
    /// With so many shown the share is halved.
    halve_at: u32,
    /// Queries since the last one that was shown.
    passed: u32,
    /// The one that is shown next, counted as these.
    next: u32,
    random: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        let began = Moment(0);
        Self { began, seen: 0, shown: 0, one_of: 1, halve_at: HALF, passed: 0, next: 1, random: 0x9e37_79b9 }
    }

    /// One more query; if it is to be shown, for how many it stands.
    #[inline]
    pub(super) fn is_due(&mut self, now: Moment) -> Option<u32> {
        if now.0.saturating_sub(self.began.0) >= STEP_MS {
            self.step(now);
        }
        self.seen = self.seen.saturating_add(1);
        self.passed = self.passed.saturating_add(1);
        match self.passed >= self.next && self.shown < TAP_SHOWN_PER_STEP_MAX {
            true => Some(self.take()),
            false => None,
        }
    }

    /// The one that was to be shown could not be: the next one stands for its queries too.
    pub(super) fn give_back(&mut self, weight: u32) {
        self.passed = self.passed.saturating_add(weight);
    }

    /// Nobody looks: what passes is not stood for.
    pub(super) fn rest(&mut self) {
        self.passed = 0;
    }

    fn take(&mut self) -> u32 {
        let weight = std::mem::take(&mut self.passed);
        self.shown += 1;
        if self.shown >= self.halve_at {
            self.one_of = self.one_of.saturating_mul(2);
            self.halve_at += (TAP_SHOWN_PER_STEP_MAX - self.halve_at).div_ceil(2);
        }
        self.draw();
        weight
    }

    fn step(&mut self, now: Moment) {
        let steps = now.0.saturating_sub(self.began.0) / STEP_MS;
        let per_step = self.seen / u32::try_from(steps).unwrap_or(u32::MAX).max(1);
        let one_of = per_step.div_ceil(HALF).max(1);
        if self.shown >= TAP_SHOWN_PER_STEP_MAX {
            self.passed = 0; // a sudden burst: one query is not to stand for thousands
        }
        (self.began, self.seen, self.shown, self.halve_at) = (now, 0, 0, HALF);
        if std::mem::replace(&mut self.one_of, one_of) > one_of {
            self.next = self.next.min(self.passed + one_of);
        }
    }

    /// How far away the next one is: `one_of` in the middle.
    fn draw(&mut self) {
        // xorshift: who asks cannot see it, so it need not be better
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let span = u64::from(self.one_of) * 2 - 1;
        self.next = 1 + ((u64::from(self.random) * span) >> 32) as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What is shown of `per_step` queries in each of so many steps: how many, and for how many they stand, step by step.
    fn shown(pace: &mut Pace, from: Moment, per_step: u32, steps: u32) -> Vec<(u32, u64)> {
        let of_step = |step: u32| {
            let began = from.after(TAP_STEP * step);
            let mut sum = (0, 0);
            for index in 0..per_step {
                let now = began.after(TAP_STEP * index / per_step.max(1));
                if let Some(weight) = pace.is_due(now) {
                    sum = (sum.0 + 1, sum.1 + u64::from(weight));
                }
            }
            sum
        };
        (0..steps).map(of_step).collect()
    }

    #[test]
    fn few_are_all_shown() {
        let mut pace = Pace::new();
        assert!(shown(&mut pace, Moment(1_000), HALF - 1, 5).iter().all(|one| *one == (HALF - 1, u64::from(HALF - 1))));
    }

    #[test]
    fn many_are_shown_as_a_share_that_stands_for_all() {
        let mut pace = Pace::new();
        for per_step in [1_000, 30_000, 500_000] {
            let steps = shown(&mut pace, Moment(1_000).after(Duration::from_secs(per_step.into())), per_step, 10);
            assert!(steps.iter().all(|(shown, _)| *shown <= TAP_SHOWN_PER_STEP_MAX), "{steps:?}");
            assert!(steps[1..].iter().all(|(shown, _)| *shown >= HALF / 2), "{steps:?}");
            let sum: u64 = steps[1..].iter().map(|(_, weight)| weight).sum();
            let all = u64::from(per_step) * 9;
            assert!(sum.abs_diff(all) <= all / 10, "{sum} of {all}");
        }
        let quiet = shown(&mut pace, Moment(1_000_000_000), 10, 3);
        assert_eq!(quiet[2], (10, 10), "all are shown again once they are few");
    }

    #[test]
    fn a_pattern_of_questions_is_shown_as_it_is() {
        let mut pace = Pace::new();
        let mut weights = [0_u64; 2];
        for index in 0..2_000_000_u32 {
            let now = Moment(1_000 + u64::from(index) / 50);
            if let Some(weight) = pace.is_due(now) {
                weights[index as usize % 2] += u64::from(weight);
            }
        }
        let share = weights[0] as f64 / (weights[0] + weights[1]) as f64;
        assert!((share - 0.5).abs() < 0.05, "{weights:?}");
    }

    #[test]
    fn what_could_not_be_shown_is_stood_for_by_the_next() {
        let mut pace = Pace::new();
        assert_eq!(pace.is_due(Moment(1_000)), Some(1));
        pace.give_back(1);
        assert_eq!(pace.is_due(Moment(1_000)), Some(2));
        pace.give_back(2);
        pace.rest();
        assert_eq!(pace.is_due(Moment(1_000)), Some(1));
    }
}
