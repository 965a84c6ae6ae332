//! The upstreams of a directive, any of which will do: their order, their health, and how long a question may take. Who they
//! are may change at any moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::metrics::{Counter, Metrics};
use contract::wire::Rcode;
use contract::{Answer, Clock, Context, Failure, Query, What, limits};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::exchange::Exchange;
use crate::health::HealthSettings;
use crate::hedge::Hedge;
use crate::members::{Change, Lineup, Members, Seat};
use crate::policy::{Order, Policy};
use crate::round::Round;
use crate::settings::Settings;
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
    /// While an upstream does not answer, the next check does not wait for the end of the last: that it is back is noticed
    /// about an interval later, at the price of several times as many checks.
    pub overlapping_checks: bool,
    /// RCODEs that lead to the next upstream, as failures do.
    pub failover: Vec<Rcode>,
    /// With all upstreams down, fail at once rather than try one.
    pub failfast: bool,
    /// An upstream counts as slow, so that another is asked as well, no sooner than this.
    pub hedge_after: Duration,
    /// Attempts for one question; `None`: two passes; 0: as many as there is time for.
    pub max_attempts: Option<u32>,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            max_fails: 2,
            health: HealthSettings::default(),
            overlapping_checks: false,
            failover: Vec::new(),
            failfast: false,
            hedge_after: Duration::ZERO,
            max_attempts: None,
        }
    }
}

/// The upstreams of a directive.
#[derive(Debug)]
pub struct Group {
    pub(crate) members: Arc<Members>,
    pub(crate) settings: GroupSettings,
    near: Order,
    far: Order,
    pub(crate) hedge: Hedge,
    clock: Arc<dyn Clock>,
    all_down: Arc<Counter>,
    /// Questions asked elsewhere as their upstream left; `None`: nobody ever does.
    pub(crate) moved: Option<Arc<Counter>>,
    /// Who asks.
    directive: &'static str,
}

impl Group {
    /// A group of at least one upstream, always the same ones.
    pub fn new(upstreams: Vec<Upstream>, settings: GroupSettings, context: &Context) -> Self {
        assert!(!upstreams.is_empty(), "a directive without upstreams is refused when it is checked");
        let directive = upstreams[0].directive;
        Self::of(upstreams, settings, context, (directive, None))
    }

    /// A group whose upstreams come and go by [`Group::set`]; nobody at first.
    pub fn following(settings: GroupSettings, context: &Context) -> Self {
        let moved = context.metrics.counter(
            "nearpath_forward_moved_total",
            "Questions asked elsewhere because the upstream they were asked of is no longer one.",
            &[],
        );
        Self::of(Vec::new(), settings, context, ("forward", Some(moved))) // no other directive follows a Service
    }

    fn of(
        upstreams: Vec<Upstream>,
        settings: GroupSettings,
        context: &Context,
        (directive, moved): (&'static str, Option<Arc<Counter>>),
    ) -> Self {
        let help = "Questions that found every upstream down.";
        let all_down = match directive {
            "forward" => context.metrics.counter("coredns_forward_healthcheck_broken_total", help, &[]),
            other => context.metrics.counter("nearpath_upstream_all_down_total", help, &[("proxy_name", other)]),
        };
        Self {
            members: Arc::new(Members::new(upstreams, Arc::clone(&context.shelf), context.wiretap.clone())),
            near: Order::new(settings.policy),
            far: Order::new(settings.policy),
            hedge: Hedge::new(),
            clock: Arc::clone(&context.clock),
            settings,
            all_down,
            moved,
            directive,
        }
    }

    /// The upstreams of now, the near ones first, else as given.
    pub fn upstreams(&self) -> Arc<[Arc<Upstream>]> {
        Arc::clone(&self.members.now().upstreams)
    }

    /// Who is asked from now on. An upstream keeps its connections, its measured time and its health while its address
    /// stays. One that goes gets no new question; what it has not answered is asked elsewhere at once, its answer is still
    /// taken if it is the first, and its connections end when nobody waits any more. Says what changed.
    pub fn set(&self, seats: &[Seat], settings: &Settings, metrics: &Arc<Metrics>) -> Change {
        self.members.set(seats, settings, metrics)
    }

    /// Whether there is anybody to ask.
    pub fn has_members(&self) -> bool {
        !self.members.now().upstreams.is_empty()
    }

    /// How many upstreams are not down.
    pub fn up(&self) -> usize {
        self.members.now().upstreams.iter().filter(|upstream| !self.is_down(upstream)).count()
    }

    /// Whether somebody failed a check or an exchange and answered nobody since. With it, a question that was refused at a
    /// bound says that nobody answers; without it, that too much is asked. Cheap, and without a lock.
    pub fn is_ailing(&self) -> bool {
        self.members.now().upstreams.iter().any(|upstream| upstream.health.is_ailing())
    }

    /// Whether somebody at one of these addresses is not down.
    pub fn is_up(&self, among: impl Fn(SocketAddr) -> bool) -> bool {
        let lineup = self.members.now();
        lineup.upstreams.iter().any(|upstream| among(upstream.address()) && !self.is_down(upstream))
    }

    /// Hears of every upstream that comes back from now on: a check of it is good after one that failed, or it answers a
    /// question after one that it did not answer. The number says how often that was so. While [`Group::run`] is polled
    /// it is noticed although nobody asks: about an interval of the health checks after the return if they overlap, else with
    /// the first one that begins after it.
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.members.recoveries()
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
        let round = self.round();
        if round.numbers.is_empty() {
            // rare, and boxed: its state would make every exchange as large
            return Box::pin(self.exchange_without(query, deadline, round)).await;
        }
        Exchange::new(self, query, deadline).run(round).await
    }

    /// Checks upstreams after failed exchanges and watches for silent ones, for as long as it is polled.
    pub fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        crate::care::run(Arc::clone(&self.members), self.settings.clone())
    }

    /// With nobody, or nobody who is up: waits for somebody, tries one that is down, and looks again.
    async fn exchange_without(
        &self,
        query: &Query,
        deadline: Instant,
        mut round: Round,
    ) -> Result<(Answer, SocketAddr), Failure> {
        if round.lineup.upstreams.is_empty() {
            round = self.awaited(deadline).await;
        }
        if round.lineup.upstreams.is_empty() {
            query.tell(|| self.nobody("its Service has no endpoint and no address that could be asked".to_owned()));
            return Err(Failure::NotReady { what: "the Service behind `forward`" });
        }
        if round.numbers.is_empty() {
            let outcome = self.exchange_when_down(query, deadline, &round.lineup).await;
            let unchanged = !self.has_changed(&round);
            round = self.round();
            if outcome.is_ok() || unchanged || round.numbers.is_empty() {
                return outcome;
            }
        }
        Exchange::new(self, query, deadline).run(round).await
    }

    /// Waits a little for members.
    pub(crate) async fn awaited(&self, deadline: Instant) -> Round {
        let mut changes = self.members.changes();
        let until = deadline.min(Instant::now() + limits::UPSTREAM_MEMBERS_WITHIN);
        if self.members.now().upstreams.is_empty() {
            let _ = tokio::time::timeout_at(until, changes.changed()).await;
        }
        self.round()
    }

    /// Health checks may be what is broken: one upstream is tried all the same.
    async fn exchange_when_down(
        &self,
        query: &Query,
        deadline: Instant,
        lineup: &Lineup,
    ) -> Result<(Answer, SocketAddr), Failure> {
        self.all_down.increment();
        let failure = Failure::AllDown { count: lineup.upstreams.len(), longest: self.longest_of(lineup) };
        query.tell(|| self.nobody(failure.told().1.text.into_owned()));
        if self.settings.failfast {
            return Err(failure);
        }
        let first = &lineup.upstreams[self.numbers(lineup)[0]];
        let begun = query.step_begins();
        let answer = first.attempt_until(query, deadline.min(Instant::now() + DOWN_ATTEMPT), true).await;
        query.tell_since(begun, || first.step(query, false, &answer));
        match &answer {
            Ok(_) if first.health.answered(self.settings.max_fails) => self.members.recovered(),
            Ok(_) => {}
            Err(failure) => first.health.note(failure),
        }
        answer.map(|answer| (answer, first.address())).map_err(|_| failure)
    }

    /// Whom to ask now, in order: those that are down are not among them, suspected ones come last. Where upstreams are sent
    /// only so much, whoever can be asked soonest comes first.
    pub(crate) fn round(&self) -> Round {
        let lineup = self.members.now();
        let mut numbers = self.numbers(&lineup);
        numbers.retain(|&number| !self.is_down(&lineup.upstreams[number]));
        if lineup.has_turns {
            let now = Instant::now();
            let wait = |number: usize| lineup.upstreams[number].turns.as_ref().map(|turns| turns.wait(now));
            numbers.sort_by_cached_key(|&number| wait(number).unwrap_or_default());
        }
        if self.moved.is_some() {
            let now = Instant::now();
            numbers.sort_by_cached_key(|&number| lineup.upstreams[number].is_suspected(now));
        }
        Round { lineup, numbers }
    }

    /// The same again, unless the members have changed.
    pub(crate) fn renewed(&self, round: Round) -> Round {
        if self.members.have_changed(&round.lineup) { self.round() } else { round }
    }

    pub(crate) fn has_changed(&self, round: &Round) -> bool {
        self.members.have_changed(&round.lineup)
    }

    /// All members in the policy's order, the near ones first.
    fn numbers(&self, lineup: &Lineup) -> Vec<usize> {
        let far = lineup.upstreams.len() - lineup.near;
        let mut numbers = self.near.numbers(lineup.near);
        if far > 0 {
            numbers.extend(self.far.numbers(far).into_iter().map(|number| lineup.near + number));
        }
        numbers
    }

    /// The step of a question for which nobody may be asked.
    fn nobody(&self, text: String) -> What {
        What::Plugin { name: self.directive, text: text.into() }
    }

    fn is_down(&self, upstream: &Upstream) -> bool {
        upstream.health.is_down(self.settings.max_fails)
    }
}
