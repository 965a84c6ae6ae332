//! An upstream's measured time, smoothed (RFC 6298 2), and the waits that follow it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A second upstream is asked no sooner and no later than this.
const HEDGE_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_millis(1_000);
/// Added to three round trips: what a busy node may lose to scheduling.
const MARGIN: Duration = Duration::from_millis(10);
/// Waits before anything was measured.
const UNMEASURED: Duration = Duration::from_millis(250);
/// A datagram is sent again no sooner: the upstream may have to ask others.
const RETRANSMIT_MIN: Duration = Duration::from_millis(300);

/// Silence is remarkable no sooner and no later than this.
const SILENCE_MIN: Duration = Duration::from_millis(50);
const SILENCE_MAX: Duration = Duration::from_millis(130);

/// The smoothed time in microseconds; 0: nothing measured yet.
#[derive(Debug, Default)]
pub(crate) struct RoundTrip(AtomicU64);

impl RoundTrip {
    /// One more reply: an eighth of what is new comes in.
    pub(crate) fn observe(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX >> 3).max(1);
        let known = self.0.load(Ordering::Relaxed);
        let smoothed = if known == 0 { took } else { known - known / 8 + took / 8 };
        self.0.store(smoothed.max(1), Ordering::Relaxed); // a lost update costs one observation
    }

    /// The smoothed time; `None` before the first reply.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        let known = self.0.load(Ordering::Relaxed);
        (known > 0).then(|| Duration::from_micros(known))
    }

    /// How long to wait before another upstream is asked as well.
    pub(crate) fn hedge_wait(&self) -> Duration {
        self.smoothed().map_or(UNMEASURED, |smoothed| (3 * smoothed + MARGIN).clamp(HEDGE_MIN, WAIT_MAX))
    }

    /// After how long without a word to several questions something may be wrong.
    pub(crate) fn silence(&self) -> Duration {
        self.smoothed().map_or(SILENCE_MIN, |smoothed| (4 * smoothed).clamp(SILENCE_MIN, SILENCE_MAX))
    }

    /// How long to wait before a datagram is sent again.
    pub(crate) fn retransmit_wait(&self) -> Duration {
        self.smoothed().map_or(2 * UNMEASURED, |smoothed| (3 * smoothed + MARGIN).clamp(RETRANSMIT_MIN, WAIT_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_what_is_measured_within_bounds() {
        let time = RoundTrip::default();
        assert_eq!((time.smoothed(), time.hedge_wait()), (None, UNMEASURED));
        time.observe(Duration::from_micros(200));
        assert_eq!((time.hedge_wait(), time.silence()), (HEDGE_MIN, SILENCE_MIN));
        assert_eq!(time.retransmit_wait(), RETRANSMIT_MIN);
        for _ in 0..64 {
            time.observe(Duration::from_millis(100));
        }
        let wait = time.hedge_wait();
        assert!(wait > Duration::from_millis(300) && wait <= Duration::from_millis(310), "{wait:?}");
        for _ in 0..64 {
            time.observe(Duration::from_secs(3));
        }
        assert_eq!((time.hedge_wait(), time.retransmit_wait()), (WAIT_MAX, WAIT_MAX));
        assert_eq!(time.silence(), SILENCE_MAX);
    }
}
