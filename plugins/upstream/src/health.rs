//! Whether an upstream is up: after a failed exchange it is checked until a check is good (as CoreDNS does).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::wire::Name;
use tokio::sync::Notify;

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
    suspected: Notify,
}

impl Health {
    /// An exchange failed: the upstream is to be checked. At most one such call is remembered.
    pub(crate) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Waits until there is something to check.
    pub(crate) async fn suspected(&self) {
        self.suspected.notified().await;
    }

    /// A check came out; true if it was good.
    pub(crate) fn checked(&self, good: bool) -> bool {
        if good {
            self.fails.store(0, Ordering::Relaxed);
        } else {
            self.fails.fetch_add(1, Ordering::Relaxed);
        }
        good
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
            assert!(!health.checked(false));
        }
        assert!(health.is_down(2) && !health.is_down(3) && !health.is_down(0));
        assert!(health.checked(true));
        assert!(!health.is_down(1));
    }
}
