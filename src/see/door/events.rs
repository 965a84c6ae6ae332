//! Streams of events (HTML living standard, 9.2 server-sent events): what is said each second, and what is said of each query.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use contract::limits::{SEE_EVENT_WITHIN, SEE_GATHER_MAX};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::reply::Body;
use super::{Seen, Teller};

/// Writes that wait for the client.
const AHEAD: usize = 2;
/// How often the overview is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Gathers events and hands them to a body.
pub(super) struct Source {
    events: BoxStream<'static, Bytes>,
    leaving: watch::Receiver<bool>,
    to: mpsc::Sender<Bytes>,
}

/// The client took nothing for [`SEE_EVENT_WITHIN`].
pub(super) struct Stalled;

/// A body that is fed while [`Source::run`] runs.
pub(super) fn channel(events: BoxStream<'static, Bytes>, leaving: watch::Receiver<bool>) -> (Source, Body) {
    let (to, from) = mpsc::channel(AHEAD);
    let frames = stream::unfold(from, |mut from| async move {
        from.recv().await.map(|octets| (Ok::<_, Infallible>(Frame::data(octets)), from))
    });
    (Source { events, leaving, to }, StreamBody::new(frames).boxed_unsync())
}

impl Source {
    /// Ends well when the events do, when the client has gone, or when the daemon leaves.
    pub(super) async fn run(mut self) -> Result<(), Stalled> {
        loop {
            let first = tokio::select! {
                _ = self.leaving.wait_for(|leaving| *leaving) => return Ok(()),
                () = self.to.closed() => return Ok(()),
                event = self.events.next() => event,
            };
            let Some(first) = first else { return Ok(()) };
            let mut octets = BytesMut::from(&first[..]);
            while octets.len() < SEE_GATHER_MAX
                && let Some(Some(event)) = self.events.next().now_or_never()
            {
                octets.extend_from_slice(&event);
            }
            match timeout(SEE_EVENT_WITHIN, self.to.send(octets.freeze())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err(Stalled),
            }
        }
    }
}

/// How the daemon is doing and who asks most, at once and then each second.
pub(super) fn overviews(teller: Arc<dyn Teller>) -> BoxStream<'static, Bytes> {
    let mut ticks = interval(TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = stream::unfold((ticks, teller), |(mut ticks, teller)| async move {
        ticks.tick().await;
        let mut told = event(Some("overview"), &teller.overview());
        told.push_str(&event(Some("top"), &teller.top()));
        Some((Bytes::from(told), (ticks, teller)))
    });
    events.boxed()
}

/// Each query that is seen, and how many were not shown.
pub(super) fn watch(seen: BoxStream<'static, Seen>) -> BoxStream<'static, Bytes> {
    let told = seen.map(|seen| match seen {
        Seen::Query(sighted) => event(None, &sighted),
        Seen::Missed(count) => event(Some("missed"), &count),
    });
    told.map(Bytes::from).boxed()
}

/// One event; JSON as serde writes it has no line breaks in it.
fn event(name: Option<&str>, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("what is told has a form in JSON");
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}
