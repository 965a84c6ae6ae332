//! Why the API server did not give what was asked for, as far as it decides when to ask again and what to say.

use std::time::Duration;

use contract::metrics::Metrics;
use tokio::time::{Instant, sleep_until};

/// After so long without further trouble an outage is over.
const CALM: Duration = Duration::from_secs(5);

/// A request or a watch that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody is there, or who was there went: asking costs the API server nothing.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// One of the two does not accept the other's certificate.
    #[error("no trust between this node and the API server: {0}")]
    Distrusted(String),
    /// 401, 403: credentials or rights.
    #[error("the API server refuses (status {status}): {message}")]
    Denied {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// 410: what was known is too old to go on from.
    #[error("the API server cannot go on from what was known, all is listed anew ({0})")]
    Gone(String),
    /// 429, or another answer that says when to come again.
    #[error("the API server asks to wait {} s (status {status})", after.as_secs())]
    Busy {
        /// The HTTP status.
        status: u16,
        /// Not before.
        after: Duration,
    },
    /// Another status.
    #[error("the API server says {status}: {message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// What came is not what was asked for.
    #[error("the API server's words are not understood: {0}")]
    Nonsense(String),
    /// Nothing came for too long.
    #[error("the API server was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// A watch that ended soon after it began.
    #[error("the API server ended the watch at once")]
    Ended,
    /// Credentials cannot be read.
    #[error("no credentials for the API server: {0}")]
    Credentials(String),
}

impl Trouble {
    /// Counts it, by what was asked for.
    pub(crate) fn count(&self, metrics: &Metrics, kind: &str) {
        let help = "Requests and watches that failed, by what is asked for and why.";
        let labels = [("kind", kind), ("reason", self.label())];
        metrics.counter("nearpath_kubernetes_watch_failures_total", help, &labels).increment();
    }

    /// A word for metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Distrusted(_) => "certificate",
            Self::Denied { .. } => "denied",
            Self::Gone(_) => "gone",
            Self::Busy { .. } => "busy",
            Self::Status { .. } => "status",
            Self::Nonsense(_) => "nonsense",
            Self::Silent(_) => "silent",
            Self::Ended => "ended",
            Self::Credentials(_) => "credentials",
        }
    }

    /// What an operator can do about it, where that is known.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Denied { status: 403, .. } => "; deploy/rbac.yaml grants what is needed",
            Self::Denied { .. } => "; is the service account's token mounted and valid?",
            Self::Distrusted(_) => "; is its authority the one that credentials name, and is the clock right?",
            Self::Credentials(_) => "; run in a pod with a service account, or name a file with -kubeconfig",
            _ => "",
        }
    }
}

/// Troubles that belong together, so that each kind of them is said once.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    began: Option<Instant>,
    /// Labels of those that there were.
    said: Vec<&'static str>,
    /// When the first word came after the last trouble.
    calm: Option<Instant>,
}

impl Outage {
    /// One more trouble. True if it is the first one of its kind.
    pub(crate) fn troubled(&mut self, trouble: &Trouble) -> bool {
        self.calm = None;
        self.began.get_or_insert_with(Instant::now);
        let is_news = !self.said.contains(&trouble.label());
        if is_news {
            self.said.push(trouble.label());
        }
        is_news
    }

    /// The API server is heard.
    pub(crate) fn heard(&mut self) {
        if self.began.is_some() {
            self.calm.get_or_insert_with(Instant::now);
        }
    }

    /// Waits until it is over, and tells how long it was. For ever while there is none. May be dropped and called again.
    pub(crate) async fn over(&mut self) -> Duration {
        let (Some(began), Some(calm)) = (self.began, self.calm) else { return std::future::pending().await };
        sleep_until(calm + CALM).await;
        *self = Self::default();
        calm - began
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_over_once_it_has_been_calm_for_a_while() {
        let (mut outage, ended) = (Outage::default(), Trouble::Ended);
        outage.heard();
        assert!(timeout(CALM * 10, outage.over()).await.is_err(), "there is none");
        assert!(outage.troubled(&ended));
        assert!(timeout(CALM * 10, outage.over()).await.is_err(), "nobody is heard");
        for _ in 0..3 {
            outage.heard();
            advance(CALM / 2).await;
            outage.heard();
            assert!(timeout(CALM / 4, outage.over()).await.is_err(), "not yet");
            assert!(!outage.troubled(&ended), "it is the same one");
        }
        assert!(outage.troubled(&Trouble::Silent(CALM)), "of another kind");
        outage.heard();
        let lasted = outage.over().await;
        assert!(lasted > CALM * 12 && lasted < CALM * 13, "{lasted:?}");
        assert!(outage.troubled(&ended), "another one");
    }
}
