//! Runs fragments, several at a time, and gathers what was equal, what differed as wanted, and what nobody can explain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::deviation::{Field, compare};
use super::exchange::exchange;
use super::fragment::{Fragment, Question, Step, Transport};
use super::pair::{Kind, Server};
use super::rules::{Seen, explain};
use super::upstreams::Knot;
use super::{counts, show};

/// Fragments at a time: most of their time passes in waiting.
const AT_ONCE: usize = 10;

/// Metrics that deviate are looked at so often, with this pause between two looks.
const COUNTS_LOOKS: usize = 6;
const COUNTS_PAUSE: Duration = Duration::from_millis(200);

/// The field that deviates in nearly all replies.
const RECURSION_AVAILABLE: Field = Field::Flag(0x0080);

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Replies that were compared.
    pub questions: usize,
    /// Pairs of replies without any deviation.
    pub equal: usize,
    /// Deviations by the id of their difference.
    pub wanted: BTreeMap<&'static str, usize>,
    /// Samples of metrics that were compared.
    pub samples: usize,
    /// Questions whose replies were equal but for RA, which deviates in nearly all.
    pub alike: usize,
    /// Differences that a rule recognised and the list does not have.
    pub unlisted: BTreeSet<&'static str>,
    /// What nobody can explain, in full.
    pub unexplained: Vec<String>,
    /// How much of it is of time: a TTL, or no reply.
    pub of_time: usize,
    /// Fragments that were run once more.
    pub again: Vec<String>,
}

impl Outcome {
    /// Takes a deviation: as wanted, if it is a difference that the list has; else with its full text.
    pub(crate) fn takes(
        &mut self,
        id: Option<&'static str>,
        known: &BTreeSet<&str>,
        text: impl FnOnce(Option<&str>) -> String,
    ) {
        match id.filter(|id| known.contains(id)) {
            Some(id) => *self.wanted.entry(id).or_default() += 1,
            None => {
                self.unlisted.extend(id);
                self.unexplained.push(text(id));
            }
        }
    }

    fn adds(&mut self, other: Self) {
        self.questions += other.questions;
        self.equal += other.equal;
        self.alike += other.alike;
        self.samples += other.samples;
        self.unlisted.extend(other.unlisted);
        other.wanted.into_iter().for_each(|(id, count)| *self.wanted.entry(id).or_default() += count);
        self.unexplained.extend(other.unexplained);
        self.of_time += other.of_time;
    }

    /// True if all that nobody can explain may come of time that passed between two questions.
    fn is_of_time(&self) -> bool {
        !self.unexplained.is_empty() && self.unexplained.len() == self.of_time && self.unlisted.is_empty()
    }
}

/// Runs all, with both servers each. Where nothing but TTLs and missing replies deviates, the machine may have had no time for so many
/// at once: such fragments are run once more, alone, and then it counts.
pub(crate) fn all(fragments: &[Fragment], known: &BTreeSet<&str>) -> Outcome {
    let (knot, again) = (Knot::start(), Mutex::new(Vec::new()));
    let mut sum = each(fragments, |fragment| {
        let outcome = one(fragment, &knot, known);
        if !outcome.is_of_time() {
            return outcome;
        }
        again.lock().expect("nobody panics with it").push(fragment);
        Outcome::default()
    });
    for fragment in again.into_inner().expect("nobody panics with it") {
        sum.adds(one(fragment, &knot, known));
        sum.again.push(format!("{}: {}", fragment.place, fragment.title));
    }
    sum
}

/// Does the work for each fragment, several at a time.
pub(crate) fn each<'f>(fragments: &'f [Fragment], work: impl Fn(&'f Fragment) -> Outcome + Sync) -> Outcome {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Outcome::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(fragment) = fragments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = work(fragment);
                    sum.lock().expect("nobody panics with it").adds(outcome);
                }
            });
        }
    });
    sum.into_inner().expect("nobody panics with it")
}

fn one(fragment: &Fragment, knot: &Knot, known: &BTreeSet<&str>) -> Outcome {
    let mut outcome = Outcome::default();
    let started = [Kind::CoreDns, Kind::Nearpath].map(|kind| Server::start(kind, fragment, knot));
    let mut servers = match started {
        [Ok(theirs), Ok(ours)] => [theirs, ours],
        both => {
            let why: Vec<String> = both.into_iter().filter_map(Result::err).collect();
            outcome.unexplained.push(format!("{}: {}\n{}", fragment.place, fragment.title, why.join("\n")));
            return outcome;
        }
    };
    let mut groups = 0;
    for step in &fragment.steps {
        match step {
            Step::Wait(time) => std::thread::sleep(*time),
            Step::Write(name, text) => servers.iter().for_each(|server| server.write(name, text)),
            Step::Ask(questions) => {
                ask(fragment, questions, &servers, groups > 0, known, &mut outcome);
                groups += 1;
            }
        }
    }
    for server in &mut servers {
        if let Some(words) = server.ended() {
            outcome.unexplained.push(format!("{}: {}\n{words}", fragment.place, fragment.title));
            return outcome;
        }
    }
    if fragment.metrics {
        outcome.adds(counted(fragment, &servers, known));
    }
    outcome
}

/// The metrics of both. CoreDNS counts a question after its reply has gone, so what deviates is looked at again.
fn counted(fragment: &Fragment, servers: &[Server; 2], known: &BTreeSet<&str>) -> Outcome {
    let mut looks = 0;
    loop {
        let mut outcome = Outcome::default();
        let pages = [servers[0].metrics(), servers[1].metrics()];
        counts::compare(fragment, &pages, known, &mut outcome);
        looks += 1;
        if outcome.unexplained.is_empty() || looks == COUNTS_LOOKS {
            return outcome;
        }
        std::thread::sleep(COUNTS_PAUSE);
    }
}

/// Asks a group of questions in passes: cold over one transport, then from memory over the other, and both once more.
fn ask(
    fragment: &Fragment,
    questions: &[Question],
    servers: &[Server; 2],
    later: bool,
    known: &BTreeSet<&str>,
    outcome: &mut Outcome,
) {
    let addresses = [servers[0].address, servers[1].address];
    for pass in 0..4 {
        for (index, question) in questions.iter().enumerate() {
            if pass > 0 && question.once {
                continue;
            }
            let turn = if (pass + index).is_multiple_of(2) { Transport::Udp } else { Transport::Tcp };
            let transport = question.only.unwrap_or(turn);
            let both = exchange(&question.ask.wire(), transport, question.from, addresses, fragment.patience);
            let deviations = compare(fragment, &both);
            outcome.questions += 1;
            outcome.equal += usize::from(deviations.is_empty());
            outcome.alike += usize::from(deviations.iter().all(|deviation| deviation.field == RECURSION_AVAILABLE));
            for deviation in &deviations {
                let again = later || pass > 0;
                let seen = Seen { fragment, question, both: &both, again, later, deviation };
                let before = outcome.unexplained.len();
                outcome.takes(explain(&seen), known, |id| told(&seen, id, transport, pass));
                let is_of_time = matches!(deviation.field, Field::Ttl | Field::Reply);
                outcome.of_time += if is_of_time { outcome.unexplained.len() - before } else { 0 };
            }
        }
    }
}

/// A deviation in full.
fn told(seen: &Seen<'_>, id: Option<&str>, transport: Transport, pass: usize) -> String {
    let Seen { fragment, question, both, deviation, .. } = seen;
    let mut text = format!("{}: {}\n{}", fragment.place, fragment.title, fragment.corefile);
    let why = id.map_or("no rule knows it".to_owned(), |id| format!("`{id}` is not in the list of differences"));
    writeln!(text, "asked: {} over {transport:?}, pass {}", question.text, pass + 1).expect("a String takes all");
    writeln!(text, "deviates: {deviation} ({why})").expect("a String takes all");
    text + &format!("CoreDNS:\n{}nearpath:\n{}", show::said(&both[0]), show::said(&both[1]))
}
