//! Where the events of `tracing` go: standard error, one line per event, as text in CoreDNS's form or as JSON.
//!
//! ```text
//!   any thread --Line--> a bounded queue --nearpath-log--> Repeats --> text or JSON --> standard error
//! ```
//!
//! Nobody waits for standard error: a pipe that nobody reads would stop every thread that says something, the one that watches
//! the others among them. Lines that the queue has no room for are dropped, and their number is said when there is room again.
//! The same trouble is said once in 10 s, and then how often it came.

mod line;
mod repeats;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, registry};

pub use self::line::Format;
use self::line::Line;
use self::repeats::Repeats;

/// Lines that wait for standard error.
const LINES_MAX: usize = 4_096;
/// How often it is looked whether a count is to be said.
const LOOK_EVERY: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts logging for the process. `RUST_LOG` overrides the level. What the API server's client would say of each request
/// that fails, the watch says once.
pub fn start(level: &str, format: Format) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},kube_client=off")));
    let queue = QUEUE.get_or_init(|| Queue::start(format));
    // a second start (tests in one process) keeps the first one's place
    let _ = registry().with(filter).with(Lines(queue)).try_init();
}

/// Waits until what was said so far is written, or for so long. To be called before the process ends.
pub fn flush(within: Duration) {
    let Some(queue) = QUEUE.get() else { return };
    let until = Instant::now() + within;
    queue.put(Item::Counts);
    while queue.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Takes events.
struct Lines(&'static Queue);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.put(Item::Line(Box::new(Line::of(event, SystemTime::now()))));
    }
}

/// What the writer is to do.
enum Item {
    Line(Box<Line>),
    /// Say the counts now.
    Counts,
}

/// Lines on their way.
struct Queue {
    format: Format,
    items: Option<SyncSender<Item>>,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn start(format: Format) -> Self {
        let (items, queue) = mpsc::sync_channel(LINES_MAX);
        let (waiting, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let writer = Writer { format, waiting: Arc::clone(&waiting), dropped: Arc::clone(&dropped) };
        let thread = std::thread::Builder::new().name("nearpath-log".to_owned()).spawn(move || writer.work(&queue));
        // without a thread everybody writes by himself
        Self { format, items: thread.is_ok().then_some(items), waiting, dropped }
    }

    fn put(&self, item: Item) {
        let Some(items) = &self.items else {
            if let Item::Line(line) = item {
                let _ = io::stderr().write_all(line.written(self.format).as_bytes());
            }
            return;
        };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if items.try_send(item).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that writes.
struct Writer {
    format: Format,
    waiting: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Writes lines as they come. What cannot be written is lost: there is nowhere to say so.
    fn work(&self, queue: &Receiver<Item>) {
        let mut repeats = Repeats::default();
        loop {
            match queue.recv_timeout(LOOK_EVERY) {
                Ok(item) => {
                    let now = Instant::now();
                    let mut lines = repeats.ended(now);
                    lines.extend(match item {
                        Item::Line(line) => repeats.take(*line, now),
                        Item::Counts => repeats.rest(),
                    });
                    self.write(&lines);
                    self.waiting.fetch_sub(1, Ordering::Release);
                }
                Err(RecvTimeoutError::Timeout) => self.write(&repeats.ended(Instant::now())),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&self, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        let mut to = io::stderr().lock();
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let line = Line::warning(format!("{lost} lines were dropped, since nobody read them in time"));
            let _ = to.write_all(line.written(self.format).as_bytes());
        }
        for line in lines {
            let _ = to.write_all(line.written(self.format).as_bytes());
        }
    }
}
