//! What happened between two looks at a daemon: counts become rates, histograms become percentiles.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::see::api::{Histogram, Overview};

/// Between two looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    /// The time between them.
    pub(super) seconds: f64,
    /// Questions answered, per second.
    pub(super) queries: f64,
    /// The share of them that memory answered; absent where there were none.
    pub(super) hit_share: Option<f64>,
    /// By what memory did, per second.
    pub(super) ways: BTreeMap<String, f64>,
    /// By RCODE, per second.
    pub(super) rcodes: BTreeMap<String, f64>,
    /// Searches by the position that decided, per second.
    pub(super) autopath: BTreeMap<String, f64>,
    /// Questions that were no first step of a search, by why, per second.
    pub(super) plain: BTreeMap<String, f64>,
    /// Questions that waited for an identical one, per second.
    pub(super) coalesced: f64,
    /// Half of all took no longer, 99 of 100 took no longer, seconds.
    pub(super) took: Option<(f64, f64)>,
    /// The same of hits alone.
    pub(super) hits_took: Option<(f64, f64)>,
}

/// What counts as answered by memory.
const HITS: [&str; 3] = ["success", "denial", "stale"];

impl Rates {
    /// After a restart of the daemon in between, counts since its start are taken.
    pub(super) fn between(before: &Overview, now: &Overview) -> Self {
        let nothing = Overview::default();
        let restarted = now.uptime_s < before.uptime_s || now.queries < before.queries;
        let before = if restarted { &nothing } else { before };
        let seconds = (now.uptime_s - before.uptime_s).max(f64::EPSILON);
        let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let each = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let rate = |(name, count): (&String, &u64)| {
                let before = before.get(name).copied().unwrap_or_default();
                (name.clone(), per_second(*count, before))
            };
            now.iter().map(rate).collect::<BTreeMap<_, _>>()
        };
        let ways = each(&now.ways, &before.ways);
        let all: f64 = ways.values().sum();
        let hits: f64 = HITS.iter().filter_map(|way| ways.get(*way)).sum();
        Self {
            seconds,
            queries: per_second(now.queries, before.queries),
            hit_share: (all > 0.0).then(|| hits / all),
            rcodes: each(&now.rcodes, &before.rcodes),
            autopath: each(&now.autopath, &before.autopath),
            plain: each(&now.plain, &before.plain),
            coalesced: per_second(now.coalesced, before.coalesced),
            took: percentiles(&now.latency, &before.latency),
            hits_took: percentiles(&now.hit_latency, &before.hit_latency),
            ways,
        }
    }
}

/// Half and 99 of 100 of what was observed in between; `None` where nothing was.
fn percentiles(now: &Histogram, before: &Histogram) -> Option<(f64, f64)> {
    let earlier = |index: usize| before.counts.get(index).copied().unwrap_or_default();
    let counts: Vec<u64> =
        now.counts.iter().enumerate().map(|(index, count)| count.saturating_sub(earlier(index))).collect();
    Some((percentile(&counts, &now.bounds_s, 0.5)?, percentile(&counts, &now.bounds_s, 0.99)?))
}

/// Inside a bucket as if it were filled evenly; above the last bound that bound.
fn percentile(counts: &[u64], bounds: &[f64], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let rank = share * all as f64;
    let mut below = 0.0;
    for (index, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if below + count >= rank {
            let low = index.checked_sub(1).and_then(|index| bounds.get(index)).copied().unwrap_or(0.0);
            let high = bounds.get(index).copied().unwrap_or(low);
            return Some(low + (high - low) * ((rank - below) / count.max(1.0)));
        }
        below += count;
    }
    bounds.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(uptime_s: f64, hits: u64, misses: u64) -> Overview {
        Overview {
            uptime_s,
            queries: hits + misses,
            ways: [("success".to_owned(), hits), ("miss".to_owned(), misses)].into(),
            latency: Histogram { bounds_s: vec![0.001, 0.01], counts: vec![hits, misses, 0], sum_s: 0.0 },
            ..Overview::default()
        }
    }

    #[test]
    fn rates_come_from_differences() {
        let rates = Rates::between(&overview(10.0, 100, 10), &overview(12.0, 280, 30));
        assert_eq!((rates.seconds, rates.queries, rates.hit_share), (2.0, 100.0, Some(0.9)));
        assert_eq!(rates.ways["miss"], 10.0);
        let (half, most) = rates.took.unwrap();
        assert!(half < 0.001 && (0.001..=0.01).contains(&most), "{half} {most}");
        assert_eq!(rates.hits_took, None);
    }

    #[test]
    fn a_restart_in_between_counts_from_the_start() {
        let rates = Rates::between(&overview(100.0, 1_000, 0), &overview(2.0, 10, 0));
        assert_eq!((rates.queries, rates.hit_share), (5.0, Some(1.0)));
        let idle = Rates::between(&overview(1.0, 1, 1), &overview(2.0, 1, 1));
        assert_eq!((idle.queries, idle.hit_share, idle.took), (0.0, None, None));
    }

    #[test]
    fn percentiles_lie_in_their_bucket() {
        let bounds = [1.0, 2.0, 4.0];
        assert_eq!(percentile(&[0, 0, 0, 0], &bounds, 0.5), None);
        assert_eq!(percentile(&[10, 0, 0, 0], &bounds, 0.5), Some(0.5));
        assert_eq!(percentile(&[0, 10, 0, 0], &bounds, 0.5), Some(1.5));
        assert_eq!(percentile(&[98, 0, 2, 0], &bounds, 0.99), Some(3.0));
        assert_eq!(percentile(&[0, 0, 0, 3], &bounds, 0.5), Some(4.0));
    }
}
