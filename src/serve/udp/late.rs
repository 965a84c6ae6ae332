//! Replies that come later: the misses of a socket run in one task of the runtime, taken over batch by batch. The replies
//! that are ready together leave together, by the socket that was asked.
//!
//! ```text
//!   worker: Late::keep .. hand_over --batch--> Answering: polls what can go on --replies--> sendmmsg
//! ```

use std::io::IoSlice;
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use contract::Boxed;
use contract::limits::BATCH_MAX;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use nix::errno::Errno;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::batch::{self, Return};
use super::counters::{Counters, UdpCounts};

/// Waits between attempts to send while the socket has no room; together they are still short for a client.
const ROOM_WAITS: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_millis(2), Duration::from_millis(4), Duration::from_millis(8)];

/// Where a worker leaves the misses of one socket. Dropped, those under way are still answered.
pub(super) struct Late {
    kept: Vec<Miss>,
    /// As long as the misses that the front door lets in (`limits::MISSES_MAX`).
    queue: mpsc::UnboundedSender<Batch>,
}

/// The misses of a batch of datagrams, and the socket that was asked: it stays open until they are answered, and no longer.
type Batch = (Arc<UdpSocket>, Vec<Miss>);

impl Late {
    /// Starts the task. `counters` are its own, apart from the worker's; `under_way` is held until all is answered.
    pub(super) fn start(runtime: &Handle, counters: Arc<Counters>, under_way: mpsc::Sender<()>) -> Self {
        let (queue, batches) = mpsc::unbounded_channel();
        let misses = FuturesUnordered::new();
        let answering = Answering { socket: None, counters, under_way, misses, replies: Vec::new() };
        runtime.spawn(answering.run(batches));
        Self { kept: Vec::new(), queue }
    }

    /// Keeps a miss, and what is said if it panics.
    pub(super) fn keep(&mut self, back: Return, reply: Boxed<'static, Option<Vec<u8>>>, apology: Option<Box<[u8]>>) {
        self.kept.push(Miss { back, reply, apology });
    }

    /// True if no miss was kept since the last were handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Hands over what was kept: the other thread wakes once for all of them.
    pub(super) fn hand_over(&mut self, socket: &Arc<UdpSocket>) {
        if !self.kept.is_empty() {
            let batch = (Arc::clone(socket), std::mem::take(&mut self.kept));
            let _ = self.queue.send(batch); // refused only when the runtime has ended
        }
    }
}

/// A miss under way.
struct Miss {
    back: Return,
    reply: Boxed<'static, Option<Vec<u8>>>,
    apology: Option<Box<[u8]>>,
}

/// What a miss came to.
struct Ended {
    back: Return,
    reply: Option<Vec<u8>>,
    panicked: bool,
}

impl Future for Miss {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let (reply, panicked) = match catch_unwind(AssertUnwindSafe(|| self.reply.as_mut().poll(context))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(reply)) => (reply, false),
            Err(_) => (self.apology.take().map(Vec::from), true),
        };
        Poll::Ready(Ended { back: self.back, reply, panicked })
    }
}

/// The task of a socket's misses.
struct Answering {
    /// While misses are under way.
    socket: Option<Arc<UdpSocket>>,
    counters: Arc<Counters>,
    under_way: mpsc::Sender<()>,
    misses: FuturesUnordered<Miss>,
    replies: Vec<(Return, Vec<u8>)>,
}

impl Answering {
    /// Answers until the worker has gone and nothing is under way.
    async fn run(mut self, mut batches: mpsc::UnboundedReceiver<Batch>) {
        let mut open = true;
        while open || !self.misses.is_empty() {
            tokio::select! {
                biased; // what has come is asked before answers are looked for, so that it is asked in one go
                batch = batches.recv(), if open => match batch {
                    Some((socket, misses)) => {
                        self.socket = Some(socket);
                        self.misses.extend(misses);
                    }
                    None => open = false,
                },
                Some(ended) = self.misses.next() => {
                    self.ended(ended);
                    while self.replies.len() < BATCH_MAX && let Some(Some(ended)) = self.misses.next().now_or_never() {
                        self.ended(ended);
                    }
                    self.send();
                    if self.misses.is_empty() {
                        self.socket = None;
                    }
                }
            }
        }
    }

    fn ended(&mut self, Ended { back, reply, panicked }: Ended) {
        let silent = u64::from(reply.is_none() && !panicked);
        self.counters.add(UdpCounts { silent, panicked: u64::from(panicked), ..UdpCounts::default() });
        self.replies.extend(reply.map(|reply| (back, reply)));
    }

    /// Sends the replies that are ready. Those that the socket has no room for wait in a task of their own, so that the misses
    /// under way go on. Such a task has one batch and lives for `ROOM_WAITS` at most, 15 ms: what it cannot send is dropped.
    fn send(&mut self) {
        let socket = self.socket.as_ref().expect("it is there while misses are under way");
        let mut replies = std::mem::take(&mut self.replies);
        if send_all(socket, &mut replies, &self.counters) {
            self.replies = replies; // empty, and as large as it was
            return;
        }
        let (socket, counters) = (Arc::clone(socket), Arc::clone(&self.counters));
        let under_way = self.under_way.clone();
        tokio::spawn(async move {
            for wait in ROOM_WAITS {
                tokio::time::sleep(wait).await;
                if send_all(&socket, &mut replies, &counters) {
                    break;
                }
            }
            counters.add(UdpCounts { unsent: replies.len() as u64, ..UdpCounts::default() });
            drop(under_way);
        });
    }
}

/// Sends what the socket has room for; true if nothing is left. A reply that cannot be sent is dropped, the rest goes on.
fn send_all(socket: &UdpSocket, replies: &mut Vec<(Return, Vec<u8>)>, counters: &Counters) -> bool {
    let (mut done, mut unsent) = (0, 0);
    let room = loop {
        if done == replies.len() {
            break true;
        }
        match send_some(socket, &replies[done..]) {
            Ok(some) => done += some,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN | Errno::ENOBUFS) => break false,
            Err(Errno::EMSGSIZE) if shorten(&mut replies[done].1) => {}
            Err(_) => {
                done += 1;
                unsent += 1;
            }
        }
    };
    replies.drain(..done);
    counters.add(UdpCounts { sent: done as u64 - unsent, unsent, ..UdpCounts::default() });
    room
}

fn shorten(reply: &mut Vec<u8>) -> bool {
    let mut length = reply.len();
    let shortened = batch::shorten(reply, &mut length);
    reply.truncate(length);
    shortened
}

/// Sends the first of the replies and those behind it that leave from the same address; how many went, at least one.
fn send_some(socket: &UdpSocket, replies: &[(Return, Vec<u8>)]) -> nix::Result<usize> {
    let source = replies[0].0.from;
    let run = replies.iter().take_while(|(back, _)| back.from == source);
    let (clients, slices): (Vec<_>, Vec<_>) = run.map(|(back, reply)| (Some(back.to), [IoSlice::new(reply)])).unzip();
    batch::send_together(socket, &mut batch::headers(source, clients.len()), source, &slices, &clients)
}
