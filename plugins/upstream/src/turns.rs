//! What one upstream may be sent, where that is bounded: messages per second, and questions outstanding. Both bounds are the
//! address's: whoever names it with the same figures shares them, be it twice in a Corefile or before and after a reload.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use contract::Shelf;
use contract::metrics::Metrics;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::line::{Enter, Line, Turn};
use crate::settings::Settings;

/// What one upstream may be sent.
#[derive(Debug)]
pub(crate) struct Turns {
    /// `None`: as many messages as there are.
    line: Option<Arc<Line>>,
    /// `None`: as many questions outstanding as there are.
    room: Option<Arc<Room>>,
}

/// Room for questions outstanding.
#[derive(Debug)]
struct Room {
    places: Semaphore,
    most: usize,
}

/// A question that is outstanding. Dropped, it is none any more.
#[derive(Debug)]
pub(crate) struct Outstanding<'t>(#[allow(dead_code, reason = "held for its drop")] Option<SemaphorePermit<'t>>);

/// Why a message does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its turn would come too late.
    Rate,
    /// As many questions are outstanding as may be: so many.
    Full(usize),
}

impl Turns {
    /// For an upstream at this address, which metrics name `to`; `None` if nothing is bounded.
    pub(crate) fn of(
        address: SocketAddr,
        to: &str,
        settings: &Settings,
        metrics: &Metrics,
        shelf: &Shelf,
    ) -> Option<Self> {
        let line = settings.rate.map(|rate| Line::of(address, rate, to, shelf, metrics));
        let room = settings.outstanding_max.map(|most| {
            let most = most.min(Semaphore::MAX_PERMITS);
            shelf.get_or_make((address, most), || Room { places: Semaphore::new(most), most })
        });
        (line.is_some() || room.is_some()).then_some(Self { line, room })
    }

    /// How long a question would wait.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.line.as_ref().map_or(Duration::ZERO, |line| line.wait(now))
    }

    /// Whether a question could leave now.
    pub(crate) fn is_free(&self, now: Instant) -> bool {
        self.room.as_ref().is_none_or(|room| room.places.available_permits() > 0) && self.wait(now).is_zero()
    }

    /// One more question is outstanding, if there is room for it.
    pub(crate) fn begin(&self) -> Result<Outstanding<'_>, Refusal> {
        let Some(room) = &self.room else { return Ok(Outstanding(None)) };
        let permit = room.places.try_acquire().map_err(|_| Refusal::Full(room.most))?;
        Ok(Outstanding(Some(permit)))
    }

    /// A message leaves now, or waits in line for a turn no later than `until`. What else it needs is asked for when it
    /// leaves. `client`: to whose share of the line it counts.
    pub(crate) fn join(
        &self,
        client: Option<IpAddr>,
        until: Instant,
        now: Instant,
        enter: Enter<'_>,
    ) -> Result<Turn<'_>, Refusal> {
        match &self.line {
            Some(line) => line.join(client, until, now, enter),
            None => enter().map(|()| Turn::Now),
        }
    }

    /// Takes a token that is free and wanted by nobody else; `check`: and that checks may take.
    pub(crate) fn spare(&self, check: bool, now: Instant) -> bool {
        self.line.as_ref().is_none_or(|line| line.spare(check, now))
    }

    /// Waits for a turn of a check: ahead of the line, once half of the rate is left to the others.
    pub(crate) async fn urgent(&self, enter: Enter<'_>) -> Result<(), Refusal> {
        match &self.line {
            Some(line) => line.urgent(enter).await,
            None => enter(),
        }
    }
}
