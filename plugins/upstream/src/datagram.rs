//! A question over UDP: a socket with a port of its own and an id that nobody can guess (RFC 5452), sent again once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::limits;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::dial::Dial;
use crate::pace::Pace;
use crate::pool::Broken;
use crate::question::{Question, Reply};
use crate::tally::Tally;
use crate::tap::Over;
use crate::turns::Refusal;

/// The largest datagram that is read, octets: more than is announced, as not everybody heeds it.
const DATAGRAM_MAX: usize = 4_096;

/// Exchanges of datagrams with one upstream.
#[derive(Debug)]
pub(crate) struct Datagrams {
    dial: Dial,
    tally: Arc<Tally>,
    slots: Semaphore,
}

impl Datagrams {
    pub(crate) fn new(dial: Dial, tally: Arc<Tally>) -> Self {
        Self { dial, tally, slots: Semaphore::new(limits::UPSTREAM_DATAGRAMS_MAX) }
    }

    /// Asks, and once again after `again` (`None`: never) without a reply, unless that would be beyond the upstream's rate.
    /// Waits for as long as it is let.
    pub(crate) async fn exchange(
        &self,
        question: &Question,
        edns: bool,
        again: Option<Duration>,
        mut pace: Option<&mut Pace<'_>>,
    ) -> Result<Reply, Broken> {
        let mut slot = None;
        let mut enter = || {
            slot = Some(self.slots.try_acquire().map_err(|_| Refusal::Full(limits::UPSTREAM_DATAGRAMS_MAX))?);
            Ok(())
        };
        match &mut pace {
            // no slot is held while it waits for its turn, and none of its tokens is lost to a lack of slots
            Some(pace) => Box::pin(pace.turn(&mut enter)).await?,
            None => enter()?,
        }
        let _slot = slot;
        self.tally.datagrams.increment();
        self.converse(question, edns, again, pace).await.map_err(|error| Broken::Unreachable(error.to_string()))
    }

    async fn converse(
        &self,
        question: &Question,
        edns: bool,
        again: Option<Duration>,
        mut pace: Option<&mut Pace<'_>>,
    ) -> io::Result<Reply> {
        let socket = self.dial.datagram().await?;
        let id = rand::random();
        let wire = question.wire(id, edns);
        if let Some(pace) = &mut pace {
            pace.sent();
        }
        socket.send(&wire).await?;
        let asked = (id, Instant::now());
        question.show_asked(Over::Datagram, id, edns);
        let Some(again) = again else { return self.receive(&socket, question, asked).await };
        if let Ok(received) = tokio::time::timeout(again, self.receive(&socket, question, asked)).await {
            return received;
        }
        if pace.is_none_or(|pace| pace.spare()) {
            self.tally.retries.increment();
            socket.send(&wire).await?;
        }
        self.receive(&socket, question, asked).await
    }

    /// The reply. Everything else that comes is thrown away: a forged or stray datagram never ends the wait.
    async fn receive(
        &self,
        socket: &UdpSocket,
        question: &Question,
        (id, asked_at): (u16, Instant),
    ) -> io::Result<Reply> {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match question.judge(id, &buffer[..length]) {
                Ok(reply) => {
                    question.show_answered(Over::Datagram, &buffer[..length], asked_at.elapsed());
                    return Ok(reply);
                }
                Err(why) => self.tally.discard(why),
            }
        }
    }

    /// Exchanges under way.
    pub(crate) fn load(&self) -> usize {
        limits::UPSTREAM_DATAGRAMS_MAX - self.slots.available_permits()
    }
}
