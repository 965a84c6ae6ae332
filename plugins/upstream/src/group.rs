//! The upstreams of a directive, any of which will do: their order, their health, and how long a question may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::metrics::Counter;
use contract::wire::Rcode;
use contract::{Answer, Clock, Context, Failure, Query, limits};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::exchange::{Exchange, PASSES};
use crate::health::HealthSettings;
use crate::hedge::Hedge;
use crate::policy::{Order, Policy};
use crate::upstream::Upstream;

/// When all are down, the one that is tried all the same gets this long.
const DOWN_ATTEMPT: Duration = Duration::from_millis(1_000);

/// How a group behaves.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// In which order upstreams are asked.
    pub policy: Policy,
    /// Health checks that fail in a row before an upstream is down; 0: never, and nothing is checked.
    pub max_fails: u32,
    /// How upstreams are checked.
    pub health: HealthSettings,
    /// RCODEs that lead to the next upstream, as failures do.
    pub failover: Vec<Rcode>,
    /// With all upstreams down, fail at once rather than try one.
    pub failfast: bool,
    /// Attempts for one question; `None`: two passes; 0: as many as there is time for.
    pub max_attempts: Option<u32>,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            max_fails: 2,
            health: HealthSettings::default(),
            failover: Vec::new(),
            failfast: false,
            max_attempts: None,
        }
    }
}

/// The upstreams of a directive.
#[derive(Debug)]
pub struct Group {
    pub(crate) upstreams: Arc<[Upstream]>,
    pub(crate) settings: GroupSettings,
    order: Order,
    pub(crate) hedge: Hedge,
    clock: Arc<dyn Clock>,
    all_down: Arc<Counter>,
}

impl Group {
    /// A group of at least one upstream.
    pub fn new(upstreams: Vec<Upstream>, settings: GroupSettings, context: &Context) -> Self {
        assert!(!upstreams.is_empty(), "a directive without upstreams is refused when it is checked");
        let all_down = context.metrics.counter(
            "coredns_forward_healthcheck_broken_total",
            "Questions that found every upstream down.",
            &[],
        );
        Self {
            order: Order::new(settings.policy),
            hedge: Hedge::new(),
            clock: Arc::clone(&context.clock),
            upstreams: upstreams.into(),
            settings,
            all_down,
        }
    }

    /// The upstreams, as written.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// How many upstreams are not down.
    pub fn up(&self) -> usize {
        self.upstreams.iter().filter(|upstream| !self.is_down(upstream)).count()
    }

    /// Asks, within [`limits::EXCHANGE_WITHIN`] of the query's arrival. Says who answered. A truncated answer must not
    /// be memorised.
    pub async fn exchange(&self, query: &Query) -> Result<(Answer, SocketAddr), Failure> {
        let left = query.arrived.after(limits::EXCHANGE_WITHIN).since(self.clock.now());
        if left.is_zero() {
            return Err(Failure::TooLate { waited: limits::EXCHANGE_WITHIN });
        }
        let deadline = Instant::now() + left;
        self.hedge.earn();
        let mut numbers = self.order.numbers(self.upstreams.len());
        numbers.retain(|&number| !self.is_down(&self.upstreams[number]));
        if numbers.is_empty() {
            // rare, and boxed: its state would make every exchange as large
            return Box::pin(self.exchange_when_down(query, deadline)).await;
        }
        Exchange::new(self, query, deadline, self.attempts()).run(&numbers).await
    }

    /// Checks upstreams after failed exchanges, for as long as it is polled.
    pub fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let upstreams = Arc::clone(&self.upstreams);
        let settings = self.settings.health.clone();
        let checked = self.settings.max_fails > 0;
        async move {
            let mut checks = FuturesUnordered::new();
            if checked {
                checks.extend(upstreams.iter().map(|upstream| check(upstream, &settings)));
            }
            while checks.next().await.is_some() {}
            std::future::pending().await
        }
    }

    /// Health checks may be what is broken: one upstream is tried all the same.
    async fn exchange_when_down(&self, query: &Query, deadline: Instant) -> Result<(Answer, SocketAddr), Failure> {
        self.all_down.increment();
        let failure = Failure::AllDown { count: self.upstreams.len() };
        if self.settings.failfast {
            return Err(failure);
        }
        let first = &self.upstreams[self.order.numbers(self.upstreams.len())[0]];
        let answer = first.attempt_until(query, deadline.min(Instant::now() + DOWN_ATTEMPT), true).await;
        answer.map(|answer| (answer, first.address())).map_err(|_| failure)
    }

    fn is_down(&self, upstream: &Upstream) -> bool {
        upstream.health.is_down(self.settings.max_fails)
    }

    /// How many attempts one question may have.
    fn attempts(&self) -> usize {
        match self.settings.max_attempts {
            None => PASSES * self.upstreams.len(),
            Some(0) => usize::MAX,
            Some(attempts) => usize::try_from(attempts).unwrap_or(usize::MAX),
        }
    }
}

/// Checks one upstream whenever it is suspected, until it is good.
async fn check(upstream: &Upstream, settings: &HealthSettings) {
    loop {
        upstream.health.suspected().await;
        while !upstream.check(&settings.domain, settings.recursion).await {
            tokio::time::sleep(settings.interval).await;
        }
    }
}
