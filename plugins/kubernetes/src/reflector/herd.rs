//! A thousand nodes lose their API server and get it back: how many lists that makes in a second, in paused time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::Boxed;
use futures_util::stream;
use kube::client::Body;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::script::{Thing, bookmark, end, event, gone, request, streamed};
use super::{Reflector, Subject, Word};
use crate::api::Transport;
use crate::trouble::Trouble;

const NODES: usize = 1_000;
/// Lists in any second, for a thousand nodes.
const LISTS_MAX: usize = 300;
/// After the return of the API server every node is in step again.
const IN_STEP_WITHIN: Duration = Duration::from_secs(10);
const OUTAGE: Duration = Duration::from_secs(120);

/// The API server of them all.
#[derive(Debug)]
struct Server {
    state: watch::Sender<State>,
    asked: Mutex<Vec<(Instant, String)>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    is_there: bool,
    /// How often all connections ended.
    ended: u32,
    /// They end as replies do, and do not break.
    politely: bool,
    version: u64,
    /// What came after earlier versions is forgotten.
    remembers: u64,
}

#[derive(Debug)]
struct Way(Arc<Server>);

impl Transport for Way {
    fn get<'a>(&'a mut self, path: &'a str) -> Boxed<'a, Result<Body, Trouble>> {
        Box::pin(async move {
            let state = *self.0.state.borrow();
            if !state.is_there {
                return Err(Trouble::Unreachable("refused".to_owned()));
            }
            let asked = request(path);
            self.0.asked.lock().unwrap().push((Instant::now(), asked.clone()));
            let (kind, from) = asked.split_once(' ').unwrap();
            let first = match kind {
                "watch" if from.parse::<u64>().unwrap() < state.remembers => gone(),
                "watch" => bookmark(state.version),
                _ => format!("{}\n{}", event("ADDED", "a", 7), end(state.version)),
            };
            Ok(follow(first, self.0.state.subscribe()).await)
        })
    }

    fn is_reachable(&mut self) -> Boxed<'_, bool> {
        Box::pin(async { self.0.state.borrow().is_there })
    }

    fn has_new_credentials(&self) -> bool {
        false
    }
}

/// These lines, then a bookmark every minute until the connection ends.
async fn follow(first: String, state: watch::Receiver<State>) -> Body {
    let ended = state.borrow().ended;
    streamed(stream::unfold((Some(first), state), move |(first, mut state)| async move {
        if let Some(lines) = first {
            return Some((Ok(format!("{lines}\n")), (None, state)));
        }
        let news = tokio::time::timeout(Duration::from_secs(60), state.wait_for(|now| now.ended != ended)).await;
        let now = news.ok().map(|now| *now.expect("the server lives as long as the test"));
        match now {
            None => {
                let version = state.borrow().version;
                Some((Ok(format!("{}\n", bookmark(version))), (None, state)))
            }
            Some(now) if now.politely => None,
            Some(_) => Some((Err(std::io::Error::other("reset by peer")), (None, state))),
        }
    }))
    .await
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    /// Since the API server's return, by kind: how many, and the most in any second.
    requests: BTreeMap<String, (usize, usize)>,
    /// When the last node was in step.
    in_step: Duration,
}

/// A thousand nodes in step; then `fall`, after `outage` the server is as `rise` says.
async fn play(outage: Duration, fall: impl FnOnce(&mut State), rise: impl FnOnce(&mut State)) -> Outcome {
    let first = State { is_there: true, ended: 0, politely: false, version: 10, remembers: 0 };
    let server = Arc::new(Server { state: watch::Sender::new(first), asked: Mutex::default() });
    let (heard, mut in_step) = mpsc::unbounded_channel();
    for node in 0..NODES {
        let (out, mut words) = mpsc::channel::<Word<Thing>>(16);
        let subject =
            Subject { path: "/things".to_owned(), selector: "fieldSelector=x".to_owned(), is_optional: false };
        let (server, heard) = (Arc::clone(&server), heard.clone());
        tokio::spawn(async move {
            sleep(Duration::from_millis(node as u64 * 7)).await; // they were not all started at once
            tokio::spawn(Reflector::new(Way(server), subject, Arc::new(Notify::new())).run(out));
            while let Some(word) = words.recv().await {
                let lists = matches!(word, Word::List { .. });
                if lists || matches!(word, Word::Opened) {
                    heard.send((node, Instant::now(), lists)).unwrap();
                }
            }
        });
    }
    let settled = Instant::now() + Duration::from_secs(70);
    sleep_until(settled).await;
    server.state.send_modify(fall);
    sleep(outage).await;
    server.state.send_modify(rise);
    let back = Instant::now();
    sleep(Duration::from_secs(60)).await;

    let mut first_word: BTreeMap<usize, Duration> = BTreeMap::new();
    let must_list = server.state.borrow().remembers > 0;
    while let Ok((node, at, lists)) = in_step.try_recv() {
        if let Some(after) = at.checked_duration_since(back).filter(|_| lists || !must_list) {
            first_word.entry(node).or_insert(after);
        }
    }
    assert_eq!(first_word.len(), NODES, "all are back");
    let mut requests: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for (at, asked) in server.asked.lock().unwrap().iter().filter(|(at, _)| *at >= back) {
        requests.entry(asked.split(' ').next().unwrap().to_owned()).or_default().push(*at);
    }
    let requests = requests.into_iter().map(|(kind, times)| (kind, (times.len(), most_in_a_second(&times)))).collect();
    Outcome { requests, in_step: *first_word.values().max().unwrap() }
}

fn most_in_a_second(times: &[Instant]) -> usize {
    let within =
        |from: &Instant| times.iter().filter(|at| (*from..*from + Duration::from_secs(1)).contains(at)).count();
    times.iter().map(within).max().unwrap_or(0)
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "its figures are read by people")]
fn check(what: &str, outcome: &Outcome, lists: usize) {
    println!("{what}: requests, and the most in a second: {:?}; in step after {:?}", outcome.requests, outcome.in_step);
    let of = |kind: &str| outcome.requests.get(kind).copied().unwrap_or_default();
    assert_eq!(of("stream").0 + of("list").0, lists, "{what}");
    assert!(of("stream").1 <= LISTS_MAX, "{what}: {} lists in a second", of("stream").1);
    assert!(outcome.in_step <= IN_STEP_WITHIN, "{what}: {:?}", outcome.in_step);
}

fn falls(state: &mut State) {
    (state.is_there, state.ended) = (false, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_and_has_forgotten_is_asked_for_lists_by_and_by() {
    let outcome = play(OUTAGE, falls, |state| (state.is_there, state.version, state.remembers) = (true, 50, 50)).await;
    check("forgotten", &outcome, NODES);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_and_remembers_is_asked_for_no_list() {
    let outcome = play(OUTAGE, falls, |state| (state.is_there, state.version) = (true, 50)).await;
    check("remembered", &outcome, 0);
}

#[tokio::test(start_paused = true)]
async fn where_another_server_is_there_at_once_nobody_lists() {
    let outcome = play(Duration::ZERO, |_| {}, |state| state.ended = 1).await;
    check("broken, another is there", &outcome, 0);
}

#[tokio::test(start_paused = true)]
async fn where_another_server_is_there_at_once_and_knows_nothing_lists_are_spread_as_well() {
    let outcome =
        play(Duration::ZERO, |_| {}, |state| (state.ended, state.version, state.remembers) = (1, 50, 50)).await;
    check("broken, another is there that knows nothing", &outcome, NODES);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_politely_makes_no_herd_either() {
    let outcome = play(
        Duration::ZERO,
        |_| {},
        |state| (state.ended, state.politely, state.version, state.remembers) = (1, true, 50, 50),
    )
    .await;
    check("ended politely, another is there that knows nothing", &outcome, NODES);
}
