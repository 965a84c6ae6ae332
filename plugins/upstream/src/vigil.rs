//! Whether an upstream of a group that changes can still be counted on: it leaves, or it falls silent. Either is an alarm,
//! at which whoever waits for it begins to ask elsewhere as well.
//!
//! An upstream that is merely slow for some names says something to the others. One that vanished (a dead node, dropped
//! packets) says nothing at all, and no error ever comes of it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use contract::limits;
use tokio::sync::Notify;
use tokio::time::Instant;

/// With fewer questions under way silence says nothing: hedges are for those.
const SILENT_QUESTIONS: usize = 3;
/// So much longer than remarkable a silence lasts until it is an alarm: a check was asked meanwhile, and not answered.
const ALARMING: u32 = 3;
/// A suspected upstream is passed over until it says something, or for this long: until checks call it down.
const SUSPECTED_FOR: Duration = limits::UPSTREAM_CHECK_WITHIN.saturating_mul(2).saturating_add(Duration::from_secs(1));

/// What is known about one upstream. Times are in milliseconds after `born`.
#[derive(Debug)]
pub(crate) struct Vigil {
    born: Instant,
    under_way: AtomicUsize,
    /// Since when several questions are under way and nothing was heard.
    since: AtomicU64,
    /// 0: not suspected.
    suspected_until: AtomicU64,
    left: AtomicBool,
    alarms: AtomicU32,
    alarm: Notify,
    busy: Notify,
}

/// How silent an upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It is not, or there is nothing to say.
    None,
    /// A check should tell. Since when, as a number that is another for another silence.
    Remarkable(u64),
    /// Not even a check was answered.
    Alarming(u64),
}

/// A question under way. Dropped, it is none any more.
#[derive(Debug)]
pub(crate) struct UnderWay<'v>(&'v Vigil);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Vigil {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            born: now,
            under_way: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            suspected_until: AtomicU64::new(0),
            left: AtomicBool::new(false),
            alarms: AtomicU32::new(0),
            alarm: Notify::new(),
            busy: Notify::new(),
        }
    }

    /// A question is asked.
    pub(crate) fn begin(&self, now: Instant) -> UnderWay<'_> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before + 1 == SILENT_QUESTIONS {
            self.since.store(self.millis(now), Ordering::Relaxed); // a single old one proves nothing about the others
            self.busy.notify_one();
        }
        UnderWay(self)
    }

    /// It said something, whatever it was.
    pub(crate) fn heard(&self, now: Instant) {
        self.since.store(self.millis(now), Ordering::Relaxed);
        if self.suspected_until.load(Ordering::Relaxed) != 0 {
            self.suspected_until.store(0, Ordering::Relaxed);
        }
    }

    /// How silent it is, where `remarkable` is the silence that makes one wonder.
    pub(crate) fn silence(&self, remarkable: Duration, now: Instant) -> Silence {
        let since = self.since.load(Ordering::Relaxed);
        if !self.is_busy() {
            return Silence::None;
        }
        let lasts = Duration::from_millis(self.millis(now).saturating_sub(since));
        match lasts {
            _ if lasts >= ALARMING * remarkable => Silence::Alarming(since),
            _ if lasts >= remarkable => Silence::Remarkable(since),
            _ => Silence::None,
        }
    }

    /// Passes it over from now on, and tells those who wait for it.
    pub(crate) fn suspect(&self, now: Instant) {
        self.suspected_until.store(self.millis(now + SUSPECTED_FOR), Ordering::Relaxed);
        self.raise();
    }

    /// Whether it is passed over for those that are not.
    pub(crate) fn is_suspected(&self, now: Instant) -> bool {
        let until = self.suspected_until.load(Ordering::Relaxed);
        until != 0 && self.millis(now) < until
    }

    /// It is no longer one of its group, and never will be again.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.raise();
        self.busy.notify_one();
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn raise(&self) {
        self.alarms.fetch_add(1, Ordering::Release);
        self.alarm.notify_waiters();
    }

    /// How many alarms there were.
    pub(crate) fn alarms(&self) -> u32 {
        self.alarms.load(Ordering::Acquire)
    }

    /// Waits for the next alarm. One raised before this is first polled is seen by [`Self::alarms`] alone.
    pub(crate) async fn alarm(&self) {
        self.alarm.notified().await;
    }

    /// Waits until there are questions enough to judge by, or it has left.
    pub(crate) async fn busy(&self) {
        while !self.is_busy() && !self.has_left() {
            self.busy.notified().await;
        }
    }

    fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) >= SILENT_QUESTIONS
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WONDER: Duration = Duration::from_millis(50);

    fn at(vigil: &Vigil, millis: u64) -> Instant {
        vigil.born + Duration::from_millis(millis)
    }

    #[test]
    fn silence_counts_from_the_last_word_or_from_when_there_were_questions_enough() {
        let vigil = Vigil::new(Instant::now());
        let old = [vigil.begin(at(&vigil, 0)), vigil.begin(at(&vigil, 0))];
        assert_eq!(vigil.silence(WONDER, at(&vigil, 900)), Silence::None, "two are too few");
        let third = vigil.begin(at(&vigil, 1_000));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 1_049)), Silence::None);
        assert_eq!(vigil.silence(WONDER, at(&vigil, 1_050)), Silence::Remarkable(1_000));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 1_150)), Silence::Alarming(1_000));
        vigil.heard(at(&vigil, 1_150));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 1_199)), Silence::None, "slow for some is not silent");
        assert_eq!(vigil.silence(WONDER, at(&vigil, 1_300)), Silence::Alarming(1_150));
        drop(third);
        assert_eq!(vigil.silence(WONDER, at(&vigil, 9_000)), Silence::None);
        drop(old);
        assert_eq!(vigil.under_way.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_word_ends_suspicion_and_so_does_time() {
        let vigil = Vigil::new(Instant::now());
        for heard in [true, false] {
            vigil.suspect(at(&vigil, 1));
            assert!(vigil.is_suspected(at(&vigil, 8_000)));
            if heard {
                vigil.heard(at(&vigil, 8_000));
                assert!(!vigil.is_suspected(at(&vigil, 8_000)));
            }
        }
        assert!(!vigil.is_suspected(at(&vigil, 2) + SUSPECTED_FOR));
        assert_eq!(vigil.alarms(), 2);
    }

    #[tokio::test]
    async fn an_alarm_wakes_whoever_waits() {
        let vigil = Vigil::new(Instant::now());
        let waiting = vigil.alarm();
        let mut waiting = std::pin::pin!(waiting);
        tokio::select! {
            biased;
            () = &mut waiting => panic!("nothing happened"),
            () = std::future::ready(()) => {}
        }
        vigil.leave();
        waiting.await;
        vigil.busy().await;
        assert!(vigil.has_left() && vigil.alarms() == 1);
    }
}
