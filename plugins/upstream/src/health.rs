//! Whether an upstream is up: after a failed exchange it is checked until a check is good (as CoreDNS does).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Failure;
use contract::wire::Name;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How upstreams are checked.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// The wait between two checks.
    pub interval: Duration,
    /// RD of the check's question.
    pub recursion: bool,
    /// Whose NS records a check asks for; any reply will do.
    pub domain: Name,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), recursion: true, domain: Name::root() }
    }
}

/// The health of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Checks that failed in a row.
    fails: AtomicU32,
    /// How often it answered, checks included.
    goods: AtomicU64,
    /// It failed, and did not answer anybody since.
    ailing: AtomicBool,
    suspected: Notify,
    past: Mutex<Past>,
}

/// What is told of it to people. Touched only when something fails, or ceases to.
#[derive(Debug, Default)]
struct Past {
    /// When it last went down or came back up.
    turned: Option<Instant>,
    /// Why it was last without an answer.
    failure: Option<Failure>,
}

/// What was known when an exchange or a check began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun {
    fails: u32,
    goods: u64,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Failed,
    Good,
    /// Good, and it was not before.
    Back,
}

impl Health {
    /// An exchange or a check begins.
    pub(crate) fn begin(&self) -> Begun {
        Begun { fails: self.fails.load(Ordering::Relaxed), goods: self.goods.load(Ordering::Relaxed) }
    }

    /// An exchange had an answer, which is as good as a check; true if the upstream is back with it.
    /// `max_fails`: see [`Health::is_down`].
    pub(crate) fn answered(&self, max_fails: u32) -> bool {
        self.goods.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) > 0 {
            self.is_well(max_fails);
        }
        self.ailing.load(Ordering::Relaxed) && self.ailing.swap(false, Ordering::Relaxed)
    }

    /// An exchange had none: the upstream is to be checked.
    pub(crate) fn failed(&self, begun: Begun) {
        self.ail(begun);
        self.suspect();
    }

    /// Not if it answered somebody else meanwhile.
    fn ail(&self, begun: Begun) {
        if self.goods.load(Ordering::Relaxed) == begun.goods {
            self.ailing.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it failed, and answered nobody since.
    pub(crate) fn is_ailing(&self) -> bool {
        self.ailing.load(Ordering::Relaxed)
    }

    /// Something may be wrong with it: it is to be checked. At most one such call is remembered.
    pub(crate) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Waits until there is something to check.
    pub(crate) async fn suspected(&self) {
        self.suspected.notified().await;
    }

    /// A check came out. Of failed ones that were under way at the same time only one counts: they are not in a row.
    /// `max_fails`: see [`Health::is_down`].
    pub(crate) fn checked(&self, good: bool, begun: Begun, max_fails: u32) -> Checked {
        if good {
            let failed = self.is_well(max_fails);
            return if self.answered(max_fails) || failed { Checked::Back } else { Checked::Good };
        }
        let next = begun.fails.saturating_add(1);
        let counts = self.fails.compare_exchange(begun.fails, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if counts && next == max_fails {
            self.past().turned = Some(Instant::now());
        }
        self.ail(begun);
        Checked::Failed
    }

    /// No check failed since the last good one; true if one had.
    fn is_well(&self, max_fails: u32) -> bool {
        let failed = self.fails.swap(0, Ordering::Relaxed);
        if max_fails > 0 && failed >= max_fails {
            self.past().turned = Some(Instant::now());
        }
        failed > 0
    }

    /// Notes why it was without an answer. Of several at once one will do.
    pub(crate) fn note(&self, failure: &Failure) {
        if let Ok(mut past) = self.past.try_lock() {
            past.failure = Some(failure.clone());
        }
    }

    /// Why it was last without an answer.
    pub(crate) fn last_failure(&self) -> Option<Failure> {
        self.past().failure.clone()
    }

    /// For how long it has been up or down; `None`: since the start.
    pub(crate) fn since(&self, now: Instant) -> Option<Duration> {
        self.past().turned.map(|turned| now.saturating_duration_since(turned))
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `max_fails` checks failed in a row; 0: never.
    pub(crate) fn is_down(&self, max_fails: u32) -> bool {
        max_fails > 0 && self.fails.load(Ordering::Relaxed) >= max_fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_after_so_many_failed_checks_and_up_at_the_first_good_one() {
        let health = Health::default();
        for failed in 0..2 {
            assert!(!health.is_down(2), "{failed}");
            assert_eq!(health.checked(false, health.begin(), 2), Checked::Failed);
        }
        assert!(health.is_down(2) && !health.is_down(3) && !health.is_down(0));
        assert_eq!(health.checked(true, health.begin(), 2), Checked::Back);
        assert!(!health.is_down(1));
        assert_eq!(health.checked(true, health.begin(), 2), Checked::Good);
    }

    #[test]
    fn checks_that_were_under_way_together_are_not_failures_in_a_row() {
        let health = Health::default();
        let together = [health.begin(), health.begin(), health.begin()];
        for begun in together {
            health.checked(false, begun, 2);
        }
        assert!(health.is_down(1) && !health.is_down(2));
        health.checked(false, health.begin(), 2);
        assert!(health.is_down(2));
    }

    #[test]
    fn it_is_back_at_the_first_answer_after_failures_that_nobody_saw_answered() {
        let health = Health::default();
        assert!(!health.answered(2));
        let begun = health.begin();
        health.failed(begun);
        assert!(health.is_ailing() && health.answered(2) && !health.answered(2));
        health.failed(begun);
        assert!(!health.is_ailing(), "it answered somebody meanwhile");
        health.failed(health.begin());
        assert_eq!(health.checked(true, health.begin(), 2), Checked::Back);
        assert!(!health.is_ailing() && !health.answered(2));
    }

    #[tokio::test(start_paused = true)]
    async fn since_when_it_is_down_or_up_again_and_why_is_known() {
        let (health, second) = (Health::default(), Duration::from_secs(1));
        let since = || health.since(Instant::now());
        health.checked(false, health.begin(), 2);
        assert_eq!((since(), health.last_failure()), (None, None), "one failed check is not down");
        health.note(&Failure::Panicked);
        health.checked(false, health.begin(), 2);
        tokio::time::advance(second).await;
        health.checked(false, health.begin(), 2);
        assert_eq!((since(), health.last_failure()), (Some(second), Some(Failure::Panicked)));
        assert!(health.answered(2));
        tokio::time::advance(3 * second).await;
        assert_eq!(since(), Some(3 * second), "up again");
        health.checked(false, health.begin(), 2);
        health.checked(true, health.begin(), 2);
        assert_eq!(since(), Some(3 * second), "it was not down in between");
        health.checked(false, health.begin(), 0);
        assert_eq!(since(), Some(3 * second), "nobody is ever down");
    }
}
