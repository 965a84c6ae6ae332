//! The last quarter of an hour: what the blocks counted, looked at every 5 s.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use contract::Moment;
use contract::limits::{HISTORY_POINTS_MAX, HISTORY_STEP};
use contract::metrics::SECONDS;
use contract::wire::Rcode;

use super::api;
use crate::serve::tally::{StoreUse, Totals};
use crate::serve::udp::HIT_SECONDS;

/// What was counted since the start, of all blocks together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) queries: u64,
    pub(super) hits: u64,
    pub(super) failures: u64,
    /// Replies by what they took, by [`SECONDS`]; a hit counts as zero.
    pub(super) seconds: Vec<u64>,
    /// What a few of the hits took, by [`HIT_SECONDS`].
    pub(super) hit_seconds: Vec<u64>,
}

impl Sums {
    /// Adds what a block has counted.
    pub(super) fn add(&mut self, totals: &Totals) {
        self.queries += totals.requests.values().sum::<u64>();
        let uses = [StoreUse::Success, StoreUse::Denial, StoreUse::Stale];
        self.hits += uses.map(|used| totals.store[used as usize]).iter().sum::<u64>();
        let failed = [Rcode::SERVFAIL, Rcode::REFUSED].map(|rcode| totals.rcodes.get(&rcode.0).copied().unwrap_or(0));
        self.failures += failed.iter().sum::<u64>();
        add(&mut self.seconds, &totals.seconds.0);
    }

    /// What came since; a block that has gone took its counts with it, which is nothing that came.
    fn since(&self, earlier: &Self) -> Self {
        Self {
            queries: self.queries.saturating_sub(earlier.queries),
            hits: self.hits.saturating_sub(earlier.hits),
            failures: self.failures.saturating_sub(earlier.failures),
            seconds: less(&self.seconds, &earlier.seconds),
            hit_seconds: less(&self.hit_seconds, &earlier.hit_seconds),
        }
    }

    /// What this share of all replies did not exceed, seconds; `None` if there were none.
    fn quantile(&self, share: f64) -> Option<f64> {
        // hits stand in the first bucket; what they took in truth is known of a few
        let mut others: Vec<f64> = self.seconds.iter().map(|&count| count as f64).collect();
        let hits = others.first_mut().map_or(0.0, |first| {
            let hits = first.min(self.hits as f64);
            *first -= hits;
            hits
        });
        let measured: u64 = self.hit_seconds.iter().sum();
        let of_all = |&count: &u64| if measured > 0 { count as f64 * hits / measured as f64 } else { 0.0 };
        let mut known: Vec<f64> = self.hit_seconds.iter().map(of_all).collect();
        if measured == 0 && !known.is_empty() {
            known[0] = hits;
        }
        let all = others.iter().chain(&known).sum::<f64>();
        if all <= 0.0 {
            return None;
        }
        let up_to = |value| below(SECONDS, &others, value) + below(HIT_SECONDS, &known, value);
        // what is below a value only grows with it, so the middle of an interval tells in which half the answer is
        let (mut low, mut high) = (0.0, SECONDS.last().copied().unwrap_or(0.0));
        for _ in 0..48 {
            let middle = (low + high) / 2.0;
            if up_to(middle) < share * all { low = middle } else { high = middle }
        }
        Some(high)
    }
}

fn add(sums: &mut Vec<u64>, counts: &[u64]) {
    sums.resize(sums.len().max(counts.len()), 0);
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

fn less(now: &[u64], earlier: &[u64]) -> Vec<u64> {
    now.iter().enumerate().map(|(index, now)| now.saturating_sub(earlier.get(index).copied().unwrap_or(0))).collect()
}

/// How many of a histogram are not above a value, with those of a bucket spread evenly over it. What is above the last bound counts
/// as being there.
fn below(bounds: &[f64], counts: &[f64], value: f64) -> f64 {
    let mut from = 0.0;
    let mut sum = 0.0;
    for (index, count) in counts.iter().enumerate() {
        let to = bounds.get(index).copied().unwrap_or(from);
        sum += match to > from {
            true => count * ((value - from) / (to - from)).clamp(0.0, 1.0),
            false if value >= to => *count,
            false => 0.0,
        };
        from = to;
    }
    sum
}

/// The points, the oldest first, and the sums at the last one.
#[derive(Debug, Default)]
pub(super) struct Past(Mutex<Points>);

#[derive(Debug, Default)]
struct Points {
    points: VecDeque<(Moment, api::Point)>,
    last: Option<Sums>,
}

impl Past {
    /// Takes the sums of this moment: what came since those before is a point.
    pub(super) fn take(&self, now: Moment, sums: Sums) {
        let mut past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &past.last {
            let step = sums.since(last);
            let point = api::Point {
                ago_s: 0.0,
                queries: step.queries,
                hits: step.hits,
                failures: step.failures,
                p50_s: step.quantile(0.5),
                p99_s: step.quantile(0.99),
            };
            past.points.push_back((now, point));
            if past.points.len() > HISTORY_POINTS_MAX {
                past.points.pop_front();
            }
        }
        past.last = Some(sums);
    }

    pub(super) fn told(&self, now: Moment) -> api::History {
        let past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told =
            |(at, point): &(Moment, api::Point)| api::Point { ago_s: now.since(*at).as_secs_f64(), ..point.clone() };
        api::History { step_s: HISTORY_STEP.as_secs_f64(), points: past.points.iter().map(told).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hits, and other replies in the bucket up to a bound.
    fn sums(hits: u64, others: u64, up_to: f64) -> Sums {
        let mut seconds = vec![0; SECONDS.len() + 1];
        seconds[0] += hits;
        seconds[SECONDS.iter().position(|bound| *bound == up_to).unwrap()] += others;
        let mut hit_seconds = vec![0; HIT_SECONDS.len() + 1];
        hit_seconds[3] = hits / 100;
        Sums { queries: hits + others, hits, failures: 0, seconds, hit_seconds }
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_whoever_decides_them() {
        let mostly_hits = sums(9_000, 1_000, 0.032);
        let p50 = mostly_hits.quantile(0.5).unwrap();
        assert!((HIT_SECONDS[2]..=HIT_SECONDS[3]).contains(&p50), "as a hit: {p50}");
        let p99 = mostly_hits.quantile(0.99).unwrap();
        assert!((p99 - (0.016 + 0.9 * 0.016)).abs() < 1e-6, "nine tenths into the misses' bucket: {p99}");
        let misses = sums(0, 10, 0.00025).quantile(0.5).unwrap();
        assert!((misses - 0.000_125).abs() < 1e-6, "{misses}");
        let beyond = Sums { queries: 1, seconds: [vec![0; SECONDS.len()], vec![1]].concat(), ..Sums::default() };
        assert!((beyond.quantile(0.5).unwrap() - 8.192).abs() < 1e-6, "no more than the last bound is known");
        assert_eq!(Sums::default().quantile(0.5), None);
    }

    #[test]
    fn hits_that_nobody_has_measured_are_fast() {
        let unmeasured = Sums { hit_seconds: vec![0; HIT_SECONDS.len() + 1], ..sums(50, 0, 0.001) };
        assert!(unmeasured.quantile(0.99).unwrap() <= HIT_SECONDS[0]);
    }

    #[test]
    fn a_point_is_what_came_since_the_one_before_and_the_oldest_goes_first() {
        let past = Past::default();
        let at = |step: u32| Moment(1_000).after(HISTORY_STEP * step);
        past.take(at(0), sums(1_000, 10, 0.001));
        assert!(past.told(at(0)).points.is_empty());
        past.take(at(1), sums(1_500, 30, 0.001));
        let [point] = &past.told(at(3)).points[..] else { panic!("one point") };
        assert_eq!((point.queries, point.hits, point.ago_s), (520, 500, 10.0));
        past.take(at(2), sums(200, 3, 0.001));
        assert_eq!(past.told(at(2)).points[1].queries, 0, "a block has gone with its counts");
        let steps = u32::try_from(HISTORY_POINTS_MAX).unwrap() + 5;
        (3..=steps).for_each(|step| past.take(at(step), sums(200 + u64::from(step), 3, 0.001)));
        let told = past.told(at(steps));
        assert_eq!((told.points.len(), told.step_s), (HISTORY_POINTS_MAX, 5.0));
        assert_eq!((told.points[0].ago_s, told.points.last().unwrap().ago_s), (895.0, 0.0));
    }
}
