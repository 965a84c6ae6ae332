//! One long-lived connection with many questions outstanding (RFC 7766 6.2.1.1).
//!
//! ```text
//!   reserve --> Table (id) --> queue --> write: one system call for all that is queued
//!                 |                                         peer
//!   Ticket <--- settle <------------- read: a frame, the question that it answers
//! ```
//!
//! The connection's task ends when the peer closes or sends junk, when it has been idle for long enough, or when nobody
//! holds the connection any more; whoever waits then hears [`Closed`].

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::limits;
use contract::wire::HEADER;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use crate::dial::Stream;
use crate::question::{Question, Reply};
use crate::quota::Quota;
use crate::table::{Place, Table};
use crate::tally::Tally;

/// What is read from the socket at once, octets.
const READ_BUFFER: usize = 16 << 10;

/// Frames waiting to be written; those of questions whose asker has gone are among them.
const QUEUE_MAX: usize = 2 * limits::UPSTREAM_PIPELINE_MAX;

/// How long is read on from a peer that takes no more questions.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The connection ended before the reply came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed;

/// A connection. Ends when the last holder drops it.
#[derive(Debug)]
pub(crate) struct Connection {
    table: Arc<Mutex<Table>>,
    queue: mpsc::Sender<Vec<u8>>,
    born: Instant,
    _slot: OwnedSemaphorePermit,
}

/// What a connection is told at its start.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// It closes when idle for this long.
    pub(crate) expire: Duration,
    /// What is learnt from its end.
    pub(crate) quota: Arc<Quota>,
    pub(crate) tally: Arc<Tally>,
}

impl Connection {
    /// Begins to speak on a stream, in a task of its own.
    pub(crate) fn start(stream: Box<dyn Stream>, manners: Manners, slot: OwnedSemaphorePermit) -> Arc<Self> {
        let born = Instant::now();
        let table = Arc::new(Mutex::new(Table::new(born)));
        let (queue, frames) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(drive(stream, Arc::clone(&table), frames, manners));
        Arc::new(Self { table, queue, born, _slot: slot })
    }

    /// Takes a question, if there is room, and queues it.
    pub(crate) fn ask(self: &Arc<Self>, question: &Arc<Question>, edns: bool, quota: Option<u64>) -> Option<Ticket> {
        let place = self.table().reserve(question, quota, Instant::now())?;
        let frame = question.frame(place.id, edns);
        let ticket = Ticket { connection: Arc::clone(self), place };
        self.queue.try_send(frame).ok().map(|()| ticket)
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

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question outstanding. Dropped, its id is free again.
#[derive(Debug)]
pub(crate) struct Ticket {
    connection: Arc<Connection>,
    place: Place,
}

impl Ticket {
    /// Waits for the reply.
    pub(crate) async fn reply(mut self) -> Result<Reply, Closed> {
        (&mut self.place.reply).await.map_err(|_| Closed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connection.table().release(self.place.id, self.place.serial, Instant::now());
    }
}

async fn drive(stream: Box<dyn Stream>, table: Arc<Mutex<Table>>, frames: mpsc::Receiver<Vec<u8>>, manners: Manners) {
    let (reader, writer) = tokio::io::split(stream);
    let writing = async {
        let _ = write(writer, frames).await;
        // a peer that closes with questions unread may have answered before: what it said is still there
        lock(&table).refuse();
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        _ = read(reader, &table, &manners.tally) => {}
        () = writing => {}
        () = idle(&table, manners.expire) => {}
    }
    lock(&table).close(|ending| manners.quota.learn(ending, Instant::now()));
}

/// Gives each frame to the question that it answers. Ends with the stream, or at a frame too short to be a message: the
/// peer and we no longer agree where messages begin.
async fn read(stream: ReadHalf<Box<dyn Stream>>, table: &Mutex<Table>, tally: &Tally) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(READ_BUFFER, stream);
    let mut message = Vec::new();
    loop {
        let length = usize::from(stream.read_u16().await?);
        if length < HEADER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        message.resize(length, 0);
        stream.read_exact(&mut message).await?;
        if let Err(why) = lock(table).settle(&message, Instant::now()) {
            tally.discard(why);
        }
    }
}

/// Writes what is queued, all of it in one go. Ends when nobody can ask any more.
async fn write(mut stream: WriteHalf<Box<dyn Stream>>, mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut frames = Vec::with_capacity(limits::BATCH_MAX);
    let mut batch = Vec::new();
    while queue.recv_many(&mut frames, limits::BATCH_MAX).await > 0 {
        batch.clear();
        frames.drain(..).for_each(|frame| batch.extend_from_slice(&frame));
        tokio::time::timeout(limits::WRITE_WITHIN, async {
            stream.write_all(&batch).await?;
            stream.flush().await
        })
        .await??;
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
