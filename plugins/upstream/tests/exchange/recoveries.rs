//! Upstreams that are gone for a while: that they are back is noticed soon, and told, although nobody asks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::Context;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use upstream::{Group, GroupSettings, Policy, Protocol};

use crate::script::{answer_datagrams, both, context, good, query, serve_well, udp, upstream};

/// The health checks' interval, and some.
const SOON: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(60);

/// A server of both protocols. Dropped, it is gone with all its connections.
struct Server(JoinSet<()>);

impl Server {
    fn start(listener: TcpListener, socket: UdpSocket) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_datagrams(socket, |question, _| vec![good(question)]));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve_well(stream));
            }
        });
        Self(tasks)
    }

    async fn kill(mut self) {
        self.0.shutdown().await;
    }

    async fn again(address: SocketAddr) -> Self {
        Self::start(TcpListener::bind(address).await.unwrap(), UdpSocket::bind(address).await.unwrap())
    }
}

fn group(context: &Context, address: SocketAddr, protocol: &Protocol, max_fails: u32) -> Group {
    let settings =
        GroupSettings { policy: Policy::Sequential, max_fails, overlapping_checks: true, ..GroupSettings::default() };
    Group::new(vec![upstream(context, address, protocol.clone())], settings, context)
}

async fn is_answered(group: &Group, context: &Context) -> bool {
    group.exchange(&query(context, "n1.example")).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn one_that_was_killed_is_back_soon_after_it_is_started_again() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let context = context();
        let (listener, socket, address) = both().await;
        let server = Server::start(listener, socket);
        let group = group(&context, address, &protocol, 2);
        let (running, mut recoveries) = (tokio::spawn(group.run()), group.recoveries());
        assert!(is_answered(&group, &context).await);
        server.kill().await;
        assert!(!is_answered(&group, &context).await);
        sleep(LONG).await;
        assert_eq!((group.up(), recoveries.has_changed().unwrap()), (0, false));
        let server = Server::again(address).await;
        timeout(SOON, recoveries.changed()).await.expect("it is back").unwrap();
        assert_eq!((group.up(), *recoveries.borrow_and_update()), (1, 1));
        sleep(LONG).await;
        assert!(is_answered(&group, &context).await && !recoveries.has_changed().unwrap(), "it is told once");
        server.kill().await;
        running.abort();
    }
}

/// An upstream that is a black hole now and then: what comes meanwhile is lost.
async fn hole() -> (SocketAddr, Arc<AtomicBool>) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&is_lost);
    let serve = move |question: &[u8], _| if lost.load(Ordering::SeqCst) { vec![] } else { vec![good(question)] };
    (udp(serve).await, is_lost)
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_lost_does_not_delay_the_notice() {
    // wherever between two checks it comes back
    for millis in [1_000, 1_300, 1_700, 2_900, 3_300, 10_000, 30_150, 30_400, 59_990] {
        let context = context();
        let (address, is_lost) = hole().await;
        let group = group(&context, address, &Protocol::Udp, 2);
        let (running, mut recoveries) = (tokio::spawn(group.run()), group.recoveries());
        assert!(is_answered(&group, &context).await);
        is_lost.store(true, Ordering::SeqCst);
        assert!(!is_answered(&group, &context).await);
        let begun = Instant::now();
        sleep(Duration::from_millis(millis)).await;
        is_lost.store(false, Ordering::SeqCst);
        timeout(SOON, recoveries.changed())
            .await
            .unwrap_or_else(|_| panic!("{millis}: {:?}", begun.elapsed()))
            .unwrap();
        assert_eq!((group.up(), *recoveries.borrow()), (1, 1), "{millis}");
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn one_in_a_black_hole_is_down_no_sooner_than_after_two_checks_in_a_row() {
    let context = context();
    let (address, is_lost) = hole().await;
    let group = group(&context, address, &Protocol::Udp, 2);
    let running = tokio::spawn(group.run());
    is_lost.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    assert!(!is_answered(&group, &context).await);
    while group.up() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let took = begun.elapsed();
    assert!(took >= 2 * contract::limits::UPSTREAM_CHECK_WITHIN, "{took:?}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn without_checks_an_answer_tells_that_it_is_back() {
    let context = context();
    let (address, is_lost) = hole().await;
    let group = group(&context, address, &Protocol::Udp, 0);
    let recoveries = group.recoveries();
    for lost in [false, true, false, false] {
        is_lost.store(lost, Ordering::SeqCst);
        assert_eq!(is_answered(&group, &context).await, !lost);
    }
    assert_eq!(*recoveries.borrow(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_a_single_name_was_never_away() {
    let context = context();
    let address =
        udp(|question: &[u8], _| if question[12..].starts_with(b"\x02n7") { vec![] } else { vec![good(question)] })
            .await;
    let group = group(&context, address, &Protocol::Udp, 2);
    let (running, recoveries) = (tokio::spawn(group.run()), group.recoveries());
    let lost = query(&context, "n7.example");
    let others = async {
        for _ in 0..100 {
            assert!(is_answered(&group, &context).await);
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (outcome, ()) = tokio::join!(group.exchange(&lost), others);
    outcome.unwrap_err();
    assert_eq!((group.up(), *recoveries.borrow()), (1, 0));
    running.abort();
}
