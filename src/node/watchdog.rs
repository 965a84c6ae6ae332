//! Whether every thread that answers makes progress, seen from inside.
//!
//! ```text
//!   each second: Probes ask each worker by a real socket --> Judge: waiting, and nothing done since the last look?
//!                                                             |-- told by /health after two such looks
//!                                                             '-- after three: the reason is logged, the process aborts
//! ```
//!
//! A process that aborts closes its sockets, and then the kernel sends questions elsewhere; one that hangs keeps them. Looks are
//! counted, not seconds: a machine that was paused did not hang. A question of ours that is lost is counted and judges nobody,
//! because an overloaded worker loses it too, and makes progress.

mod judge;
mod probes;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contract::metrics::{Counter, Gauge, Metrics};

use self::judge::{Judge, Verdict};
use self::probes::Probes;
use crate::admin::State;
use crate::serve::udp::Roster;
use crate::serve::zones::Shared;

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);
/// How long a look waits for the replies to its own questions.
const REPLIES_WITHIN: Duration = Duration::from_millis(200);
/// Between two beats of the miss path's runtime; several fit between two looks.
const BEAT: Duration = Duration::from_millis(250);
/// How long the last line of a process that ends at once may take.
const LAST_WORD_WITHIN: Duration = Duration::from_millis(100);
/// The watchdog's stack, octets: it calls nothing that goes deep.
const STACK: usize = 256 << 10;

/// The watchdog at work. Dropped, it stops looking.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts to watch the workers of `roster` and the runtime of the miss path. What is seen goes to `state` and metrics.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(roster: Roster, shared: &Shared, state: Arc<State>) -> io::Result<Self> {
        let beats = Arc::new(AtomicU64::new(0));
        shared.runtime.spawn(beat(Arc::downgrade(&beats)));
        let watch = Watch {
            judge: Judge::new(roster.workers()),
            probes: Probes::new(shared.presence.instance, roster.workers()),
            figures: Figures::new(&shared.metrics),
            roster,
            beats,
            state,
        };
        let (stop, stopped) = mpsc::channel();
        let builder = std::thread::Builder::new().name("nearpath-watchdog".to_owned()).stack_size(STACK);
        let thread = builder.spawn(move || watch.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Beats for as long as somebody listens: a runtime whose threads or timers hang does not.
async fn beat(beats: std::sync::Weak<AtomicU64>) {
    while let Some(beats) = beats.upgrade() {
        beats.fetch_add(1, Ordering::Relaxed);
        drop(beats);
        tokio::time::sleep(BEAT).await;
    }
}

/// What the thread has.
struct Watch {
    roster: Roster,
    beats: Arc<AtomicU64>,
    judge: Judge,
    probes: Probes,
    state: Arc<State>,
    figures: Figures,
}

impl Watch {
    fn run(mut self, stopped: &mpsc::Receiver<()>) {
        loop {
            let begun = Instant::now();
            self.look();
            let rest = TICK.saturating_sub(begun.elapsed());
            if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// One look: ask, wait a moment, judge.
    fn look(&mut self) {
        let counted = self.probes.ask(&self.roster.addresses(), REPLIES_WITHIN);
        let verdict = self.judge.look(&self.roster.look(), self.beats.load(Ordering::Relaxed));
        self.figures.note(&counted, &self.probes, &self.judge);
        match verdict {
            Verdict::Well => self.state.unwell(None),
            Verdict::Doubtful(reason) => {
                self.state.unwell(Some(reason.clone()));
                tracing::warn!("{reason}");
            }
            Verdict::Hangs(reason) => {
                tracing::error!("{reason}: leaving at once, so that others answer");
                crate::logging::flush(LAST_WORD_WITHIN);
                std::process::abort();
            }
        }
    }
}

/// What metrics tell of it.
struct Figures {
    looks: Arc<Counter>,
    asked: Arc<Counter>,
    answered: Arc<Counter>,
    covered: Arc<Gauge>,
    still: Arc<Gauge>,
}

impl Figures {
    fn new(metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter(name, help, &[]);
        let gauge = |name, help| metrics.gauge(name, help, &[]);
        Self {
            looks: counter("nearpath_watchdog_looks_total", "Looks of the watchdog at the threads that answer."),
            asked: counter("nearpath_watchdog_asked_total", "Questions of the watchdog to this daemon's own sockets."),
            answered: counter("nearpath_watchdog_answered_total", "Those that were answered in time."),
            covered: gauge("nearpath_watchdog_workers_covered", "Workers that a question of the watchdog reaches."),
            still: gauge(
                "nearpath_watchdog_standing_still",
                "The most looks in a row that found a worker without progress while something waits for it.",
            ),
        }
    }

    fn note(&self, counted: &probes::Counted, probes: &Probes, judge: &Judge) {
        self.looks.increment();
        self.asked.add(counted.asked);
        self.answered.add(counted.answered);
        self.covered.set(i64::try_from(probes.covered()).unwrap_or(i64::MAX));
        self.still.set(judge.most_still().into());
    }
}
