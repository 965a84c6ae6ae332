//! Stories on their way to one collector: a bounded queue, batches, one request at a time.
//!
//! Whoever works here may be stopped at any `await`: what is gathered stands in the fields, and the next one goes on with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::metrics::Counter;
use contract::{BuildError, Context, limits};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep, timeout_at};

use crate::address::Address;
use crate::http_client::Client;
use crate::spans::Told;

/// What a pipe is found by on the shelf: everything that it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) address: Address,
    pub(crate) service: String,
    /// Spans that may wait.
    pub(crate) backlog: usize,
    /// Spans that make a request.
    pub(crate) batch: usize,
    /// How long they wait to become so many.
    pub(crate) interval: Duration,
}

/// A pipe at work: whoever has a story drops it in and goes on.
#[derive(Debug)]
pub(crate) struct Pipe {
    backlog: usize,
    stories: mpsc::Sender<Told>,
    /// Spans of the stories in the queue.
    waiting: Arc<AtomicUsize>,
    /// The other end, held by whoever sends; the others who could wait for their turn.
    end: Mutex<End>,
    dropped: Arc<Counter>,
}

/// The sender's side.
#[derive(Debug)]
struct End {
    key: Key,
    exporter: SpanExporter,
    client: Client,
    queue: mpsc::Receiver<Told>,
    waiting: Arc<AtomicUsize>,
    batch: Vec<Told>,
    pause: Duration,
    /// What the log was last told: whether the collector takes spans.
    told: Option<bool>,
    sent: Arc<Counter>,
    dropped: Arc<Counter>,
}

impl Pipe {
    /// The pipe of this key: that of a running block, or a new one.
    pub(crate) fn of(key: &Key, context: &Context) -> Result<Arc<Self>, BuildError> {
        let client = Client::default();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(key.address.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(limits::TRACE_EXPORT_WITHIN)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| BuildError::Unavailable {
                what: format!("trace {}", key.address),
                reason: error.to_string(),
            })?;
        exporter.set_resource(&Resource::builder_empty().with_service_name(key.service.clone()).build());
        let labels = [("endpoint", key.address.as_str())];
        let sent = context.metrics.counter("nearpath_trace_spans_sent_total", "Spans that a collector took.", &labels);
        let dropped = context.metrics.counter(
            "nearpath_trace_spans_dropped_total",
            "Spans that no collector took: the backlog was full, or a request failed.",
            &labels,
        );
        Ok(context.shelf.get_or_make(key.clone(), || {
            // each story has at least one span
            let (stories, queue) = mpsc::channel(key.backlog);
            let (waiting, batch, pause) = (Arc::<AtomicUsize>::default(), Vec::new(), limits::TRACE_RETRY_MIN);
            let (end_waiting, end_dropped, told) = (Arc::clone(&waiting), Arc::clone(&dropped), None);
            let end = End {
                key: key.clone(),
                exporter,
                client,
                queue,
                waiting: end_waiting,
                batch,
                pause,
                told,
                sent,
                dropped: end_dropped,
            };
            Self { backlog: key.backlog, stories, waiting, end: Mutex::new(end), dropped }
        }))
    }

    /// Takes a story, or counts its spans as dropped. Waits for nobody.
    pub(crate) fn put(&self, told: Told) {
        let spans = told.spans();
        let before = self.waiting.fetch_add(spans, Ordering::Relaxed);
        // one story fits in any case
        let is_full = before > 0 && before + spans > self.backlog;
        if is_full || self.stories.try_send(told).is_err() {
            self.waiting.fetch_sub(spans, Ordering::Relaxed);
            self.dropped.add(spans as u64);
        }
    }

    /// Sends what comes, for as long as this future lives. A second one waits until the first has gone.
    pub(crate) async fn work(&self) {
        self.end.lock().await.work().await;
    }
}

impl End {
    async fn work(&mut self) {
        loop {
            self.gather().await;
            let spans: Vec<SpanData> = self.batch.drain(..).flat_map(Told::into_spans).collect();
            if !self.send(spans).await {
                let pause = self.pause;
                self.pause = (pause * 2).min(limits::TRACE_RETRY_MAX);
                sleep(pause).await;
            }
        }
    }

    /// Waits until there is a batch: enough spans, or some and no more time.
    async fn gather(&mut self) {
        while self.batch.is_empty() {
            let told = self.queue.recv().await;
            self.take(told);
        }
        let deadline = Instant::now() + self.key.interval;
        while self.batch.iter().map(Told::spans).sum::<usize>() < self.key.batch {
            let Ok(told) = timeout_at(deadline, self.queue.recv()).await else { return };
            self.take(told);
        }
    }

    fn take(&mut self, told: Option<Told>) {
        let told = told.expect("the pipe has a sender as long as it lives");
        self.waiting.fetch_sub(told.spans(), Ordering::Relaxed);
        self.batch.push(told);
    }

    /// One request; true if its spans were taken.
    async fn send(&mut self, spans: Vec<SpanData>) -> bool {
        let mut sending = Sending { spans: spans.len() as u64, dropped: &self.dropped };
        let address = &self.key.address;
        match self.exporter.export(spans).await {
            Ok(()) => {
                self.sent.add(std::mem::take(&mut sending.spans));
                self.pause = limits::TRACE_RETRY_MIN;
                if self.told != Some(true) {
                    tracing::info!("trace: {address} takes spans");
                }
                self.told = Some(true);
                true
            }
            Err(error) => {
                if self.told != Some(false) {
                    let reason = self.client.failure().unwrap_or_else(|| error.to_string());
                    tracing::warn!("trace: {address}: {reason}; spans are dropped until it takes them");
                }
                self.told = Some(false);
                false
            }
        }
    }
}

/// Spans on their way: what nobody took is counted, also when the request is given up.
struct Sending<'c> {
    spans: u64,
    dropped: &'c Counter,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.dropped.add(self.spans);
    }
}
