//! A token bucket by virtual scheduling (GCRA, ITU-T I.371): whether one more message may leave now, or when it may.
//!
//! In any second at most `burst + per_second` messages leave, wherever the second begins.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Rate;

/// Messages leave a little more slowly than they may, by a fiftieth. On their way some catch up with those before them, and the
/// second that counts is the one at the other end.
const SECOND: Duration = Duration::from_millis(1_020);

/// When messages may leave. Its whole state is one moment.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    /// So far messages may run ahead of the schedule.
    tolerance: Duration,
    /// When the next message would leave if they left evenly.
    scheduled: Instant,
}

impl Bucket {
    /// Full.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let interval = (SECOND / rate.per_second.max(1)).max(Duration::from_nanos(1)) + Duration::from_nanos(1);
        Self { interval, tolerance: interval * (rate.burst.max(1) - 1), scheduled: now }
    }

    /// How long until a message may leave that has so many others before it.
    pub(crate) fn wait(&self, before: u32, now: Instant) -> Duration {
        let from = self.scheduled.max(now) + self.interval * before;
        from.saturating_duration_since(now + self.tolerance)
    }

    /// Lets a message leave, if it may.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let may = self.wait(0, now).is_zero();
        if may {
            self.scheduled = self.scheduled.max(now) + self.interval;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    const A_SECOND: Duration = Duration::from_secs(1);

    /// The most that left within one second, wherever it begins; both its ends belong to it.
    fn most(left: &[Instant]) -> usize {
        let within = |first: usize| left[first..].iter().take_while(|at| **at - left[first] <= A_SECOND).count();
        (0..left.len()).map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_second_holds_more_than_the_burst_and_the_rate() {
        for seed in 0..400 {
            let mut random = StdRng::seed_from_u64(seed);
            let rate = Rate { per_second: random.random_range(1..=400), burst: random.random_range(1..=120) };
            let mut now = Instant::now();
            let (mut bucket, mut left) = (Bucket::new(rate, now), Vec::new());
            for _ in 0..2_000 {
                now += match random.random_range(0..20) {
                    0 => Duration::from_millis(random.random_range(0..3_000)),
                    1..10 => Duration::from_micros(random.random_range(0..20_000)),
                    10..15 => bucket.wait(0, now), // the very moment at which it may
                    _ => Duration::ZERO,
                };
                if bucket.take(now) {
                    left.push(now);
                }
            }
            let bound = (rate.burst + rate.per_second) as usize;
            assert!(most(&left) <= bound, "seed {seed}, {rate:?}: {}", most(&left));
        }
    }

    #[test]
    fn hardly_less_than_the_rate_leaves_and_the_burst_at_once() {
        for rate in [
            Rate { per_second: 100, burst: 50 },
            Rate { per_second: 3, burst: 1 },
            Rate { per_second: 7_000, burst: 9 },
        ] {
            let begun = Instant::now();
            let (mut bucket, mut now, mut count) = (Bucket::new(rate, begun), begun, 0);
            while now < begun + 10 * A_SECOND {
                let wait = bucket.wait(0, now);
                assert_eq!(bucket.take(now), wait.is_zero());
                count += u32::from(wait.is_zero());
                assert!(!wait.is_zero() || count > rate.burst - 1 || now == begun, "{rate:?}");
                now += wait;
            }
            let least = rate.burst + rate.per_second * 10 * 97 / 100;
            assert!(count >= least && count <= rate.burst + rate.per_second * 10, "{rate:?}: {count} of {least}");
        }
    }

    #[test]
    fn a_wait_counts_those_before() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 2 }, now);
        assert_eq!((bucket.wait(0, now), bucket.wait(1, now)), (Duration::ZERO, Duration::ZERO));
        assert!(bucket.take(now) && bucket.take(now) && !bucket.take(now));
        let (next, after) = (bucket.wait(0, now), bucket.wait(1, now));
        assert_eq!(after, next + bucket.interval);
        assert!(!bucket.take(now + next - Duration::from_nanos(1)) && bucket.take(now + next));
    }

    #[test]
    fn any_numbers_are_taken() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: u32::MAX, burst: u32::MAX }, now);
        assert!(bucket.take(now) && bucket.wait(u32::MAX, now) < Duration::from_secs(60));
        let mut slow = Bucket::new(Rate { per_second: 1, burst: u32::MAX }, now);
        assert!(slow.take(now) && slow.wait(u32::MAX, now) < Duration::from_secs(3));
    }
}
