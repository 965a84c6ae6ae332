//! The connections to one upstream: which one takes a question, and when another is opened.
//!
//! A question goes to the connection with the fewest outstanding. Many peers, CoreDNS among them, answer the questions of
//! one connection one after the other, so that a slow one holds up those behind it. Until a peer is seen to answer out
//! of order, a question therefore rather waits for one more connection than behind others, up to the bound; and beyond
//! it, up to a second bound, while every connection is held up. Opening is one flight: whoever comes meanwhile waits for
//! the same connection. A peer that closes after a few answers ([`Quota`]) gets no
//! more than these on a connection, and more connections.

mod asking;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::dial::Dial;
use crate::question::Question;
use crate::quota::Quota;
use crate::stream::{Connection, Manners, Ticket};
use crate::tally::Tally;
use crate::vigil::Vigil;

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
    /// Connections at once while each is held up by a slow question.
    pub(crate) held_up_max: usize,
}

/// Why a question got no reply over a stream.
#[derive(Clone, Debug)]
pub(crate) enum Broken {
    /// No connection, or no socket; what the system said.
    Unreachable(String),
    /// Connections ended before the reply, the last one as well.
    Closed,
    /// There are as many questions as there may be: so many.
    Full(usize),
    /// Its turn would have come too late.
    Rate,
    /// The upstream takes no more questions from us.
    Left,
}

/// A peer that answers no more than this on a connection gets one for every few questions, without waiting in line.
const SMALL_QUOTA: u64 = 8;

/// A peer that answers in any order gets another connection when each has this many questions outstanding.
const SPREAD_AT: usize = 64;

/// How long a peer that would not have one more connection is not asked for another.
const RELUCTANT_FOR: Duration = Duration::from_secs(1);

/// What an opening comes to; `None` while it is under way.
type Opening = watch::Receiver<Option<Result<Arc<Connection>, String>>>;

/// The connections to one upstream.
#[derive(Debug)]
pub(crate) struct Pool {
    dial: Dial,
    bounds: Bounds,
    quota: Arc<Quota>,
    tally: Arc<Tally>,
    vigil: Option<Arc<Vigil>>,
    /// One permit per connection, those included that take no more questions.
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    opening: Option<Opening>,
    /// The peer was seen to answer out of order.
    any_order: bool,
    /// Until then the connections that there are must do.
    reluctant_until: Option<Instant>,
    /// No more questions.
    retired: bool,
}

impl State {
    /// The connections that take questions. A stalled one takes none; it is kept for as long as somebody waits for it,
    /// and takes questions again if it answers them all.
    fn taking(&self, now: Instant) -> impl Iterator<Item = &Arc<Connection>> {
        self.connections.iter().filter(move |connection| !connection.table().is_stalled(now))
    }
}

/// What to do with a question.
enum Plan {
    Asked(Ticket),
    /// A connection takes the question once it is the question's turn.
    Turn,
    Wait(Opening, Option<u64>),
    /// Open a connection for this question, and so many in all.
    Own(u64),
    Full,
    Left,
}

/// Which connection takes a question.
struct Choice {
    connection: Option<Arc<Connection>>,
    /// Another one is to be opened.
    open: bool,
    /// It is worth waiting for.
    wait: bool,
    /// It has questions outstanding that may hold up others, and there is to be no further one.
    is_behind: bool,
}

impl Pool {
    pub(crate) fn new(dial: Dial, bounds: Bounds, tally: Arc<Tally>, vigil: Option<Arc<Vigil>>) -> Arc<Self> {
        Arc::new(Self {
            dial,
            bounds,
            quota: Arc::default(),
            tally,
            vigil,
            slots: Arc::new(Semaphore::new(limits::UPSTREAM_SINGLES_MAX)),
            state: Mutex::default(),
        })
    }

    /// `patient`: the question has not yet waited for a connection. `is_due`: it may leave this very moment.
    fn plan(self: &Arc<Self>, question: &Arc<Question>, edns: bool, fresh: bool, patient: bool, is_due: bool) -> Plan {
        let now = Instant::now();
        let quota = self.quota.current(now);
        let mut state = self.state();
        if state.retired {
            return Plan::Left;
        }
        state.connections.retain(|connection| self.is_usable(connection, quota, now));
        if let Some(quota) = quota.filter(|quota| *quota <= SMALL_QUOTA) {
            let mut usable = state.taking(now).filter(|connection| !fresh || is_new(connection));
            if !is_due && usable.next().is_some() {
                return Plan::Turn;
            }
            let ticket = usable.into_iter().find_map(|connection| connection.ask(question, edns, Some(quota)));
            return ticket.map_or(Plan::Own(quota), |ticket| self.hit(ticket));
        }
        state.any_order =
            state.any_order || state.connections.iter().any(|connection| connection.table().is_out_of_order());
        let choice = self.choose(&state, fresh, now);
        // behind a slow question a check would say nothing of whom it checks, and silence is an alarm where there is a vigil
        if question.is_check() && self.vigil.is_some() && choice.is_behind && self.slots.available_permits() > 0 {
            return Plan::Own(1);
        }
        let opening = if choice.open { Some(self.open(&mut state)) } else { state.opening.clone() };
        if choice.wait
            && patient
            && let Some(opening) = opening
        {
            return Plan::Wait(opening, quota);
        }
        if !is_due && choice.connection.is_some() {
            return Plan::Turn;
        }
        let ticket = choice.connection.and_then(|connection| connection.ask(question, edns, quota));
        match (ticket, opening) {
            // whoever waited for a connection to be opened has not found one open
            (Some(ticket), _) if !patient => Plan::Asked(ticket),
            (Some(ticket), _) => self.hit(ticket),
            (None, Some(opening)) => Plan::Wait(opening, quota),
            (None, None) => Plan::Full,
        }
    }

    /// The best connection that there is, and whether another one would be better.
    fn choose(&self, state: &State, fresh: bool, now: Instant) -> Choice {
        let (mut count, mut best, mut best_new) = (0, None, None);
        for connection in &state.connections {
            let table = connection.table();
            if table.is_stalled(now) {
                continue;
            }
            count += 1;
            let rating = match state.any_order {
                true => (false, table.load()),
                false => (table.is_blocked(now), table.queue(now)),
            };
            keep_least(&mut best, rating, connection);
            if table.answered() == 0 {
                keep_least(&mut best_new, rating, connection);
            }
        }
        let below_bound = count < self.bounds.connections_max;
        let best = if fresh && below_bound { best_new } else { best };
        let Some(((held_up, load), connection)) = best else {
            return Choice { connection: None, open: below_bound, wait: true, is_behind: false };
        };
        let better = if state.any_order { load >= SPREAD_AT } else { load > 0 };
        let reluctant = state.reluctant_until.is_some_and(|until| now < until);
        let may_open = !reluctant && (below_bound || held_up && count < self.bounds.held_up_max);
        let wait = may_open && better && !state.any_order;
        let is_behind = !state.any_order && load > 0 && !reluctant && !may_open;
        Choice { connection: Some(Arc::clone(connection)), open: may_open && better, wait, is_behind }
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
            let wanted = opened.as_ref().ok().filter(|_| !state.retired);
            state.connections.extend(wanted.map(Arc::clone));
            state.opening = None;
            state.reluctant_until = opened.is_err().then(|| Instant::now() + RELUCTANT_FOR);
            drop(state);
            done.send_replace(Some(opened));
        });
        opening
    }

    async fn connect(&self) -> io::Result<Arc<Connection>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed");
        self.tally.misses.increment();
        let stream = self.dial.stream().await?;
        let manners = Manners {
            expire: self.bounds.expire,
            quota: Arc::clone(&self.quota),
            tally: Arc::clone(&self.tally),
            vigil: self.vigil.clone(),
        };
        Ok(Connection::start(stream, manners, slot))
    }

    fn is_usable(&self, connection: &Connection, quota: Option<u64>, now: Instant) -> bool {
        let old = self.bounds.max_age.is_some_and(|age| now.duration_since(connection.born()) >= age);
        let table = connection.table();
        let used_up = quota.is_some_and(|quota| table.issued() >= quota);
        let is_idle = table.load() == 0;
        let expired = is_idle && now.duration_since(table.last_use()) >= self.bounds.expire;
        let given_up = is_idle && table.is_stalled(now);
        !(old || used_up || expired || given_up || table.is_closed())
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

    /// Takes no more questions. A connection ends once nobody waits for its replies any more.
    pub(crate) fn retire(&self) {
        let mut state = self.state();
        state.retired = true;
        state.connections.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many questions as its connections take are outstanding.
    fn full(&self) -> Broken {
        Broken::Full(self.bounds.connections_max * limits::UPSTREAM_PIPELINE_MAX)
    }

    /// Questions outstanding on all connections that take more, or will once they have answered these.
    pub(crate) fn load(&self) -> usize {
        self.state().connections.iter().map(|connection| connection.table().load()).sum()
    }
}

/// Keeps the connection with the least rating, the first of several.
fn keep_least<'s, R: Ord>(best: &mut Option<(R, &'s Arc<Connection>)>, rating: R, connection: &'s Arc<Connection>) {
    if best.as_ref().is_none_or(|(least, _)| rating < *least) {
        *best = Some((rating, connection));
    }
}

/// A connection on which nothing was answered yet: it cannot be one that its peer is about to close for being old.
fn is_new(connection: &Connection) -> bool {
    connection.table().answered() == 0
}
