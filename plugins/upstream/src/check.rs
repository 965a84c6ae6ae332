//! One health check of an upstream: a question to which any reply will do.

use std::sync::Arc;

use contract::limits;
use contract::wire::Name;
use tokio::time::{Instant, timeout_at};

use crate::health::Checked;
use crate::pace::{Pace, Progress, within_own_time};
use crate::pool::Broken;
use crate::question::{Question, Reply};
use crate::settings::Protocol;
use crate::upstream::Upstream;

impl Upstream {
    /// Whether it replies at all, be it an error. `domain`: whose NS records it is asked for, unless it has a name of its own
    /// for that. `repeats`: a datagram without a reply is sent again.
    pub(crate) async fn check(&self, domain: &Name, recursion: bool, repeats: bool) -> Checked {
        let begun = self.health.begin();
        let name = self.check_name.as_ref().unwrap_or(domain);
        let question = Arc::new(Question::check(name.clone(), recursion));
        let good = match (&self.turns, &self.vigil) {
            (None, vigil) => {
                let _watched = vigil.as_ref().map(|vigil| vigil.check(Instant::now()));
                let deadline = Instant::now() + limits::UPSTREAM_CHECK_WITHIN;
                matches!(timeout_at(deadline, self.exchange_check(&question, repeats, None)).await, Ok(Ok(_)))
            }
            (Some(turns), vigil) => {
                let progress = Arc::new(Progress::default());
                let mut pace = Pace::of_check(turns, vigil.as_deref(), Arc::clone(&progress));
                let check = self.exchange_check(&question, repeats, Some(&mut pace));
                matches!(within_own_time(limits::UPSTREAM_CHECK_WITHIN, &progress, check).await, Some(Ok(_)))
            }
        };
        if !good {
            self.tally.check_failures.increment();
        }
        self.health.checked(good, begun)
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
