//! One endpoint's queue and connection, shared by all blocks that name it, and kept over reloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::metrics::Counter;
use contract::{Context, limits};
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::rustls::ClientConfig;

use crate::endpoint::Endpoint;
use crate::line::Line;

/// What an outlet is found by on the shelf: everything that it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) endpoint: Endpoint,
    /// With TLS: every certificate is taken.
    pub(crate) skip_verify: bool,
    /// What is asked of the kernel for a TCP socket, octets.
    pub(crate) buffer: u32,
    /// Frames that may wait.
    pub(crate) queue: usize,
}

/// An endpoint at work: whoever has a frame drops it in and goes on.
#[derive(Debug)]
pub(crate) struct Outlet {
    frames: mpsc::Sender<Vec<u8>>,
    /// Octets of the frames that wait in the queue.
    waiting: Arc<AtomicUsize>,
    /// The other end of the queue, held by whoever writes; the others who could wait for their turn.
    line: Mutex<Line>,
    dropped: Arc<Counter>,
}

impl Outlet {
    /// The outlet of this key: that of a running block, or a new one.
    pub(crate) fn of(key: &Key, tls: Option<Arc<ClientConfig>>, context: &Context) -> Arc<Self> {
        let labels = [("endpoint", key.endpoint.to_string())];
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sent = context.metrics.counter("nearpath_dnstap_sent_total", "Messages written to a dnstap sink.", &labels);
        let dropped = context.metrics.counter(
            "nearpath_dnstap_dropped_total",
            "Messages that no dnstap sink was sent: the queue was full, or there was no time to look at them.",
            &labels,
        );
        context.shelf.get_or_make(key.clone(), || {
            let (frames, queue) = mpsc::channel(key.queue);
            let waiting = Arc::<AtomicUsize>::default();
            let line = Line::new(key.clone(), tls, queue, Arc::clone(&waiting), sent, Arc::clone(&dropped));
            Self { frames, waiting, line: Mutex::new(line), dropped }
        })
    }

    /// Takes a frame, or counts it as dropped. Waits for nobody.
    pub(crate) fn put(&self, frame: Vec<u8>) {
        let octets = frame.len();
        let before = self.waiting.fetch_add(octets, Ordering::Relaxed);
        if before + octets > limits::DNSTAP_QUEUE_OCTETS_MAX || self.frames.try_send(frame).is_err() {
            self.waiting.fetch_sub(octets, Ordering::Relaxed);
            self.dropped.increment();
        }
    }

    /// So many messages were never made.
    pub(crate) fn missed(&self, messages: u64) {
        self.dropped.add(messages);
    }

    /// Writes what comes, for as long as this future lives. A second one waits until the first has gone.
    pub(crate) async fn work(&self) {
        self.line.lock().await.work().await;
    }
}
