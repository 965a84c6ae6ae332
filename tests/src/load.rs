//! Questions on schedule from several networks at once, each asked once, each answer checked: what is lost is seen.
//!
//! ```text
//!   Place (a pod, the host) --sender: on schedule, whatever comes back--> fresh ports | fixed ports | a connection each
//!                           --asker: one after another----------------->  a kept connection
//!                           <-receiver: matches, checks, notes who answered (NSID)
//!                                        '--> Ledger --> Report
//! ```
//!
//! A question that has no right answer within two seconds is lost: nobody asks again. Hot names and names that nobody ever
//! asked before are mixed four to one.

mod kept;
mod ledger;
pub mod question;
mod report;
mod sender;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::ledger::Ledger;
pub use self::ledger::{By, TIMEOUT};
pub use self::report::Report;
use crate::node::Entrance;

/// From where is asked.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name in the report.
    pub name: String,
    /// Its network.
    pub entrance: Entrance,
    /// Who is asked, in turn.
    pub targets: Vec<SocketAddr>,
    /// Questions per second.
    pub rate: u32,
}

/// A load at work. Dropped, it ends by itself within a moment.
#[derive(Debug)]
pub struct Load {
    ledgers: Vec<Arc<Ledger>>,
    askers: Vec<JoinHandle<()>>,
    receivers: Vec<JoinHandle<()>>,
    start: Instant,
}

/// Of how many questions one comes over a connection of its own, and one over a kept one.
const STREAMS: u32 = 50;

impl Load {
    /// Starts to ask from all these places.
    #[track_caller]
    pub fn start(places: &[Place]) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let mut this = Self { ledgers: Vec::new(), askers: Vec::new(), receivers: Vec::new(), start };
        for (number, place) in (0u32..).zip(places) {
            let asker = question::Asker { run, place: number };
            let ledger = Arc::new(Ledger::new(place.clone(), asker, start));
            let udp = place.entrance_of(|| udp::Sockets::open(&place.targets));
            let udp = Arc::new(udp);
            let (one, sockets) = (Arc::clone(&ledger), Arc::clone(&udp));
            this.askers.push(std::thread::spawn(move || sender::run(&one, &sockets)));
            let (one, sockets) = (Arc::clone(&ledger), udp);
            this.receivers.push(std::thread::spawn(move || udp::receive(&one, &sockets)));
            let one = Arc::clone(&ledger);
            this.askers.push(std::thread::spawn(move || kept::run(&one)));
            this.ledgers.push(ledger);
        }
        this
    }

    /// The time since it started; what a report calls a moment.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Goes on for a while.
    pub fn runs(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Asks no more, waits for what is outstanding, and tells what became of all.
    #[track_caller]
    pub fn ends(mut self) -> Report {
        self.ledgers.iter().for_each(|ledger| ledger.stops());
        joined(&mut self.askers); // what they began to ask as they were told is waited for too
        let deadline = Instant::now() + TIMEOUT + Duration::from_millis(200);
        while Instant::now() < deadline && self.ledgers.iter().any(|ledger| ledger.has_open()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.ledgers.iter().for_each(|ledger| ledger.closes());
        joined(&mut self.receivers);
        Report::of(&self.ledgers)
    }
}

fn joined(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        thread.join().expect("a thread of the load does not panic");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for ledger in &self.ledgers {
            ledger.stops();
            ledger.closes();
        }
    }
}

impl Place {
    /// Does something in its network.
    fn entrance_of<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let thread = || {
            self.entrance.enter();
            work()
        };
        std::thread::scope(|scope| scope.spawn(thread).join().expect("its sockets can be opened"))
    }
}
