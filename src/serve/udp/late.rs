//! Replies that come later: the future of a miss runs on the runtime, and its reply leaves by the socket that was asked.

use std::net::UdpSocket;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use contract::Boxed;
use futures_util::FutureExt as _;
use nix::errno::Errno;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::batch::{Return, send_one};
use super::counters::{Counters, UdpCounts};

/// Waits between attempts to send while the socket has no room; together they are still short for a client.
const ROOM_WAITS: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_millis(2), Duration::from_millis(4), Duration::from_millis(8)];

/// What the misses of one worker share.
#[derive(Clone)]
pub(super) struct Late {
    /// Where futures run.
    pub(super) runtime: Handle,
    /// Counted by the tasks, apart from the worker's own.
    pub(super) counters: Arc<Counters>,
    /// Held by every miss under way: who drains waits until all are gone.
    pub(super) under_way: mpsc::Sender<()>,
}

impl Late {
    /// Runs a miss to its end and sends its reply, or the `apology` if it panics. The socket stays open until then.
    pub(super) fn spawn(
        &self,
        socket: &Arc<UdpSocket>,
        back: Return,
        miss: Boxed<'static, Option<Vec<u8>>>,
        apology: Option<Box<[u8]>>,
    ) {
        let (socket, counters, under_way) = (Arc::clone(socket), Arc::clone(&self.counters), self.under_way.clone());
        self.runtime.spawn(async move {
            let (reply, mut counts) = match AssertUnwindSafe(miss).catch_unwind().await {
                Ok(Some(reply)) => (Some(reply), UdpCounts::default()),
                Ok(None) => (None, UdpCounts { silent: 1, ..Default::default() }),
                Err(_) => (apology.map(Vec::from), UdpCounts { panicked: 1, ..Default::default() }),
            };
            if let Some(reply) = reply {
                match send(&socket, &reply, &back).await {
                    Ok(()) => counts.sent = 1,
                    Err(_) => counts.unsent = 1,
                }
            }
            counters.add(counts);
            drop(under_way);
        });
    }
}

async fn send(socket: &UdpSocket, reply: &[u8], back: &Return) -> nix::Result<()> {
    for wait in ROOM_WAITS {
        match send_one(socket, reply, back) {
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => tokio::time::sleep(wait).await,
            outcome => return outcome,
        }
    }
    send_one(socket, reply, back)
}
