//! A token bucket by virtual scheduling (GCRA, ITU-T I.371): whether one more message may leave now, or when it may.
//!
//! In any second at most `burst + per_second` messages leave, wherever the second begins.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Rate;

/// Messages leave a little more slowly than they may, by a fiftieth. On their way some catch up with those before them, and the
/// second that counts is the one at the other end.
const SECOND: Duration = Duration::from_millis(1_020).saturating_add(LATE_MAX);
/// Whoever waits for a token is woken so late at most, or loses what is above it: timers tick in milliseconds, and several
/// tokens may come within one. So much longer is the second that counts for it.
const LATE_MAX: Duration = Duration::from_millis(5);

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

    /// Full, for at most half of what that rate lets leave, in steady use. One that has to wait for a message of the other half
    /// catches up with that.
    pub(crate) fn half_of(rate: Rate, now: Instant) -> Self {
        let whole = Self::new(rate, now).interval;
        let tolerance = whole.max(2 * whole * ((rate.burst / 2).max(1) - 1));
        Self { interval: 2 * whole, tolerance, scheduled: now }
    }

    /// How long until a message may leave that has so many others before it.
    pub(crate) fn wait(&self, before: u32, now: Instant) -> Duration {
        let from = self.scheduled.max(now) + self.interval * before;
        from.saturating_duration_since(now + self.tolerance)
    }

    /// Lets a message leave, if it may. `since`: when it began to wait. One that is woken late counts as if it had left when
    /// it might have, so that those who wait behind it do not pay for that.
    pub(crate) fn take(&mut self, since: Instant, now: Instant) -> bool {
        let may = self.wait(0, now).is_zero();
        if may {
            let left = now - LATE_MAX.min(now.saturating_duration_since(since));
            self.scheduled = self.scheduled.max(left) + self.interval;
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
            let (mut now, late) = (Instant::now() + A_SECOND, seed.is_multiple_of(2));
            let (mut bucket, mut left) = (Bucket::new(rate, now), Vec::new());
            for _ in 0..2_000 {
                now += match random.random_range(0..20) {
                    0 => Duration::from_millis(random.random_range(0..3_000)),
                    1..10 => Duration::from_micros(random.random_range(0..20_000)),
                    10..15 => bucket.wait(0, now), // the very moment at which it may
                    _ => Duration::ZERO,
                };
                // some have just come, others were woken late
                let late = Duration::from_micros(random.random_range(0..12_000)) * u32::from(late);
                if bucket.take(now - late, now) {
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
                assert_eq!(bucket.take(now, now), wait.is_zero());
                count += u32::from(wait.is_zero());
                assert!(!wait.is_zero() || count > rate.burst - 1 || now == begun, "{rate:?}");
                now += wait;
            }
            let least = rate.burst + rate.per_second * 10 * 97 / 100;
            assert!(count >= least && count <= rate.burst + rate.per_second * 10, "{rate:?}: {count} of {least}");
        }
    }

    #[test]
    fn who_is_woken_late_costs_the_others_nothing_and_who_was_not_there_gains_nothing() {
        let rate = Rate { per_second: 5_000, burst: 1 };
        let begun = Instant::now();
        let (mut bucket, mut count) = (Bucket::new(rate, begun), 0);
        for tick in 0..500 {
            while bucket.take(begun, begun + Duration::from_millis(2) * tick) {
                count += 1;
            }
        }
        assert!((4_850..5_000).contains(&count), "{count}");
        let now = begun + 3 * A_SECOND;
        assert!(bucket.take(now, now) && !bucket.take(now, now), "at once is the burst alone");
    }

    #[test]
    fn a_wait_counts_those_before() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 2 }, now);
        assert_eq!((bucket.wait(0, now), bucket.wait(1, now)), (Duration::ZERO, Duration::ZERO));
        let take = |bucket: &mut Bucket, at| bucket.take(at, at);
        assert!(take(&mut bucket, now) && take(&mut bucket, now) && !take(&mut bucket, now));
        let (next, after) = (bucket.wait(0, now), bucket.wait(1, now));
        assert_eq!(after, next + bucket.interval);
        assert!(!take(&mut bucket, now + next - Duration::from_nanos(1)) && take(&mut bucket, now + next));
    }

    #[test]
    fn any_numbers_are_taken() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Rate { per_second: u32::MAX, burst: u32::MAX }, now);
        assert!(bucket.take(now, now) && bucket.wait(u32::MAX, now) < Duration::from_secs(60));
        let mut slow = Bucket::new(Rate { per_second: 1, burst: u32::MAX }, now);
        assert!(slow.take(now, now) && slow.wait(u32::MAX, now) < Duration::from_secs(3));
    }
}
