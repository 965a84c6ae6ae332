//! One connection: frames in, replies out, out of order, many in a write.
//!
//! ```text
//!   read --inbox--> answer_frames --hit--> outbox --write, all that is ready--> client
//!                        \--miss--> a task --replies--> gather_late --^
//! ```
//!
//! The steps follow one another: while replies wait for a client that does not read, nothing more is read from it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::Client;
use contract::limits::{GATHER_MAX, IDLE_BUFFER, PIPELINE_MAX};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::Timeouts;
use crate::serve::Desk;
use crate::serve::accept::Stop;
use crate::serve::ask::{Asked, ask, settle};
use crate::serve::connections::{Mishap, Seat};

/// The octets of a frame's length (RFC 1035 4.2.2).
const PREFIX: usize = 2;

/// How long a connection that is to end waits for a question that may be on its way: a client that has just connected, or was
/// just answered, does not know yet.
const LAST_QUESTION_WITHIN: Duration = Duration::from_millis(300);
/// How long a connection that is over stays half open, so that what the client sent meanwhile does not reset it before it has
/// read its replies.
const LINGER: Duration = Duration::from_millis(200);

/// An end that was asked for.
struct Stopping {
    /// When waiting for another question is over.
    until: Instant,
    /// Questions that were taken before.
    taken: u32,
}

pub(super) struct Conversation<S, D> {
    stream: S,
    desk: D,
    client: Client,
    seat: Seat,
    timeouts: Timeouts,
    /// What was read and is not answered; begins with a frame.
    inbox: Vec<u8>,
    /// Framed replies that are not written.
    outbox: Vec<u8>,
    /// Where the tasks of misses put their replies; as long as the pipeline, so none of them ever waits.
    late: mpsc::Sender<Option<Vec<u8>>>,
    replies: mpsc::Receiver<Option<Vec<u8>>>,
    under_way: usize,
    /// Questions that were taken.
    taken: u32,
    /// False after the client's end of file, a time-out or the end of a stop: what is under way is finished, then it is over.
    reading: bool,
    /// Since it was told to stop.
    stopping: Option<Stopping>,
    /// When it last had something to do.
    idle_since: Instant,
    /// When the frame began that is not whole yet.
    partial_since: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, D: Desk> Conversation<S, D> {
    pub(super) fn new(stream: S, desk: D, client: Client, seat: Seat, timeouts: Timeouts) -> Self {
        let (late, replies) = mpsc::channel(PIPELINE_MAX);
        Self {
            stream,
            desk,
            client,
            seat,
            timeouts,
            inbox: Vec::new(),
            outbox: Vec::new(),
            late,
            replies,
            under_way: 0,
            taken: 0,
            reading: true,
            stopping: None,
            idle_since: Instant::now(),
            partial_since: None,
        }
    }

    /// Serves to the end of the connection.
    pub(super) async fn run(mut self, mut stop: Stop) {
        loop {
            self.answer_frames();
            self.gather_late();
            if !self.outbox.is_empty() {
                if self.write().await.is_err() {
                    return;
                }
                continue;
            }
            if self.has_had_its_last_word() {
                self.reading = false;
            }
            if !self.reading && self.under_way == 0 {
                break;
            }
            self.wait(&mut stop).await;
        }
        // Says that nothing more comes; a client that is gone does not hear it.
        let _ = timeout(self.timeouts.write, self.stream.shutdown()).await;
        if self.stopping.is_some() {
            let _ = timeout(LINGER, self.until_the_client_closes()).await;
        }
    }

    /// True if it is to end, and the question that may have been on its way was answered.
    fn has_had_its_last_word(&self) -> bool {
        let answered = self.stopping.as_ref().is_some_and(|stopping| self.taken > stopping.taken);
        answered && self.under_way == 0 && self.inbox.is_empty()
    }

    /// Reads what nobody answers any more.
    async fn until_the_client_closes(&mut self) {
        let mut nothing = [0; IDLE_BUFFER];
        while self.stream.read(&mut nothing).await.is_ok_and(|octets| octets > 0) {}
    }

    /// Answers the whole frames, until the pipeline is full or enough is to be written.
    fn answer_frames(&mut self) {
        let mut at = 0;
        while let Some(length) = frame_length(&self.inbox[at..])
            && self.inbox.len() >= at + PREFIX + length
            && self.under_way < PIPELINE_MAX
            && self.outbox.len() < GATHER_MAX
            && !self.is_at_end()
        {
            let end = at + PREFIX + length;
            self.answer(at + PREFIX..end);
            at = end;
        }
        if at > 0 {
            self.inbox.drain(..at);
            self.idle_since = Instant::now();
            self.partial_since = None;
        }
        if self.inbox.is_empty() {
            self.inbox.shrink_to(IDLE_BUFFER);
        }
    }

    /// True if no more questions may be taken: the client is to connect anew.
    fn is_at_end(&self) -> bool {
        self.timeouts.questions_max.is_some_and(|most| self.taken >= most.get())
    }

    /// Answers the message that stands at this place of the inbox. An empty one asks nothing.
    fn answer(&mut self, place: std::ops::Range<usize>) {
        if place.is_empty() {
            return;
        }
        self.seat.busy();
        self.taken = self.taken.saturating_add(1);
        if self.is_at_end() {
            self.reading = false;
        }
        let (outbox, connections) = (&mut self.outbox, self.seat.connections());
        let take = |reply: &[u8]| frame(outbox, reply);
        if let Asked::Miss(miss) = ask(&mut self.desk, &self.inbox[place], &self.client, connections, take) {
            self.under_way += 1;
            let (late, connections) = (self.late.clone(), Arc::clone(self.seat.connections()));
            tokio::spawn(async move {
                let reply = settle(miss, &connections).await;
                // A client that is gone does not need it.
                let _ = late.send(reply).await;
            });
        }
    }

    /// Adds the replies of misses that are ready.
    fn gather_late(&mut self) {
        while self.outbox.len() < GATHER_MAX
            && let Ok(reply) = self.replies.try_recv()
        {
            self.settled(reply);
        }
    }

    fn settled(&mut self, reply: Option<Vec<u8>>) {
        self.under_way -= 1;
        self.idle_since = Instant::now();
        if let Some(reply) = reply {
            frame(&mut self.outbox, &reply);
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        let (stream, outbox) = (&mut self.stream, &self.outbox);
        let writing = async {
            stream.write_all(outbox).await?;
            stream.flush().await
        };
        let written = timeout(self.timeouts.write, writing).await.unwrap_or_else(|_| {
            self.seat.connections().note(Mishap::Slow);
            Err(io::ErrorKind::TimedOut.into())
        });
        self.outbox.clear();
        self.outbox.shrink_to(IDLE_BUFFER);
        self.idle_since = Instant::now();
        written
    }

    /// Waits for more to read, a reply, or the end.
    async fn wait(&mut self, stop: &mut Stop) {
        if self.under_way == 0 {
            self.seat.idle();
        }
        if self.inbox.is_empty() {
            self.partial_since = None;
        } else if self.under_way < PIPELINE_MAX {
            self.partial_since.get_or_insert_with(Instant::now);
        }
        let deadline = self.deadline();
        let room = self.reading && self.under_way < PIPELINE_MAX;
        tokio::select! {
            reply = self.replies.recv(), if self.under_way > 0 => {
                if let Some(reply) = reply {
                    self.settled(reply);
                }
            }
            more = read(&mut self.stream, &mut self.inbox), if room => self.reading = more,
            () = sleep_until(deadline.unwrap_or(self.idle_since)), if self.reading && deadline.is_some() => {
                self.reading = false;
            }
            () = self.seat.cut(), if self.reading => self.reading = false,
            () = stop.stopped(), if self.reading && self.stopping.is_none() => {
                self.stopping = Some(Stopping { until: Instant::now() + LAST_QUESTION_WITHIN, taken: self.taken });
            }
        }
    }

    /// When the client's patience with us, or ours with it, is over; `None` while its questions are under way.
    fn deadline(&self) -> Option<Instant> {
        let patience = match self.partial_since {
            Some(since) => Some(since + self.timeouts.read),
            None if self.under_way == 0 => Some(self.idle_since + self.timeouts.idle),
            None => None,
        };
        match &self.stopping {
            Some(stopping) => Some(patience.map_or(stopping.until, |at| at.min(stopping.until))),
            None => patience,
        }
    }
}

/// Reads once; false at the end of file or if the connection is broken. Cancelled, it has read nothing.
async fn read(stream: &mut (impl AsyncRead + Unpin), inbox: &mut Vec<u8>) -> bool {
    if inbox.capacity() == inbox.len() {
        // Doubles what has come, whatever length the client has announced.
        inbox.reserve(inbox.len().max(IDLE_BUFFER));
    }
    stream.read_buf(inbox).await.is_ok_and(|octets| octets > 0)
}

/// The length that stands at the beginning of a frame, once it is there.
fn frame_length(octets: &[u8]) -> Option<usize> {
    octets.first_chunk().map(|&length| usize::from(u16::from_be_bytes(length)))
}

fn frame(outbox: &mut Vec<u8>, reply: &[u8]) {
    // A longer one cannot be said in a frame, nor in a DNS message.
    if let Ok(length) = u16::try_from(reply.len()) {
        outbox.reserve(PREFIX + reply.len());
        outbox.extend(length.to_be_bytes());
        outbox.extend(reply);
    }
}
