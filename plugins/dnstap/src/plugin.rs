//! The directive at work: makes messages of what it is shown, and drops them into the outlets.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use contract::{Boxed, Forwarded, Plugin, Sighting, Wiretap, Witness};
use futures_util::future::join_all;

use crate::message::{Dnstap as Frame, Message, Type};
use crate::outlet::Outlet;

/// All `dnstap` of one server block.
#[derive(Debug)]
pub struct Dnstap {
    taps: Vec<Tap>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) outlet: Arc<Outlet>,
    /// With the messages as they were on the wire.
    pub(crate) full: bool,
    pub(crate) identity: Bytes,
    pub(crate) version: Bytes,
    pub(crate) extra: Option<Bytes>,
}

/// A query has a question and a reply.
const MESSAGES_OF_A_QUERY: u64 = 2;

impl Dnstap {
    pub(crate) fn new(taps: Vec<Tap>) -> Self {
        Self { taps }
    }
}

impl Tap {
    fn put(&self, message: Message) {
        let frame = Frame {
            identity: Some(self.identity.clone()).filter(|identity| !identity.is_empty()),
            version: Some(self.version.clone()).filter(|version| !version.is_empty()),
            extra: self.extra.clone(),
            message: Some(message),
            r#type: Type::Message.into(),
        };
        self.outlet.put(frame.frame());
    }
}

impl Plugin for Dnstap {
    fn name(&self) -> &'static str {
        "dnstap"
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(self)
    }

    fn wiretap(self: Arc<Self>) -> Option<Arc<dyn Wiretap>> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(async move {
            join_all(self.taps.iter().map(|tap| tap.outlet.work())).await;
        })
    }
}

impl Witness for Dnstap {
    fn seen(&self, sighting: &Sighting<'_>) {
        let unseen = u64::from(sighting.weight.saturating_sub(1));
        for tap in &self.taps {
            tap.put(Message::client_query(sighting, tap.full));
            tap.put(Message::client_response(sighting, tap.full));
            tap.outlet.missed(unseen * MESSAGES_OF_A_QUERY);
        }
    }

    fn wants_messages(&self) -> bool {
        self.taps.iter().any(|tap| tap.full)
    }
}

impl Wiretap for Dnstap {
    fn forwarded(&self, message: &Forwarded<'_>) {
        let now = now();
        for tap in &self.taps {
            tap.put(Message::forwarder(message, now, tap.full));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a stamp for people, and no logic")]
fn now() -> SystemTime {
    SystemTime::now()
}
