//! Upstreams that answer late: later than an attempt may take, but before the last moment of an exchange.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::limits;
use contract::wire::{Question, Rcode, RecordType};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use upstream::{Group, GroupSettings, Policy, Protocol};

use crate::script::{
    ANY_PORT, address_in, context, counted, expected, good, query, read_frame, reply, sequential, tcp, udp, upstream,
    write_frame,
};

/// Later than one attempt may take.
const LATE: Duration = Duration::from_secs(3);
/// When the answer of an upstream that takes [`LATE`] is expected.
const AT_LATE: Range<Duration> = LATE..Duration::from_millis(3_100);

/// An upstream over UDP that takes so long for each question, and those who asked it. Checks it answers at once.
async fn slow_udp(takes: Duration) -> (SocketAddr, Arc<Mutex<Vec<SocketAddr>>>) {
    let socket = Arc::new(UdpSocket::bind(ANY_PORT).await.unwrap());
    let address = socket.local_addr().unwrap();
    let askers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&askers);
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { return };
            let (socket, wire) = (Arc::clone(&socket), buffer[..length].to_vec());
            if Question::parse(&wire).unwrap().rtype == RecordType::NS {
                let _ = socket.send_to(&reply(&wire, 0, Rcode::REFUSED), peer).await;
                continue;
            }
            seen.lock().unwrap().push(peer);
            tokio::spawn(async move {
                tokio::time::sleep(takes).await;
                let _ = socket.send_to(&good(&wire), peer).await;
            });
        }
    });
    (address, askers)
}

/// How many sockets asked.
fn sockets(askers: &Mutex<Vec<SocketAddr>>) -> usize {
    askers.lock().unwrap().iter().collect::<std::collections::HashSet<_>>().len()
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_over_tcp_is_taken_and_its_connection_kept() {
    let context = context();
    let quick_on = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&quick_on);
    let (address, connections) = tcp(move |mut stream, number| {
        let seen = Arc::clone(&seen);
        async move {
            while let Some(question) = read_frame(&mut stream).await {
                if question[12..].starts_with(b"\x05n3000") {
                    tokio::time::sleep(LATE).await;
                } else {
                    seen.lock().unwrap().push(number);
                }
                write_frame(&mut stream, &good(&question)).await;
            }
        }
    })
    .await;
    let group = sequential(&context, &Protocol::Tcp, &[address]);
    let (begun, late) = (Instant::now(), query(&context, "n3000.example"));
    let (answer, _) = group.exchange(&late).await.unwrap();
    assert_eq!(address_in(&answer), expected(&late));
    assert!(AT_LATE.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(connections.count(), 2, "a new connection was tried beside it");

    for _ in 0..3 {
        group.exchange(&query(&context, "n1.example")).await.unwrap();
    }
    assert_eq!(*quick_on.lock().unwrap(), [0, 0, 0], "the connection that answered late goes on");
    assert_eq!((connections.count(), group.upstreams()[0].outstanding()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_over_udp_is_taken() {
    let context = context();
    let (address, askers) = slow_udp(LATE).await;
    let group = sequential(&context, &Protocol::Udp, &[address]);
    let (begun, asked) = (Instant::now(), query(&context, "n7.example"));
    let (answer, _) = group.exchange(&asked).await.unwrap();
    assert_eq!(address_in(&answer), expected(&asked));
    assert!(AT_LATE.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    assert_eq!(sockets(&askers), 2, "it was asked from a new port, too");
    assert_eq!(group.upstreams()[0].outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_quick_upstream_overtakes_a_late_one() {
    let context = context();
    let (slow, _) = slow_udp(LATE).await;
    let quick = udp(|question, _| vec![good(question)]).await;
    let group = sequential(&context, &Protocol::Udp, &[slow, quick]);
    let begun = Instant::now();
    assert_eq!(group.exchange(&query(&context, "n1.example")).await.unwrap().1, quick);
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(counted(&context, &format!("nearpath_upstream_hedges_total{{to=\"{quick}\"}}")), 1);
    assert_eq!(group.upstreams()[0].outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_late_upstreams_the_first_answer_is_taken() {
    let context = context();
    let ((first, _), (second, _)) = (slow_udp(LATE).await, slow_udp(LATE).await);
    let group = sequential(&context, &Protocol::Udp, &[first, second]);
    let begun = Instant::now();
    assert_eq!(group.exchange(&query(&context, "n1.example")).await.unwrap().1, first);
    assert!(AT_LATE.contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let hedges = |to| counted(&context, &format!("nearpath_upstream_hedges_total{{to=\"{to}\"}}"));
    assert_eq!((hedges(first), hedges(second)), (0, 2), "one in each pass; what follows a late attempt is none");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_better_than_a_failover_code() {
    let context = context();
    let (slow, _) = slow_udp(LATE).await;
    let ill = udp(|question, _| vec![reply(question, 0, Rcode::SERVFAIL)]).await;
    let hung = udp(|_, _| vec![]).await;
    for (first, rcode, from) in [(slow, Rcode::NOERROR, slow), (hung, Rcode::SERVFAIL, ill)] {
        let upstreams = [first, ill].map(|address| upstream(&context, address, Protocol::Udp));
        let failover = vec![Rcode::SERVFAIL];
        let settings = GroupSettings { policy: Policy::Sequential, failover, ..GroupSettings::default() };
        let group = Group::new(upstreams.into(), settings, &context);
        let (answer, who) = group.exchange(&query(&context, "n1.example")).await.unwrap();
        assert_eq!((answer.rcode(), who), (rcode, from));
    }
}

#[tokio::test(start_paused = true)]
async fn with_no_attempt_left_the_late_one_is_waited_for() {
    let context = context();
    let (address, askers) = slow_udp(LATE).await;
    let settings = GroupSettings { max_attempts: Some(1), ..GroupSettings::default() };
    let group = Group::new(vec![upstream(&context, address, Protocol::Udp)], settings, &context);
    group.exchange(&query(&context, "n1.example")).await.unwrap();
    assert_eq!(sockets(&askers), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_exchange_ends_its_late_attempts_as_well() {
    let context = context();
    let (hung, _) = tcp(|mut stream, _| async move { while read_frame(&mut stream).await.is_some() {} }).await;
    let (silent, _) = slow_udp(LATE).await;
    for (protocol, address) in [(Protocol::Tcp, hung), (Protocol::Udp, silent)] {
        let group = sequential(&context, &protocol, &[address]);
        let asked = query(&context, "n1.example");
        let exchange = tokio::time::timeout(limits::ATTEMPT_WITHIN + Duration::from_millis(500), async {
            tokio::join!(group.exchange(&asked), async {
                tokio::time::sleep(limits::ATTEMPT_WITHIN + Duration::from_millis(400)).await;
                assert_eq!(group.upstreams()[0].outstanding(), 2, "the late attempt and the one beside it");
            })
        });
        assert!(exchange.await.is_err());
        assert_eq!(group.upstreams()[0].outstanding(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_checked_as_soon_as_an_attempt_is_late() {
    let context = context();
    let checks = Arc::new(AtomicUsize::new(0));
    let checked = Arc::clone(&checks);
    let hung = udp(move |wire, _| {
        let is_check = Question::parse(wire).unwrap().rtype == RecordType::NS;
        checked.fetch_add(usize::from(is_check), Ordering::SeqCst);
        if is_check { vec![reply(wire, 0, Rcode::REFUSED)] } else { vec![] }
    })
    .await;
    let group = sequential(&context, &Protocol::Udp, &[hung]);
    let running = tokio::spawn(group.run());
    let asked = query(&context, "n1.example");
    let (failed, ()) = tokio::join!(group.exchange(&asked), async {
        tokio::time::sleep(limits::ATTEMPT_WITHIN - Duration::from_millis(100)).await;
        assert_eq!(checks.load(Ordering::SeqCst), 0, "not late yet");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(checks.load(Ordering::SeqCst), 1);
    });
    failed.unwrap_err();
    assert_eq!(group.up(), 1, "it replies to checks");
    running.abort();
}
