//! The directive at work: makes lines where queries are answered, and writes them elsewhere.

use std::sync::Arc;

use contract::metrics::Counter;
use contract::{Boxed, Context, Event, LabelBook, Observer, Plugin, limits};
use tokio::sync::{Mutex, mpsc};
use tracing::Dispatch;

use crate::rule::{self, Rule};

/// Lines written in one go.
const BATCH: usize = 256;

/// Logs the queries of one server block.
#[derive(Debug)]
pub struct QueryLog {
    rules: Vec<Rule>,
    labels: Arc<LabelBook>,
    lines: mpsc::Sender<String>,
    /// Locked by the writer alone, for as long as it runs.
    written: Mutex<mpsc::Receiver<String>>,
    dropped: Arc<Counter>,
}

impl QueryLog {
    /// The plugin of a block.
    pub fn new(rules: Vec<Rule>, context: &Context) -> Self {
        let (lines, written) = mpsc::channel(limits::LOG_LINES_MAX);
        let dropped = context.metrics.counter(
            "nearpath_log_dropped_lines_total",
            "Lines of the query log that were dropped because they were not written fast enough.",
            &[("server", &context.server)],
        );
        Self { rules, labels: Arc::clone(&context.labels), lines, written: Mutex::new(written), dropped }
    }

    async fn write(self: Arc<Self>) {
        let Ok(mut written) = self.written.try_lock() else { return };
        let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
        loop {
            let mut lines = Vec::new();
            written.recv_many(&mut lines, BATCH).await;
            let dispatch = dispatch.clone();
            // A log that is not read (a full pipe) stops the thread that writes to it: one that serves nobody. An error
            // means that the runtime ends, and the log with it.
            let _ = tokio::task::spawn_blocking(move || say(&lines, &dispatch)).await;
        }
    }
}

impl Plugin for QueryLog {
    fn name(&self) -> &'static str {
        "log"
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(self)
    }

    fn run(self: Arc<Self>) -> Boxed<'static, ()> {
        Box::pin(self.write())
    }
}

impl Observer for QueryLog {
    fn replied(&self, event: &Event<'_>) {
        let Some(line) = rule::line(&self.rules, event, &self.labels) else { return };
        if self.lines.try_send(line).is_err() {
            self.dropped.increment();
        }
    }
}

impl Drop for QueryLog {
    /// The last lines are written before the block goes.
    fn drop(&mut self) {
        let mut lines = Vec::new();
        while let Ok(line) = self.written.get_mut().try_recv() {
            lines.push(line);
        }
        if lines.is_empty() {
            return;
        }
        let dispatch = tracing::dispatcher::get_default(Dispatch::clone);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || say(&lines, &dispatch))),
            Err(_) => say(&lines, &dispatch),
        }
    }
}

fn say(lines: &[String], dispatch: &Dispatch) {
    tracing::dispatcher::with_default(dispatch, || {
        for line in lines {
            tracing::info!(target: "log", "{line}");
        }
    });
}
