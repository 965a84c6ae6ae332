//! Pods that ask all the time. Each question must be answered, and none from another namespace's list.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nearpath_tests::client::PATIENCE;
use nearpath_tests::mode::note;
use nearpath_tests::random::Random;
use nearpath_tests::{Ask, Reply, Udp};

use super::town::{NAMESPACES, Town};
use crate::cluster::marks;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(1);
/// Faults that are told one by one.
const TOLD_MAX: usize = 10;

/// A thread that asks until it is told to end.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

#[derive(Default)]
struct Tally {
    hits: usize,
    misses: usize,
    by_shared: usize,
    unanswered: usize,
    wrong: usize,
    told: Vec<String>,
    begun: Option<Instant>,
    slowest: Duration,
}

/// What may be said to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Found,
    Missing,
    Either,
}

struct Asker {
    steady: Vec<(Udp, usize)>,
    shared: Vec<Udp>,
    random: Random,
    tally: Tally,
}

impl Load {
    pub(super) fn begins(town: &Town) -> Self {
        let server: SocketAddr = town.daemon.address();
        let steady = town.steady.iter().map(|(address, namespace)| (Udp::from(*address, server), *namespace)).collect();
        let shared = town.shared.iter().map(|address| Udp::from(*address, server)).collect();
        let mut asker = Asker { steady, shared, random: Random::new(7), tally: Tally::default() };
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                asker.asks();
                std::thread::sleep(PAUSE);
            }
            asker.tally
        });
        Self { stop, thread }
    }

    #[track_caller]
    pub(super) fn ends(self) {
        self.stop.store(true, Ordering::SeqCst);
        let tally = self.thread.join().expect("the asker does not panic");
        let Tally { hits, misses, by_shared, unanswered, wrong, told, slowest, .. } = tally;
        let ms = slowest.as_secs_f64() * 1e3;
        note(&format!(
            "asked meanwhile: {hits} hits and {misses} misses of pods that stay, {by_shared} questions of addresses that \
             change hands; {unanswered} unanswered, {wrong} wrong, the slowest took {ms:.0} ms"
        ));
        assert!(hits > 1_000 && misses > 300 && by_shared > 300, "that is a load");
        assert!(unanswered == 0 && wrong == 0, "{told:#?}");
    }
}

impl Asker {
    fn asks(&mut self) {
        let fresh = self.tally.misses;
        let other = self.random.below(NAMESPACES.len());
        match self.random.below(10) {
            kind @ 0..8 => {
                let number = self.random.below(self.steady.len());
                let own = self.steady[number].1;
                let (ask, right) = match kind {
                    0..5 => (marks::mark(NAMESPACES[own]), Right::Found),
                    5..7 => (marks::fresh_mark(NAMESPACES[own], fresh), Right::Found),
                    _ if other == own => return,
                    _ => (marks::mark(NAMESPACES[other]), Right::Missing),
                };
                match kind {
                    5..7 => self.tally.misses += 1,
                    _ => self.tally.hits += 1,
                }
                let (client, _) = &self.steady[number];
                self.tally.judge(client, &ask, right);
            }
            _ => {
                let number = self.random.below(self.shared.len());
                let right = if other == Town::stranger(number) { Right::Missing } else { Right::Either };
                self.tally.by_shared += 1;
                self.tally.judge(&self.shared[number], &marks::mark(NAMESPACES[other]), right);
            }
        }
    }
}

impl Tally {
    fn judge(&mut self, client: &Udp, ask: &Ask, right: Right) {
        let sent = Instant::now();
        self.begun.get_or_insert(sent);
        client.send(&ask.wire());
        let Some(reply) = reply(client, ask, sent) else {
            self.unanswered += 1;
            return self.tell(format!("no answer to {ask:?}"));
        };
        self.slowest = self.slowest.max(sent.elapsed());
        let fits = match marks::is_found(&reply) {
            Some(true) => right != Right::Missing,
            Some(false) => right != Right::Found,
            None => false,
        };
        if !fits {
            self.wrong += 1;
            self.tell(format!("{right:?} was right, and not:\n{reply}"));
        }
    }

    fn tell(&mut self, fault: String) {
        if self.told.len() < TOLD_MAX {
            let at = self.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
            self.told.push(format!("{at:.1} s after the beginning: {fault}"));
        }
    }
}

/// The reply to this question, if one comes.
fn reply(client: &Udp, ask: &Ask, sent: Instant) -> Option<Reply> {
    loop {
        let left = PATIENCE.checked_sub(sent.elapsed()).filter(|left| !left.is_zero())?;
        let reply = Reply::read(&client.receive(left)?).ok()?;
        if reply.id == ask.id {
            return Some(reply);
        }
    }
}
