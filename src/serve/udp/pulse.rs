//! What a hit takes: measured on one of so many batches that were hits all through, by each thread for itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One of so many batches is measured. Reading the clock twice is a small part of a batch, and a tiny one of so many.
const MEASURED_ONE_OF: u32 = 64;

/// Upper bounds of what a hit takes, seconds.
pub const HIT_SECONDS: &[f64] = &[
    0.000_000_1,
    0.000_000_2,
    0.000_000_3,
    0.000_000_5,
    0.000_000_75,
    0.000_001,
    0.000_001_5,
    0.000_002,
    0.000_005,
    0.000_01,
    0.000_05,
    0.000_1,
    0.000_5,
    0.001,
];

/// Counts of one thread, on lines of the processor's cache that are its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct HitTimes {
    counts: [AtomicU64; HIT_SECONDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl HitTimes {
    /// So many hits took so long together, from the moment that they were received to that when their replies were ready. To be
    /// called by the one thread that owns it.
    fn add(&self, hits: u64, took: Duration) {
        let each = took.as_secs_f64() / hits as f64;
        let bucket = HIT_SECONDS.partition_point(|&bound| bound < each);
        let add = |counter: &AtomicU64, by: u64| {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
        };
        add(&self.counts[bucket], hits);
        add(&self.nanoseconds, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds to what other threads have counted.
    pub(super) fn add_to(&self, counts: &mut [u64], nanoseconds: &mut u64) {
        counts.iter_mut().zip(&self.counts).for_each(|(sum, count)| *sum += count.load(Ordering::Relaxed));
        *nanoseconds += self.nanoseconds.load(Ordering::Relaxed);
    }
}

/// Chooses the batches of one socket that are measured.
#[derive(Debug, Default)]
pub(super) struct Pulse(u32);

impl Pulse {
    /// The time, if the batch that was just received is to be measured.
    #[inline]
    pub(super) fn begin(&mut self) -> Option<Instant> {
        self.0 += 1;
        (self.0 >= MEASURED_ONE_OF).then(Instant::now)
    }

    /// The replies are ready. A batch with anything but hits is not counted, and the next one is measured in its place.
    pub(super) fn end(&mut self, begun: Instant, hits: Option<u64>, times: &HitTimes) {
        if let Some(hits) = hits.filter(|&hits| hits > 0) {
            times.add(hits, begun.elapsed());
            self.0 = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_by_what_each_of_them_took() {
        let times = HitTimes::default();
        times.add(10, Duration::from_micros(3)); // 300 ns each: up to that bound
        times.add(2, Duration::from_millis(40));
        let (mut counts, mut nanoseconds) = (vec![0; HIT_SECONDS.len() + 1], 0);
        times.add_to(&mut counts, &mut nanoseconds);
        times.add_to(&mut counts, &mut nanoseconds);
        assert_eq!((counts[2], counts[HIT_SECONDS.len()], counts.iter().sum::<u64>()), (20, 4, 24));
        assert_eq!(nanoseconds, 2 * 40_003_000);
    }

    #[test]
    fn one_of_so_many_batches_is_measured_and_none_with_a_miss() {
        let (times, mut pulse) = (HitTimes::default(), Pulse::default());
        let mut measured = 0;
        for batch in 1..=10 * MEASURED_ONE_OF {
            if let Some(begun) = pulse.begin() {
                pulse.end(begun, (batch > MEASURED_ONE_OF).then_some(3), &times);
                measured += 1;
            }
        }
        assert_eq!(measured, 10, "the first one, which had a miss, and the one after it");
        let (mut counts, mut nanoseconds) = (vec![0; HIT_SECONDS.len() + 1], 0);
        times.add_to(&mut counts, &mut nanoseconds);
        assert_eq!(counts.iter().sum::<u64>(), 27);
    }
}
