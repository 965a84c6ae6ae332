//! The connections to one upstream: which one takes a question, and when another is opened.
//!
//! A question goes to the connection with the fewest outstanding. When all are busy one more is opened beside it, up to
//! the bound, because many peers answer the questions of one connection one after the other. Opening is one flight:
//! whoever comes meanwhile waits for the same connection. A peer that closes after a few answers ([`Quota`]) gets no
//! more than these on a connection, and more connections.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::dial::Dial;
use crate::question::{Question, Reply};
use crate::quota::Quota;
use crate::stream::{Closed, Connection, Manners, Ticket};
use crate::tally::Tally;

/// How often a question may find that the connection it waited for was filled by others meanwhile.
const TURNS_MAX: usize = 8;

/// Bounds of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// An idle connection is closed after this.
    pub(crate) expire: Duration,
    /// A connection that is older gets no more questions.
    pub(crate) max_age: Option<Duration>,
    /// Idle connections that are kept.
    pub(crate) idle_max: Option<usize>,
    /// Connections at once.
    pub(crate) connections_max: usize,
}

/// Why a question got no reply over a stream.
#[derive(Clone, Debug)]
pub(crate) enum Broken {
    /// No connection, or no socket; what the system said.
    Unreachable(String),
    /// Two connections in a row ended before the reply.
    Closed,
    /// Every connection has as many questions as it may have.
    Full,
}

/// What an opening comes to; `None` while it is under way.
type Opening = watch::Receiver<Option<Result<Arc<Connection>, String>>>;

/// The connections to one upstream.
#[derive(Debug)]
pub(crate) struct Pool {
    dial: Dial,
    bounds: Bounds,
    quota: Arc<Quota>,
    tally: Arc<Tally>,
    /// One permit per connection, those included that take no more questions.
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    opening: Option<Opening>,
}

/// What to do with a question.
enum Plan {
    Asked(Ticket),
    Wait(Opening),
    /// Open a connection for this question alone.
    Own(u64),
    Full,
}

impl Pool {
    pub(crate) fn new(dial: Dial, bounds: Bounds, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            dial,
            bounds,
            quota: Arc::default(),
            tally,
            slots: Arc::new(Semaphore::new(limits::UPSTREAM_SINGLES_MAX)),
            state: Mutex::default(),
        })
    }

    /// Asks on a connection; if that one ends first, once again on a new one. `fresh`: on a new one from the start.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        question: &Arc<Question>,
        edns: bool,
        fresh: bool,
    ) -> Result<Reply, Broken> {
        let first = self.ask(question, edns, fresh).await?.reply().await;
        let reply = match first {
            Ok(reply) => Ok(reply),
            Err(Closed) => {
                self.tally.retries.increment();
                self.ask(question, edns, true).await?.reply().await.map_err(|Closed| Broken::Closed)
            }
        };
        self.trim();
        reply
    }

    async fn ask(self: &Arc<Self>, question: &Arc<Question>, edns: bool, fresh: bool) -> Result<Ticket, Broken> {
        for _ in 0..TURNS_MAX {
            let (connection, quota) = match self.plan(question, edns, fresh) {
                Plan::Asked(ticket) => return Ok(ticket),
                Plan::Full => return Err(Broken::Full),
                Plan::Wait(mut opening) => {
                    let opened = opening.wait_for(Option::is_some).await.ok().and_then(|done| done.clone());
                    let opened = opened.unwrap_or_else(|| Err("the connection was given up".to_owned()));
                    (opened.map_err(Broken::Unreachable)?, None)
                }
                Plan::Own(quota) => {
                    let opened = self.connect().await.map_err(|error| Broken::Unreachable(error.to_string()))?;
                    if quota > 1 {
                        self.state().connections.push(Arc::clone(&opened));
                    }
                    (opened, Some(quota))
                }
            };
            if let Some(ticket) = connection.ask(question, edns, quota) {
                return Ok(ticket);
            }
        }
        Err(Broken::Full)
    }

    fn plan(self: &Arc<Self>, question: &Arc<Question>, edns: bool, fresh: bool) -> Plan {
        let now = Instant::now();
        let quota = self.quota.current(now);
        let mut state = self.state();
        state.connections.retain(|connection| self.is_usable(connection, quota, now));
        if let Some(quota) = quota {
            let usable = state.connections.iter().filter(|connection| !fresh || is_new(connection));
            let ticket = usable.into_iter().find_map(|connection| connection.ask(question, edns, Some(quota)));
            return ticket.map_or(Plan::Own(quota), |ticket| self.hit(ticket));
        }
        let may_open = state.connections.len() < self.bounds.connections_max;
        let usable = state.connections.iter().filter(|connection| !fresh || !may_open || is_new(connection));
        let least = usable.map(|connection| (connection.table().load(), connection)).min_by_key(|(load, _)| *load);
        let busy = least.as_ref().is_none_or(|(load, _)| *load > 0);
        let least = least.map(|(_, connection)| Arc::clone(connection));
        let opening = if busy && may_open { Some(self.open(&mut state)) } else { state.opening.clone() };
        match (least.and_then(|connection| connection.ask(question, edns, None)), opening) {
            (Some(ticket), _) => self.hit(ticket),
            (None, Some(opening)) => Plan::Wait(opening),
            (None, None) => Plan::Full,
        }
    }

    fn hit(&self, ticket: Ticket) -> Plan {
        self.tally.hits.increment();
        Plan::Asked(ticket)
    }

    /// The opening under way, or one that begins. It goes on when whoever began it has gone: others may wait for it.
    fn open(self: &Arc<Self>, state: &mut State) -> Opening {
        if let Some(opening) = &state.opening {
            return opening.clone();
        }
        let (done, opening) = watch::channel(None);
        state.opening = Some(opening.clone());
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let opened = pool.connect().await.map_err(|error| error.to_string());
            let mut state = pool.state();
            state.connections.extend(opened.as_ref().ok().map(Arc::clone));
            state.opening = None;
            drop(state);
            done.send_replace(Some(opened));
        });
        opening
    }

    async fn connect(&self) -> io::Result<Arc<Connection>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        self.tally.misses.increment();
        let stream = self.dial.stream().await?;
        let manners =
            Manners { expire: self.bounds.expire, quota: Arc::clone(&self.quota), tally: Arc::clone(&self.tally) };
        Ok(Connection::start(stream, manners, slot))
    }

    fn is_usable(&self, connection: &Connection, quota: Option<u64>, now: Instant) -> bool {
        let old = self.bounds.max_age.is_some_and(|age| now.duration_since(connection.born()) >= age);
        let table = connection.table();
        let used_up = quota.is_some_and(|quota| table.issued() >= quota);
        let expired = table.load() == 0 && now.duration_since(table.last_use()) >= self.bounds.expire;
        !(old || used_up || expired || table.is_closed() || table.is_stalled(now))
    }

    /// Lets go of idle connections above the bound, the longest idle first.
    fn trim(&self) {
        let Some(idle_max) = self.bounds.idle_max else { return };
        let mut state = self.state();
        let mut idle: Vec<(Instant, usize)> = Vec::new();
        for (index, connection) in state.connections.iter().enumerate() {
            let table = connection.table();
            if table.load() == 0 {
                idle.push((table.last_use(), index));
            }
        }
        idle.sort_unstable();
        idle.truncate(idle.len().saturating_sub(idle_max));
        let mut index = 0;
        state.connections.retain(|_| {
            index += 1;
            !idle.iter().any(|(_, gone)| *gone == index - 1)
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Questions outstanding on all connections that take more.
    pub(crate) fn load(&self) -> usize {
        self.state().connections.iter().map(|connection| connection.table().load()).sum()
    }
}

/// A connection on which nothing was answered yet: it cannot be one that its peer is about to close for being old.
fn is_new(connection: &Connection) -> bool {
    connection.table().answered() == 0
}
