//! The way of one question through the connections: it waits for one that takes it, then for its turn, and leaves.

use std::sync::Arc;
use std::time::Duration;

use contract::limits;
use tokio::time::Instant;

use super::{Broken, Opening, Plan, Pool};
use crate::pace::Pace;
use crate::question::{Question, Reply};
use crate::stream::{Closed, Connection, Ticket};

/// How often a question may find that the connection it waited for was filled by others meanwhile.
const TURNS_MAX: usize = 16;
/// How long a question waits for one more connection before it takes a place behind others.
const PATIENCE: Duration = Duration::from_millis(100);

impl Pool {
    /// Asks on a connection; if that one ends first, once again on a new one. `fresh`: on a new one from the start.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        question: &Arc<Question>,
        edns: bool,
        fresh: bool,
        mut pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        let first = self.ask(question, edns, fresh, pace.as_deref_mut()).await?.reply().await;
        let reply = match first {
            Ok(reply) => Ok(reply),
            Err(Closed) => {
                self.tally.retries.increment();
                self.ask(question, edns, true, pace).await?.reply().await.map_err(|Closed| Broken::Closed)
            }
        };
        self.trim();
        reply
    }

    /// A message takes its turn when there is a connection for it, not before.
    async fn ask(
        self: &Arc<Self>,
        question: &Arc<Question>,
        edns: bool,
        fresh: bool,
        mut pace: Option<&mut Pace<'_>>,
    ) -> Result<Ticket, Broken> {
        let mut waited = false; // now it takes what there is
        for _ in 0..TURNS_MAX {
            let is_due = pace.as_ref().is_none_or(|pace| pace.is_due());
            let (connection, quota) = match self.plan(question, edns, fresh, !waited, is_due) {
                Plan::Asked(ticket) => return Ok(sent(ticket, pace)),
                Plan::Turn => {
                    take_turn(&mut pace).await?;
                    waited = true;
                    continue;
                }
                Plan::Full => return Err(self.full()),
                Plan::Left => return Err(Broken::Left),
                Plan::Wait(opening, quota) => match self.wait(opening, !waited).await {
                    Ok(opened) if opened.table().is_refused() => return Err(Broken::Closed),
                    Ok(opened) if fresh || waited => (opened, quota),
                    Ok(_) => {
                        waited = true;
                        continue; // others waited for it, too: it may be the busiest by now
                    }
                    Err(reason) => return self.behind_others(question, edns, quota, reason, pace).await,
                },
                Plan::Own(quota) => {
                    let opened = match self.connect().await {
                        Ok(opened) => opened,
                        Err(error) => {
                            let quota = (quota > 1).then_some(quota);
                            return self.behind_others(question, edns, quota, error.to_string(), pace).await;
                        }
                    };
                    if quota > 1 && !self.state().retired {
                        self.state().connections.push(Arc::clone(&opened));
                    }
                    (opened, Some(quota))
                }
            };
            waited = true;
            take_turn(&mut pace).await?;
            if self.state().retired {
                return Err(Broken::Left);
            }
            if let Some(ticket) = connection.ask(question, edns, quota) {
                return Ok(sent(ticket, pace));
            }
        }
        Err(self.full())
    }

    /// What an opening comes to; not waited for to the end if there are connections that would do as well.
    async fn wait(&self, mut opening: Opening, patient: bool) -> Result<Arc<Connection>, String> {
        let has_others = patient && self.state().taking(Instant::now()).next().is_some();
        let within = if has_others { PATIENCE } else { limits::UPSTREAM_CONNECT_WITHIN };
        match tokio::time::timeout(within, opening.wait_for(Option::is_some)).await {
            Ok(Ok(done)) => done.clone().expect("it was waited for"),
            Ok(Err(_)) => Err("the connection was given up".to_owned()),
            Err(_) => Err(format!("no connection within {} ms", within.as_millis())),
        }
    }

    /// A place behind others after all, when no further connection can be had.
    async fn behind_others(
        &self,
        question: &Arc<Question>,
        edns: bool,
        quota: Option<u64>,
        reason: String,
        mut pace: Option<&mut Pace<'_>>,
    ) -> Result<Ticket, Broken> {
        let has_others = || self.state().taking(Instant::now()).next().is_some();
        if pace.is_some() && has_others() {
            take_turn(&mut pace).await?;
        }
        let ticket = {
            let state = self.state();
            let least = state.taking(Instant::now()).min_by_key(|connection| connection.table().load());
            let is_due = pace.as_ref().is_none_or(|pace| pace.is_due());
            least.filter(|_| is_due).and_then(|least| least.ask(question, edns, quota))
        };
        ticket.map(|ticket| sent(ticket, pace)).ok_or(Broken::Unreachable(reason))
    }
}

/// Waits until a message may leave.
async fn take_turn(pace: &mut Option<&mut Pace<'_>>) -> Result<(), Broken> {
    match pace {
        None => Ok(()),
        Some(pace) => Box::pin(pace.turn(&mut || Ok(()))).await,
    }
}

/// Says that a message has left.
fn sent(ticket: Ticket, pace: Option<&mut Pace<'_>>) -> Ticket {
    if let Some(pace) = pace {
        pace.sent();
    }
    ticket
}
