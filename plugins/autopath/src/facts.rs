//! What an expanded answer rests on: how long all of it is true, and whether it may be memorised.

use std::time::Duration;

use contract::{Age, Reply};

/// The sum of the replies that were judged on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    lifetime: Duration,
    storable: bool,
    stale_proof: bool,
    /// The age of something past its end.
    stale: Option<Age>,
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self { lifetime: Duration::MAX, storable: true, stale_proof: false, stale: None }
    }

    /// Adds a reply that decides.
    pub(crate) fn rest_on(&mut self, reply: &Reply) {
        match reply.true_for() {
            Some(lifetime) => self.lifetime = self.lifetime.min(lifetime),
            None => self.lifetime = Duration::ZERO, // a denial without SOA is not memorised (RFC 2308 5)
        }
        self.stale = self.stale.or(reply.is_stale().then_some(reply.age));
        self.storable &= reply.storable && !reply.is_stale();
    }

    /// Adds a reply that proves that a name does not exist.
    pub(crate) fn rest_on_proof(&mut self, reply: &Reply) {
        self.rest_on(reply);
        self.stale_proof |= reply.is_stale();
    }

    /// The shortest time that one of them is true.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// That time as a TTL, rounded down: nobody keeps the answer longer than what it rests on.
    pub(crate) fn ttl(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    /// The age of an answer that rests on them: past its end if one of them is.
    pub(crate) fn age(&self) -> Age {
        self.stale.unwrap_or(Age::Fresh(0))
    }

    /// True if that is a proof that a name does not exist.
    pub(crate) fn is_proof_stale(&self) -> bool {
        self.stale_proof
    }

    /// True if all of it may be memorised for a while.
    pub(crate) fn is_storable(&self) -> bool {
        self.storable && !self.lifetime.is_zero()
    }
}
