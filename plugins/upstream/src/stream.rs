//! One long-lived connection with many questions outstanding (RFC 7766 6.2.1.1).
//!
//! ```text
//!   reserve --> Table (id) --> Outgoing --> write: one system call for all that is queued
//!                 |                                         peer
//!   Ticket <--- settle <------------- read: one system call for all the frames that have come
//! ```
//!
//! The connection's task ends when the peer closes or sends junk, when it has been idle for long enough, or when nobody
//! holds the connection any more; whoever waits then hears [`Closed`].

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits;
use contract::wire::HEADER;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::dial::Stream;
use crate::question::{FRAME_MAX, Question, Reply};
use crate::quota::Quota;
use crate::table::{Place, Table};
use crate::tally::Tally;
use crate::tap::Over;
use crate::vigil::Vigil;

/// What is read from the socket at once, octets.
const READ_BUFFER: usize = 16 << 10;

/// Octets of frames waiting to be written; those of questions whose asker has gone are among them.
const QUEUE_MAX: usize = limits::UPSTREAM_PIPELINE_MAX * FRAME_MAX;

/// How long is read on from a peer that takes no more questions.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The connection ended before the reply came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed;

/// A connection. Ends when the last holder drops it.
#[derive(Debug)]
pub(crate) struct Connection {
    table: Arc<Mutex<Table>>,
    outgoing: Arc<Outgoing>,
    born: Instant,
    _slot: OwnedSemaphorePermit,
}

/// Frames that wait for the writer, one behind the other.
#[derive(Debug, Default)]
struct Outgoing {
    /// `None` once nobody can ask any more.
    frames: Mutex<Option<Vec<u8>>>,
    changed: Notify,
}

/// What a connection is told at its start.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// It closes when idle for this long.
    pub(crate) expire: Duration,
    /// What is learnt from its end.
    pub(crate) quota: Arc<Quota>,
    pub(crate) tally: Arc<Tally>,
    /// Who wants to know that the peer is alive.
    pub(crate) vigil: Option<Arc<Vigil>>,
}

impl Connection {
    /// Begins to speak on a stream, in a task of its own.
    pub(crate) fn start(stream: Box<dyn Stream>, manners: Manners, slot: OwnedSemaphorePermit) -> Arc<Self> {
        let born = Instant::now();
        let table = Arc::new(Mutex::new(Table::new(born)));
        let outgoing = Arc::new(Outgoing { frames: Mutex::new(Some(Vec::new())), changed: Notify::new() });
        tokio::spawn(drive(stream, Arc::clone(&table), Arc::clone(&outgoing), manners));
        Arc::new(Self { table, outgoing, born, _slot: slot })
    }

    /// Takes a question, if there is room, and queues it.
    pub(crate) fn ask(self: &Arc<Self>, question: &Arc<Question>, edns: bool, quota: Option<u64>) -> Option<Ticket> {
        let place = self.table().reserve(question, quota, Instant::now())?;
        let ticket = Ticket { connection: Arc::clone(self), place, settled: false };
        let is_queued = self.outgoing.add(question, ticket.place.id, edns);
        if is_queued {
            question.show_asked(Over::Stream, ticket.place.id, edns);
        }
        is_queued.then_some(ticket)
    }

    /// The table, for a moment.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// When it was opened.
    pub(crate) fn born(&self) -> Instant {
        self.born
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.outgoing.end();
    }
}

impl Outgoing {
    /// Queues a question; false if there is no room.
    fn add(&self, question: &Question, id: u16, edns: bool) -> bool {
        let mut queued = lock(&self.frames);
        let Some(frames) = queued.as_mut().filter(|frames| frames.len() < QUEUE_MAX) else { return false };
        let wake = frames.is_empty();
        question.write_frame(id, edns, frames);
        drop(queued);
        if wake {
            self.changed.notify_one();
        }
        true
    }

    /// Nothing more comes.
    fn end(&self) {
        let left = lock(&self.frames).take();
        drop(left);
        self.changed.notify_one();
    }

    /// Waits for frames and takes them all, in exchange for an empty buffer; false at the end.
    async fn take(&self, batch: &mut Vec<u8>) -> bool {
        loop {
            match lock(&self.frames).as_mut() {
                Some(frames) if frames.is_empty() => {}
                Some(frames) => {
                    std::mem::swap(frames, batch);
                    return true;
                }
                None => return false,
            }
            self.changed.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question outstanding. Dropped, its id is free again.
#[derive(Debug)]
pub(crate) struct Ticket {
    connection: Arc<Connection>,
    place: Place,
    settled: bool,
}

impl Ticket {
    /// Waits for the reply.
    pub(crate) async fn reply(mut self) -> Result<Reply, Closed> {
        let reply = (&mut self.place.reply).await.map_err(|_| Closed);
        self.settled = true;
        reply
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.connection.table().release(self.place.id, self.place.serial, Instant::now());
        }
    }
}

async fn drive(stream: Box<dyn Stream>, table: Arc<Mutex<Table>>, outgoing: Arc<Outgoing>, manners: Manners) {
    let (reader, writer) = tokio::io::split(stream);
    let writing = async {
        let _ = write(writer, &outgoing).await;
        // a peer that closes with questions unread may have answered before: what it said is still there
        lock(&table).refuse();
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        _ = read(reader, &table, &manners) => {}
        () = writing => {}
        () = idle(&table, manners.expire) => {}
    }
    lock(&table).close(|ending| manners.quota.learn(ending, Instant::now()));
}

/// Gives each frame to the question that it answers. Ends with the stream, or at a frame too short to be a message: the
/// peer and we no longer agree where messages begin.
async fn read(mut stream: ReadHalf<Box<dyn Stream>>, table: &Mutex<Table>, manners: &Manners) -> io::Result<()> {
    let mut inbox = Vec::new();
    loop {
        inbox.reserve(READ_BUFFER);
        if stream.read_buf(&mut inbox).await? == 0 {
            return Ok(());
        }
        let settled = settle(&inbox, &mut lock(table), &manners.tally)?;
        if let Some(vigil) = &manners.vigil {
            vigil.heard(Instant::now());
        }
        inbox.drain(..settled);
    }
}

/// Settles the whole frames; how many octets they are.
fn settle(inbox: &[u8], table: &mut Table, tally: &Tally) -> io::Result<usize> {
    let (now, mut at) = (Instant::now(), 0);
    while let Some(length) = inbox[at..].first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        if length < HEADER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let begin = at + size_of::<u16>();
        let Some(message) = inbox.get(begin..begin + length) else { break };
        if let Err(why) = table.settle(message, now) {
            tally.discard(why);
        }
        at = begin + length;
    }
    Ok(at)
}

/// Writes what is queued, all of it in one go. Ends when nobody can ask any more.
async fn write(mut stream: WriteHalf<Box<dyn Stream>>, outgoing: &Outgoing) -> io::Result<()> {
    let mut batch = Vec::new();
    while outgoing.take(&mut batch).await {
        tokio::time::timeout(limits::WRITE_WITHIN, async {
            stream.write_all(&batch).await?;
            stream.flush().await
        })
        .await??;
        batch.clear();
    }
    tokio::time::timeout(limits::WRITE_WITHIN, stream.shutdown()).await?
}

/// Ends when the connection has been idle for long enough.
async fn idle(table: &Mutex<Table>, expire: Duration) {
    loop {
        let last_use = lock(table).last_use();
        let now = Instant::now();
        // with questions outstanding the last use may be long ago
        tokio::time::sleep_until((last_use + expire).max(now + expire / 8)).await;
        if lock(table).close_if_idle(expire, Instant::now()) {
            return;
        }
    }
}
