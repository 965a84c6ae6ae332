//! Members that fall silent without an error, and such that are merely slow for some names.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contract::Context;
use contract::wire::{Question, RecordType};
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::timeout;
use upstream::{Group, Policy};

use crate::members::{following, set};
use crate::script::{address_in, context, counted, expected, good, query, read_frame, tcp, write_frame};

const LONG: Duration = Duration::from_secs(20);
const SILENCES: &str = "nearpath_upstream_silences_total";

/// An upstream whose process is stopped now and then: what it was sent it reads, and answers, once it goes on.
#[derive(Clone, Default)]
struct Stoppable {
    stopped: Arc<AtomicBool>,
    goes_on: Arc<Notify>,
    /// Questions that came, checks not among them.
    asked: Arc<AtomicUsize>,
}

impl Stoppable {
    async fn serve(&self) -> SocketAddr {
        let this = self.clone();
        let serve = move |mut stream: tokio::net::TcpStream, _| {
            let this = this.clone();
            async move {
                while let Some(question) = read_frame(&mut stream).await {
                    let is_check = Question::parse(&question).unwrap().rtype == RecordType::NS;
                    this.asked.fetch_add(usize::from(!is_check), Ordering::SeqCst);
                    while this.stopped.load(Ordering::SeqCst) {
                        this.goes_on.notified().await;
                    }
                    write_frame(&mut stream, &good(&question)).await;
                }
            }
        };
        tcp(serve).await.0
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn go_on(&self) {
        self.stopped.store(false, Ordering::SeqCst);
        self.goes_on.notify_waiters();
    }
}

/// Asks so many questions, so many at a time.
async fn ask_all(group: &Group, context: &Context, count: usize, at_once: usize) {
    for first in (0..count).step_by(at_once) {
        let asked: Vec<_> =
            (first..first + at_once).map(|number| query(context, &format!("n{number}.example"))).collect();
        for (asked, answer) in asked.iter().zip(join_all(asked.iter().map(|asked| group.exchange(asked))).await) {
            assert_eq!(address_in(&answer.unwrap().0), expected(asked));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_one_is_passed_over_until_it_speaks() {
    let context = context();
    let upstreams = [Stoppable::default(), Stoppable::default(), Stoppable::default()];
    let addresses = [upstreams[0].serve().await, upstreams[1].serve().await, upstreams[2].serve().await];
    let group = following(&context, Policy::RoundRobin);
    set(&group, &context, &addresses);
    let caring = tokio::spawn(group.run());
    ask_all(&group, &context, 90, 30).await;
    assert!(upstreams[0].asked() >= 30 && counted(&context, SILENCES) == 0);

    tokio::time::sleep(Duration::from_millis(100)).await; // connections that nobody waited for are open by now
    upstreams[0].stopped.store(true, Ordering::SeqCst);
    ask_all(&group, &context, 300, 300).await;
    assert_eq!(
        counted(&context, SILENCES),
        1,
        "a hundred questions were outstanding there, and no more than a few hedges possible"
    );
    assert_eq!(group.up(), 3, "no check has failed yet");
    let before = upstreams[0].asked();
    ask_all(&group, &context, 300, 30).await;
    assert_eq!(upstreams[0].asked(), before, "it is passed over");

    upstreams[0].go_on().await;
    let again = async {
        while upstreams[0].asked() == before {
            ask_all(&group, &context, 3, 3).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // well before it is forgotten that it was silent
    timeout(Duration::from_secs(5), again).await.expect("it speaks, so it is asked");
    caring.abort();
}

#[tokio::test(start_paused = true)]
async fn even_a_few_questions_find_a_silent_one() {
    let context = context();
    let upstreams = [Stoppable::default(), Stoppable::default()];
    let addresses = [upstreams[0].serve().await, upstreams[1].serve().await];
    let group = following(&context, Policy::Sequential);
    set(&group, &context, &addresses);
    let caring = tokio::spawn(group.run());
    ask_all(&group, &context, 5, 1).await;
    upstreams[0].stopped.store(true, Ordering::SeqCst);
    ask_all(&group, &context, 1, 1).await; // overtaken by a hedge, and checked
    let suspected = async {
        while counted(&context, SILENCES) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, suspected).await.expect("the check was not answered");
    let before = upstreams[0].asked();
    ask_all(&group, &context, 50, 1).await;
    assert_eq!((upstreams[0].asked(), group.up()), (before, 2));
    caring.abort();
}

#[tokio::test(start_paused = true)]
async fn the_last_one_is_never_passed_over() {
    let context = context();
    let only = Stoppable::default();
    let address = only.serve().await;
    let group = following(&context, Policy::RoundRobin);
    set(&group, &context, &[address]);
    let caring = tokio::spawn(group.run());
    only.stopped.store(true, Ordering::SeqCst);
    let (_, ()) = tokio::join!(ask_all(&group, &context, 20, 20), async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(only.asked() > 0 && counted(&context, SILENCES) == 0);
        only.go_on().await;
    });
    caring.abort();
}

/// Names from `n500` on take long, on connections of their own; the others, and checks, do not.
async fn slow_for_some() -> SocketAddr {
    let serve = |mut stream: tokio::net::TcpStream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            if question[12..].starts_with(b"\x04n5") {
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
            write_frame(&mut stream, &good(&question)).await;
        }
    };
    tcp(serve).await.0
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_for_some_names_is_not_passed_over() {
    let context = context();
    let (slow, other) = (slow_for_some().await, Stoppable::default());
    let other_address = other.serve().await;
    let group = following(&context, Policy::Sequential);
    set(&group, &context, &[slow]);
    let caring = tokio::spawn(group.run());
    ask_all(&group, &context, 20, 4).await;
    set(&group, &context, &[slow, other_address]);
    // first with quick ones all along, then quiet but for the check that the silence leads to, and then without hedges
    for (quick, hedged) in [(200, 0), (0, 0), (0, 15)] {
        for number in 510..510 + hedged {
            group.exchange(&query(&context, &format!("n{number}.example"))).await.unwrap();
        }
        let names: Vec<_> = (500..506).map(|number| query(&context, &format!("n{number}.example"))).collect();
        let before = other.asked();
        tokio::join!(join_all(names.iter().map(|asked| group.exchange(asked))), async {
            for _ in 0..quick {
                ask_all(&group, &context, 1, 1).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        assert_eq!(counted(&context, SILENCES), 0, "{quick}, {hedged}");
        let hedges = usize::try_from(counted(&context, "nearpath_upstream_hedges_total")).unwrap();
        assert!(other.asked() - before <= hedges, "only hedges went elsewhere");
    }
    caring.abort();
}
