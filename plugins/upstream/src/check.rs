//! One health check of an upstream: a question to which any reply will do.

use std::sync::Arc;

use contract::{Failure, limits};
use tokio::time::{Instant, timeout_at};

use crate::health::{Checked, HealthSettings};
use crate::pace::{Pace, Progress, within_own_time};
use crate::pool::Broken;
use crate::question::{Question, Reply};
use crate::settings::Protocol;
use crate::upstream::Upstream;

impl Upstream {
    /// Whether it replies at all, be it an error. It is asked for what the settings say, unless it has a name of its own
    /// for that. `repeats`: a datagram without a reply is sent again. `max_fails`: after how many in a row it is down.
    pub(crate) async fn check(&self, settings: &HealthSettings, repeats: bool, max_fails: u32) -> Checked {
        let begun = self.health.begin();
        let name = self.check_name.as_ref().unwrap_or(&settings.domain);
        let question = Arc::new(Question::check(name.clone(), settings.recursion));
        let outcome = match (&self.turns, &self.vigil) {
            (None, vigil) => {
                let _watched = vigil.as_ref().map(|vigil| vigil.check(Instant::now()));
                let deadline = Instant::now() + limits::UPSTREAM_CHECK_WITHIN;
                timeout_at(deadline, self.exchange_check(&question, repeats, None)).await.ok()
            }
            (Some(turns), vigil) => {
                let progress = Arc::new(Progress::default());
                let mut pace = Pace::of_check(turns, vigil.as_deref(), Arc::clone(&progress));
                let check = self.exchange_check(&question, repeats, Some(&mut pace));
                within_own_time(limits::UPSTREAM_CHECK_WITHIN, &progress, check).await
            }
        };
        let failure = match outcome {
            Some(Ok(_)) => return self.health.checked(true, begun, max_fails),
            Some(Err(broken)) => self.failure(broken),
            None => Failure::Timeout { upstream: self.address(), waited: limits::UPSTREAM_CHECK_WITHIN },
        };
        self.tally.check_failures.increment();
        self.health.note(&failure);
        self.health.checked(false, begun, max_fails)
    }

    async fn exchange_check(
        &self,
        question: &Arc<Question>,
        repeats: bool,
        pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        match self.protocol {
            Protocol::Udp | Protocol::AsAsked => self.exchange_datagram(question, false, repeats, pace).await,
            Protocol::Tcp | Protocol::Tls { .. } => self.exchange(question, false, false, true, pace).await,
        }
    }
}
