//! The requests of one HTTP/2 connection, side by side.
//!
//! ```text
//!   accept --request--> Question (body read) --Desk--> reply  --> response
//!                                                  \--miss--> a task --> response
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{Boxed, Client};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use super::{request, response};
use crate::serve::Desk;
use crate::serve::accept::Stop;
use crate::serve::ask::{Asked, ask, settle};
use crate::serve::connections::{Connections, Mishap, Seat};
use crate::serve::stream::Timeouts;

/// What a step of an exchange ends with.
enum Step {
    /// The question has come, or is refused.
    Question(Result<Bytes, StatusCode>, SendResponse<Bytes>),
    /// The exchange is over.
    Done,
}

pub(super) struct Exchanges<D> {
    desk: D,
    client: Client,
    seat: Seat,
    timeouts: Timeouts,
    /// As many as HTTP/2 streams are allowed.
    steps: FuturesUnordered<Boxed<'static, Step>>,
    idle_since: Instant,
    /// Set when the connection is to end: at the latest then.
    ends: Option<Instant>,
}

impl<D: Desk> Exchanges<D> {
    pub(super) fn new(desk: D, client: Client, seat: Seat, timeouts: Timeouts) -> Self {
        Self { desk, client, seat, timeouts, steps: FuturesUnordered::new(), idle_since: Instant::now(), ends: None }
    }

    /// Serves to the end of the connection.
    pub(super) async fn run<S>(mut self, mut connection: Connection<S, Bytes>, mut stop: Stop)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let deadline = self.deadline();
            tokio::select! {
                step = self.steps.next(), if !self.steps.is_empty() => self.go_on(step),
                // This also reads and writes for all streams.
                request = connection.accept() => match request {
                    Some(Ok((request, respond))) => self.begin(request, respond),
                    Some(Err(_)) | None => return,
                },
                () = sleep_until(deadline.unwrap_or(self.idle_since)), if deadline.is_some() => match self.ends {
                    Some(_) => return,
                    None => self.end(&mut connection),
                },
                () = self.seat.cut(), if self.ends.is_none() => self.end(&mut connection),
                () = stop.stopped(), if self.ends.is_none() => self.end(&mut connection),
            }
        }
    }

    /// Says that no more requests are taken; those under way are finished.
    fn end<S: AsyncRead + AsyncWrite + Unpin>(&mut self, connection: &mut Connection<S, Bytes>) {
        connection.graceful_shutdown();
        self.ends = Some(Instant::now() + self.timeouts.write);
    }

    /// When the connection has been idle, or ending, for long enough.
    fn deadline(&self) -> Option<Instant> {
        let idle_until = self.ends.unwrap_or(self.idle_since + self.timeouts.idle);
        self.steps.is_empty().then_some(idle_until)
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.seat.busy();
        let within = self.timeouts.read;
        self.steps.push(Box::pin(async move {
            let question = timeout(within, request::question(request)).await;
            Step::Question(question.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)), respond)
        }));
    }

    fn go_on(&mut self, step: Option<Step>) {
        if let Some(Step::Question(question, respond)) = step {
            self.answer(question, respond);
        }
        if self.steps.is_empty() {
            self.seat.idle();
            self.idle_since = Instant::now();
            // What was sent last is still to be written.
            self.ends = self.ends.map(|_| Instant::now() + self.timeouts.write);
        }
    }

    fn answer(&mut self, question: Result<Bytes, StatusCode>, mut respond: SendResponse<Bytes>) {
        let question = match question {
            Ok(question) => question,
            Err(status) => {
                // A client that is gone does not hear it.
                let _ = response::refuse(respond, status);
                return;
            }
        };
        let connections = Arc::clone(self.seat.connections());
        let asked = ask(&mut self.desk, &question, &self.client, &connections, Bytes::copy_from_slice);
        let within = self.timeouts.write;
        match asked {
            Asked::Reply(reply) => self.steps.push(Box::pin(deliver(respond, reply, within, connections))),
            // HTTP knows no silence: the stream is taken back.
            Asked::Silent => respond.send_reset(Reason::CANCEL),
            Asked::Miss(miss) => {
                let settled = {
                    let connections = Arc::clone(&connections);
                    tokio::spawn(async move { settle(miss, &connections).await })
                };
                self.steps.push(Box::pin(async move {
                    match settled.await {
                        Ok(Some(reply)) => return deliver(respond, reply.into(), within, connections).await,
                        Ok(None) | Err(_) => respond.send_reset(Reason::CANCEL),
                    }
                    Step::Done
                }));
            }
        }
    }
}

/// Sends a reply; one that is not taken in time is taken back, since its stream is dropped unfinished.
async fn deliver(respond: SendResponse<Bytes>, reply: Bytes, within: Duration, connections: Arc<Connections>) -> Step {
    if timeout(within, response::reply(respond, reply)).await.is_err() {
        connections.note(Mishap::Slow);
    }
    Step::Done
}
