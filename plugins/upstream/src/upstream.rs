//! One upstream: its address and protocol, and the way of a question through datagrams and connections to an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::metrics::Metrics;
use contract::wire::{Ede, Message, Name, RecordType};
use contract::{Answer, Bound, Context, Failure, Query, Shelf, Transport, Wiretap};
use tokio::time::{Instant, timeout_at};

use crate::datagram::Datagrams;
use crate::dial::Dial;
use crate::health::Health;
use crate::members::Seat;
use crate::pace::{Pace, Patience};
use crate::pool::{Bounds, Broken, Pool};
use crate::question::{Question, Reply};
use crate::round_trip::RoundTrip;
use crate::settings::{Protocol, Settings};
use crate::tally::Tally;
use crate::tap::Tap;
use crate::turns::Turns;
use crate::vigil::Vigil;

/// Option code of an Extended DNS Error (RFC 8914 2).
const OPTION_EDE: u16 = 15;
/// The longest EXTRA-TEXT that is taken on, octets.
const EDE_TEXT_MAX: usize = 160;

/// A connection is open for at least this, so that the question for which it was opened finds it.
const EXPIRE_MIN: Duration = Duration::from_millis(20);

/// How long an upstream that answers only questions without EDNS is not asked with it.
const PLAIN_FOR: Duration = Duration::from_secs(60);

/// One upstream with its connections, its measured time and its health.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    /// Who asks it.
    pub(crate) directive: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) attempt_within: Duration,
    pub(crate) pool: Arc<Pool>,
    datagrams: Datagrams,
    /// Until then it is asked without EDNS.
    plain_until: Mutex<Option<Instant>>,
    pub(crate) round_trip: RoundTrip,
    pub(crate) health: Health,
    pub(crate) tally: Arc<Tally>,
    /// Only for a member of a group that changes.
    pub(crate) vigil: Option<Arc<Vigil>>,
    /// What it may be sent, if that is bounded.
    pub(crate) turns: Option<Turns>,
    /// Whose NS records its checks ask for, if not those that the group says.
    pub(crate) check_name: Option<Name>,
    /// Messages per second that it is sent at most.
    per_second: Option<u32>,
    /// Who looks on at what goes there and comes back.
    wiretap: Option<Arc<dyn Wiretap>>,
}

/// What upstreams are made with besides their settings.
pub(crate) struct World<'w> {
    pub(crate) metrics: &'w Arc<Metrics>,
    pub(crate) shelf: &'w Shelf,
    pub(crate) wiretap: Option<&'w Arc<dyn Wiretap>>,
}

impl Upstream {
    /// An upstream; nothing is opened yet. Its bounds it shares with whoever has the same ones at that address.
    pub fn new(address: SocketAddr, protocol: Protocol, settings: &Settings, context: &Context) -> Self {
        let (metrics, shelf, wiretap) = (&context.metrics, &context.shelf, context.wiretap.as_ref());
        Self::make((address, address.to_string()), protocol, settings, &World { metrics, shelf, wiretap }, None)
    }

    /// A member of a group that changes.
    pub(crate) fn following(seat: &Seat, settings: &Settings, world: &World<'_>) -> Self {
        let vigil = Some(Arc::new(Vigil::new(Instant::now())));
        Self::make((seat.address, seat.to.clone()), seat.protocol.clone(), settings, world, vigil)
    }

    fn make(
        (address, to): (SocketAddr, String),
        protocol: Protocol,
        settings: &Settings,
        world: &World<'_>,
        vigil: Option<Arc<Vigil>>,
    ) -> Self {
        let tls = match &protocol {
            Protocol::Tls { server_name, config } => Some((server_name.clone(), Arc::clone(config))),
            Protocol::Udp | Protocol::Tcp | Protocol::AsAsked => None,
        };
        let stream = if tls.is_some() { "tcp-tls" } else { "tcp" };
        let turns = Turns::of(address, &to, settings, world.metrics, world.shelf);
        let tally = Tally::new(world.metrics, settings.directive, to, stream);
        let dial = Dial { address, source: settings.source, tls };
        let bounds = Bounds {
            expire: settings.expire.max(EXPIRE_MIN),
            max_age: settings.max_age,
            idle_max: settings.max_idle,
            connections_max: settings.connections_max,
            held_up_max: settings.held_up_max,
        };
        Self {
            address,
            directive: settings.directive,
            protocol,
            attempt_within: settings.attempt_within,
            pool: Pool::new(dial.clone(), bounds, Arc::clone(&tally), vigil.clone()),
            datagrams: Datagrams::new(dial, Arc::clone(&tally)),
            plain_until: Mutex::default(),
            round_trip: RoundTrip::default(),
            health: Health::default(),
            tally,
            vigil,
            turns,
            check_name: settings.check_name.clone(),
            per_second: settings.rate.map(|rate| rate.per_second),
            wiretap: world.wiretap.cloned(),
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The smoothed time of its replies; `None` before the first one.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    /// Questions outstanding; those on connections that are too old or used up are not among them.
    pub fn outstanding(&self) -> usize {
        self.pool.load() + self.datagrams.load()
    }

    /// Asks, for as long as one attempt may take and no later than `deadline`. A reply that was truncated over UDP and
    /// could not be had over TCP is returned as it is ([`Answer::is_truncated`]): it must not be memorised. Where the
    /// upstream is sent only so many messages, waits for its turn.
    pub async fn ask(&self, query: &Query, deadline: Instant) -> Result<Answer, Failure> {
        self.attempt_until(query, deadline.min(Instant::now() + self.attempt_within), false).await
    }

    /// As [`Upstream::attempt`], ended at `deadline`.
    pub(crate) async fn attempt_until(&self, query: &Query, deadline: Instant, fresh: bool) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let late = |_| Err(Failure::Timeout { upstream: self.address, waited: begun.elapsed() });
        let patience = self.patience(deadline - begun);
        timeout_at(deadline, self.attempt(query, deadline, fresh, patience)).await.unwrap_or_else(late)
    }

    /// Asks, for as long as it is polled; only to a TCP connection for what was truncated it holds on until `deadline`.
    /// `fresh`: on a new connection, because an attempt on another one has failed or is late.
    /// `patience`: for how long it waits for its turn, if the upstream has turns.
    pub(crate) async fn attempt(
        &self,
        query: &Query,
        deadline: Instant,
        fresh: bool,
        patience: Option<Patience>,
    ) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let mut pace = patience.and_then(|patience| self.pace(query, patience, deadline));
        let question = Arc::new(Question::of(query, self.tap(query)));
        let datagram = match self.protocol {
            Protocol::Udp => true,
            Protocol::AsAsked => query.client.transport == Transport::Udp,
            Protocol::Tcp | Protocol::Tls { .. } => false,
        };
        let reply = self.converse(&question, datagram, fresh, pace.as_deref_mut()).await;
        let reply = reply.map_err(|broken| self.failure(broken))?;
        let mut took = took_since(begun, pace.as_deref());
        self.round_trip.observe(took);
        let reply = match datagram && reply.is_truncated() {
            true => {
                let within = deadline.min(Instant::now() + self.attempt_within);
                // rare, and boxed as it is large
                let whole = Box::pin(self.whole(&question, within, pace.as_deref_mut())).await;
                took = took_since(begun, pace.as_deref());
                whole.unwrap_or(reply)
            }
            false => reply,
        };
        let answer = self.answer(query, &reply)?;
        if answer.is_truncated() && !datagram {
            return Err(self.broken("truncated over TCP"));
        }
        self.tally.replied(answer.rcode(), took);
        Ok(answer)
    }

    /// The reply that did not fit into a datagram, over TCP; `None` if it cannot be had.
    async fn whole(&self, question: &Arc<Question>, deadline: Instant, pace: Option<&mut Pace<'_>>) -> Option<Reply> {
        let reply = timeout_at(deadline, self.converse(question, false, false, pace)).await.ok()?.ok()?;
        (!reply.is_truncated()).then_some(reply)
    }

    /// Asks with EDNS, and without it if the upstream does not know it (RFC 6891 7), which is remembered for a while. A
    /// question for signatures always tries it: without EDNS its answer would be memorised without them.
    async fn converse(
        &self,
        question: &Arc<Question>,
        datagram: bool,
        fresh: bool,
        mut pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        let plain_until = *self.plain_until();
        if !question.wants_signatures() && plain_until.is_some_and(|until| Instant::now() < until) {
            return self.exchange(question, false, datagram, fresh, pace).await;
        }
        let reply = self.exchange(question, true, datagram, fresh, pace.as_deref_mut()).await?;
        if !reply.refuses_edns() {
            return Ok(reply);
        }
        self.tally.retries.increment();
        let reply = self.exchange(question, false, datagram, fresh, pace).await?;
        if reply.is_good() {
            *self.plain_until() = Some(Instant::now() + PLAIN_FOR); // it was the OPT that it did not like, not the question
        }
        Ok(reply)
    }

    fn plain_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.plain_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks once: in a datagram, or over a connection, `fresh` on a new one.
    pub(crate) async fn exchange(
        &self,
        question: &Arc<Question>,
        edns: bool,
        datagram: bool,
        fresh: bool,
        pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        match datagram {
            true => self.exchange_datagram(question, edns, true, pace).await,
            false => self.pool.exchange(question, edns, fresh, pace).await,
        }
    }

    /// Asks in a datagram. `repeats`: it is sent again without a reply.
    pub(crate) async fn exchange_datagram(
        &self,
        question: &Arc<Question>,
        edns: bool,
        repeats: bool,
        pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        let again = repeats.then(|| self.round_trip.retransmit_wait());
        // boxed beside the socket that it opens, so that questions over TCP stay small
        let reply = Box::pin(self.datagrams.exchange(question, edns, again, pace)).await;
        if let (Some(vigil), Ok(_)) = (&self.vigil, &reply) {
            vigil.heard(Instant::now());
        }
        reply
    }

    /// For how long an attempt waits for its turn; `None` if there are no turns.
    pub(crate) fn patience(&self, within: Duration) -> Option<Patience> {
        self.turns.as_ref().map(|_| Patience::new(within))
    }

    fn pace(&self, query: &Query, patience: Patience, deadline: Instant) -> Option<Box<Pace<'_>>> {
        let turns = self.turns.as_ref()?;
        // a refresh is our own look, whoever led to it
        let client = if query.refresh { Ipv4Addr::LOCALHOST.into() } else { query.client.ip() };
        let pace = Pace::of_question(turns, self.vigil.as_deref(), client, patience, self.attempt_within, deadline);
        Some(Box::new(pace)) // rare, and boxed so that other attempts stay small
    }

    fn tap(&self, query: &Query) -> Option<Tap> {
        let wiretap = Arc::clone(self.wiretap.as_ref()?);
        let stream = if matches!(self.protocol, Protocol::Tls { .. }) { "tls" } else { "tcp" };
        Some(Tap { wiretap, upstream: self.address, stream, client: query.client })
    }

    fn answer(&self, query: &Query, reply: &Reply) -> Result<Answer, Failure> {
        let wire = match reply {
            Reply::Bare(rcode) => return Ok(Answer::empty(&query.name, query.rtype, query.class, *rcode)),
            Reply::Whole(wire) | Reply::Cut(wire) => wire,
        };
        let answer = Answer::from_upstream(query, wire).map_err(|bad| self.broken(bad.to_string()))?;
        Ok(match upstream_ede(wire) {
            Some(ede) => answer.with_ede(ede),
            None => answer,
        })
    }

    /// What is said where it is not asked, as a bound of its own is reached.
    pub(crate) fn bound(&self, bound: Bound) -> Failure {
        let most = self.per_second.filter(|_| bound == Bound::UpstreamRate).map(u64::from);
        Failure::Bound { bound, most, upstream: Some(self.address) }
    }

    pub(crate) fn failure(&self, broken: Broken) -> Failure {
        let upstream = self.address;
        match broken {
            Broken::Unreachable(reason) => Failure::Unreachable { upstream, reason: reason.into() },
            Broken::Closed => {
                Failure::Unreachable { upstream, reason: "it closed its connections before the reply".into() }
            }
            Broken::Left => Failure::Unreachable { upstream, reason: "it is no longer an upstream".into() },
            Broken::Full(most) => Bound::UpstreamPipeline.reached_at(most, Some(upstream)),
            Broken::Rate => self.bound(Bound::UpstreamRate),
        }
    }

    fn broken(&self, reason: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
        Failure::BrokenReply { upstream: self.address, reason: reason.into() }
    }
}

/// How long the upstream took; what was waited for turns is not its time.
fn took_since(begun: Instant, pace: Option<&Pace<'_>>) -> Duration {
    begun.elapsed().saturating_sub(pace.map_or(Duration::ZERO, Pace::waited))
}

/// The first Extended DNS Error in a reply (RFC 8914).
fn upstream_ede(wire: &[u8]) -> Option<Ede> {
    let message = Message::parse(wire).ok()?;
    let opt = message.opt().filter(|opt| opt.rtype == RecordType::OPT)?;
    let mut rest = message.rdata(&opt);
    while let [c0, c1, l0, l1, tail @ ..] = rest {
        let (option, after) = tail.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        if let (OPTION_EDE, [high, low, text @ ..]) = (u16::from_be_bytes([*c0, *c1]), option) {
            let text = String::from_utf8_lossy(&text[..text.len().min(EDE_TEXT_MAX)]).into_owned();
            return Some(Ede::new(u16::from_be_bytes([*high, *low]), text));
        }
        rest = after;
    }
    None
}
