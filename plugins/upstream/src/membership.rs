//! An upstream as one of several that come and go.

use contract::{Answer, Failure, Query};
use tokio::time::Instant;

use crate::members::Seat;
use crate::pace::Patience;
use crate::upstream::Upstream;
use crate::vigil::Vigil;

impl Upstream {
    /// As [`Upstream::attempt`] of an upstream that may leave or fall silent: whoever polls this is woken by an alarm.
    pub(crate) async fn attempt_watched(
        &self,
        vigil: &Vigil,
        query: &Query,
        deadline: Instant,
        fresh: bool,
        patience: Option<Patience>,
    ) -> Result<Answer, Failure> {
        // one that waits for its turn is not yet under way
        let _under_way = patience.is_none().then(|| vigil.begin(Instant::now()));
        let mut attempt = std::pin::pin!(self.attempt(query, deadline, fresh, patience));
        loop {
            tokio::select! {
                biased;
                outcome = &mut attempt => return outcome,
                () = vigil.alarm() => {}
            }
        }
    }

    /// Takes no new questions. Those under way go on while somebody waits for them; then its connections end.
    pub(crate) fn leave(&self) {
        if let Some(vigil) = &self.vigil {
            vigil.leave();
        }
        self.pool.retire();
    }

    /// Whether it is no longer a member of its group.
    pub(crate) fn has_left(&self) -> bool {
        self.vigil.as_ref().is_some_and(|vigil| vigil.has_left())
    }

    /// Whether it is passed over for others.
    pub(crate) fn is_suspected(&self, now: Instant) -> bool {
        self.vigil.as_ref().is_some_and(|vigil| vigil.is_suspected(now))
    }

    /// How many alarms there were.
    pub(crate) fn alarms(&self) -> u32 {
        self.vigil.as_ref().map_or(0, |vigil| vigil.alarms())
    }

    /// Whether it is who is wanted in that place.
    pub(crate) fn has_seat(&self, seat: &Seat) -> bool {
        self.address() == seat.address
            && std::mem::discriminant(&self.protocol) == std::mem::discriminant(&seat.protocol)
    }
}
