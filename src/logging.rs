//! Where the lines of `tracing` go: standard error, one line per event, `[LEVEL] message` as CoreDNS writes them.
//!
//! ```text
//!   any thread --line--> a bounded queue --nearpath-log--> standard error
//! ```
//!
//! Nobody waits for standard error: a pipe that nobody reads would stop every thread that says something, the one that watches
//! the others among them. Lines that the queue has no room for are dropped, and their number is said when there is room again.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// Lines that wait for standard error.
const LINES_MAX: usize = 4_096;

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts logging for the process. `RUST_LOG` overrides the level. What the API server's client would say of each request
/// that fails, the watch says once.
pub fn start(level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},kube_client=off")));
    let queue = QUEUE.get_or_init(Queue::start);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).event_format(Lines).with_writer(queue);
    // a second start (tests in one process) keeps the first one's place
    let _ = lines.try_init();
}

/// Waits until what was said so far is written, or for so long. To be called before the process ends.
pub fn flush(within: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let until = Instant::now() + within;
    while queue.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lines on their way.
struct Queue {
    lines: Option<SyncSender<Vec<u8>>>,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn start() -> Self {
        let (lines, queue) = mpsc::sync_channel(LINES_MAX);
        let (waiting, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counts = (Arc::clone(&waiting), Arc::clone(&dropped));
        let writing = move || write_all(&queue, &counts.0, &counts.1);
        let thread = std::thread::Builder::new().name("nearpath-log".to_owned()).spawn(writing);
        // without a thread everybody writes by himself
        Self { lines: thread.is_ok().then_some(lines), waiting, dropped }
    }
}

/// Writes lines as they come. What cannot be written is lost: there is nowhere to say so.
fn write_all(queue: &Receiver<Vec<u8>>, waiting: &AtomicU64, dropped: &AtomicU64) {
    while let Ok(line) = queue.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        let mut to = io::stderr().lock();
        if lost > 0 {
            let _ = writeln!(to, "[WARNING] {lost} lines were dropped, since nobody read them in time");
        }
        let _ = to.write_all(&line);
        drop(to);
        waiting.fetch_sub(1, Ordering::Release);
    }
}

impl<'q> MakeWriter<'q> for &'static Queue {
    type Writer = &'static Queue;

    fn make_writer(&'q self) -> Self::Writer {
        self
    }
}

impl Write for &'static Queue {
    /// Takes a whole line; the subscriber writes each event at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Some(lines) = &self.lines else { return io::stderr().write(line) };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = lines.try_send(line.to_owned()) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        write!(to, "[{level}] ")?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
