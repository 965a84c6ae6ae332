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

/// With fewer questions under way silence says nothing, unless a check is: hedges are for those.
const SILENT_QUESTIONS: usize = 3;
/// So much longer than remarkable a silence lasts until it is an alarm, if a check was asked meanwhile and not answered.
const ALARMING: u32 = 3;
/// A suspected upstream is passed over until it says something, or for this long: until checks call it down.
const SUSPECTED_FOR: Duration = limits::UPSTREAM_CHECK_WITHIN.saturating_mul(2).saturating_add(Duration::from_secs(1));

/// What is known about one upstream. Times are in milliseconds after `born`.
#[derive(Debug)]
pub(crate) struct Vigil {
    born: Instant,
    under_way: AtomicUsize,
    /// When it last said something.
    heard: AtomicU64,
    /// Since when there are several questions under way.
    several_since: AtomicU64,
    /// Checks under way,
    checks: AtomicUsize,
    /// and since when there are any; 0: there are none.
    checked_since: AtomicU64,
    /// 0: not suspected.
    suspected_until: AtomicU64,
    left: AtomicBool,
    alarms: AtomicU32,
    alarm: Notify,
    worth_a_look: Notify,
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

/// A check under way.
#[derive(Debug)]
pub(crate) struct Checking<'v>(&'v Vigil);

impl Drop for Checking<'_> {
    fn drop(&mut self) {
        if self.0.checks.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.checked_since.store(0, Ordering::Relaxed);
        }
    }
}

impl Vigil {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            born: now,
            under_way: AtomicUsize::new(0),
            heard: AtomicU64::new(0),
            several_since: AtomicU64::new(0),
            checks: AtomicUsize::new(0),
            checked_since: AtomicU64::new(0),
            suspected_until: AtomicU64::new(0),
            left: AtomicBool::new(false),
            alarms: AtomicU32::new(0),
            alarm: Notify::new(),
            worth_a_look: Notify::new(),
        }
    }

    /// A question is asked.
    pub(crate) fn begin(&self, now: Instant) -> UnderWay<'_> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before + 1 == SILENT_QUESTIONS {
            self.several_since.store(self.millis(now), Ordering::Relaxed); // a single old one proves nothing about the others
            self.worth_a_look.notify_one();
        }
        UnderWay(self)
    }

    /// A check is asked.
    pub(crate) fn check(&self, now: Instant) -> Checking<'_> {
        if self.checks.fetch_add(1, Ordering::Relaxed) == 0 {
            self.checked_since.store(self.millis(now).max(1), Ordering::Relaxed);
        }
        self.worth_a_look.notify_one();
        Checking(self)
    }

    /// It said something, whatever it was.
    pub(crate) fn heard(&self, now: Instant) {
        self.heard.store(self.millis(now), Ordering::Relaxed);
        if self.suspected_until.load(Ordering::Relaxed) != 0 {
            self.suspected_until.store(0, Ordering::Relaxed);
        }
    }

    /// How silent it is, where `remarkable` is the silence that makes one wonder.
    pub(crate) fn silence(&self, remarkable: Duration, now: Instant) -> Silence {
        let several = self.is_busy().then(|| self.several_since.load(Ordering::Relaxed));
        let checked = Some(self.checked_since.load(Ordering::Relaxed)).filter(|&since| since != 0);
        let Some(asked) = several.into_iter().chain(checked).min() else { return Silence::None };
        let since = asked.max(self.heard.load(Ordering::Relaxed));
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
        self.worth_a_look.notify_one();
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

    /// Waits until there is a check or questions enough to judge by, or it has left.
    pub(crate) async fn worth_a_look(&self) {
        while !(self.is_busy() || self.has_left() || self.checked_since.load(Ordering::Relaxed) != 0) {
            self.worth_a_look.notified().await;
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
    fn a_check_without_a_word_is_silence_too() {
        let vigil = Vigil::new(Instant::now());
        vigil.heard(at(&vigil, 10));
        let one = vigil.begin(at(&vigil, 20));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 500)), Silence::None);
        let checking = vigil.check(at(&vigil, 500));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 649)), Silence::Remarkable(500));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 650)), Silence::Alarming(500));
        vigil.heard(at(&vigil, 651));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 652)), Silence::None);
        drop((checking, one));
        assert_eq!(vigil.silence(WONDER, at(&vigil, 9_000)), Silence::None);
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
        let woken = async { tokio::join!(waiting, vigil.worth_a_look()) };
        tokio::time::timeout(Duration::from_secs(9), woken).await.expect("both hear of it");
        assert!(vigil.has_left() && vigil.alarms() == 1);
    }
}
