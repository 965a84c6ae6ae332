//! Several upstreams: policies, failures, slow ones, and the time that an exchange may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::wire::Rcode;
use contract::{Failure, limits};
use tokio::time::Instant;
use upstream::{Group, GroupSettings, Policy, Protocol, Settings, Upstream};

use crate::script::{
    address_in, context, counted, expected, good, query, read_frame, refusing, reply, sequential, serve_well, tcp, udp,
    upstream, write_frame,
};

#[tokio::test(start_paused = true)]
async fn after_an_error_the_next_is_asked_at_once() {
    let context = context();
    let (well, _) = tcp(|stream, _| serve_well(stream)).await;
    let (dying, died) = tcp(|mut stream, _| async move {
        read_frame(&mut stream).await;
    })
    .await;
    let group = sequential(&context, &Protocol::Tcp, &[refusing().await, dying, well]);
    let asked = query(&context, "n1.example");
    let (answer, from) = group.exchange(&asked).await.unwrap();
    assert_eq!((address_in(&answer), from), (expected(&asked), well));
    assert_eq!(died.count(), 2, "once again there, then elsewhere");
    assert_eq!(counted(&context, &format!("nearpath_upstream_hedges_total{{to=\"{well}\"}}")), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hung_upstream_is_overtaken_by_the_second() {
    let context = context();
    let hung = udp(|_, _| vec![]).await;
    let well = udp(|question, _| vec![good(question)]).await;
    let group = sequential(&context, &Protocol::Udp, &[hung, well]);
    let begun = Instant::now();
    let (_, from) = group.exchange(&query(&context, "n1.example")).await.unwrap();
    assert_eq!(from, well);
    assert!(begun.elapsed() <= Duration::from_millis(1_000), "{:?}", begun.elapsed());
    assert_eq!(counted(&context, &format!("nearpath_upstream_hedges_total{{to=\"{well}\"}}")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_may_have_patience_with_a_slow_one() {
    let context = context();
    let (slow, _) = tcp(|mut stream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            tokio::time::sleep(limits::SEQUENTIAL_HEDGE_AFTER - Duration::from_millis(50)).await;
            write_frame(&mut stream, &good(&question)).await;
        }
    })
    .await;
    let (quick, _) = tcp(|stream, _| serve_well(stream)).await;
    for (hedge_after, first) in [(Duration::ZERO, quick), (limits::SEQUENTIAL_HEDGE_AFTER, slow)] {
        let settings = GroupSettings { policy: Policy::Sequential, hedge_after, ..GroupSettings::default() };
        let upstreams = [slow, quick].map(|address| upstream(&context, address, Protocol::Tcp));
        let group = Group::new(upstreams.into(), settings, &context);
        let (_, from) = group.exchange(&query(&context, "n1.example")).await.unwrap();
        assert_eq!(from, first, "{hedge_after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hedges_are_bounded_and_the_hung_one_is_soon_known() {
    let context = context();
    let hung = udp(|_, _| vec![]).await;
    let well = udp(|question, _| vec![good(question)]).await;
    let group = sequential(&context, &Protocol::Udp, &[hung, well]);
    let mut slow = 0;
    for _ in 0..40 {
        let begun = Instant::now();
        group.exchange(&query(&context, "n1.example")).await.unwrap();
        slow += u32::from(begun.elapsed() >= limits::ATTEMPT_WITHIN);
    }
    assert!(slow >= 20, "without checks the hedges run out: {slow}");

    let group = sequential(&context, &Protocol::Udp, &[hung, well]);
    let checks = tokio::spawn(group.run());
    let mut slow = 0;
    for _ in 0..40 {
        let begun = Instant::now();
        group.exchange(&query(&context, "n1.example")).await.unwrap();
        slow += u32::from(begun.elapsed() >= limits::ATTEMPT_WITHIN);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!((slow, group.up()), (0, 1));
    checks.abort();
}

#[tokio::test(start_paused = true)]
async fn a_hung_upstream_alone_is_a_timeout_within_the_bound() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let context = context();
        let (hung, _) = tcp(|mut stream, _| async move { while read_frame(&mut stream).await.is_some() {} }).await;
        let hung = if matches!(protocol, Protocol::Udp) { udp(|_, _| vec![]).await } else { hung };
        let group = sequential(&context, &protocol, &[hung]);
        let begun = Instant::now();
        let failure = group.exchange(&query(&context, "n1.example")).await.unwrap_err();
        let Failure::Timeout { upstream, waited } = failure else { panic!("{failure}") };
        let about =
            limits::EXCHANGE_WITHIN - Duration::from_millis(5)..limits::EXCHANGE_WITHIN + Duration::from_millis(5);
        assert_eq!(upstream, hung);
        assert!(about.contains(&waited) && about.contains(&begun.elapsed()), "{waited:?} {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_hung_connection_is_replaced_within_one_exchange() {
    let context = context();
    let (address, connections) = tcp(|mut stream, number| async move {
        if number == 0 {
            while read_frame(&mut stream).await.is_some() {}
        }
        serve_well(stream).await;
    })
    .await;
    let group = sequential(&context, &Protocol::Tcp, &[address]);
    let asked = query(&context, "n1.example");
    let (answer, _) = group.exchange(&asked).await.unwrap();
    assert_eq!((address_in(&answer), connections.count()), (expected(&asked), 2));
}

#[tokio::test]
async fn a_query_that_came_too_long_ago_is_not_asked() {
    let clock = Arc::new(contract::FakeClock::new());
    let context = contract::Context { clock: clock.clone(), ..context() };
    let group = sequential(&context, &Protocol::Udp, &[refusing().await]);
    let asked = query(&context, "n1.example");
    clock.advance(limits::EXCHANGE_WITHIN);
    assert!(matches!(group.exchange(&asked).await, Err(Failure::TooLate { .. })));
}

#[tokio::test]
async fn policies_spread_questions_as_they_say() {
    let context = context();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        addresses.push(udp(|question, _| vec![good(question)]).await);
    }
    for (policy, distinct) in [(Policy::Sequential, 1), (Policy::RoundRobin, 3), (Policy::Random, 3)] {
        let upstreams = addresses.iter().map(|address| upstream(&context, *address, Protocol::Udp)).collect();
        let group = Group::new(upstreams, GroupSettings { policy, ..GroupSettings::default() }, &context);
        let mut from = std::collections::HashMap::new();
        for _ in 0..60 {
            let (_, who) = group.exchange(&query(&context, "n1.example")).await.unwrap();
            *from.entry(who).or_insert(0) += 1;
        }
        assert_eq!(from.len(), distinct, "{policy:?}");
        if policy == Policy::RoundRobin {
            assert!(from.values().all(|count| (15..=25).contains(count)), "{from:?}");
        }
    }
}

#[tokio::test]
async fn failover_codes_lead_to_the_next_and_the_last_answer_stands() {
    let context = context();
    let ill = udp(|question, _| vec![reply(question, 0, Rcode::SERVFAIL)]).await;
    let refused = udp(|question, _| vec![reply(question, 0, Rcode::REFUSED)]).await;
    let well = udp(|question, _| vec![good(question)]).await;
    let group = |addresses: &[std::net::SocketAddr]| {
        let upstreams = addresses.iter().map(|address| upstream(&context, *address, Protocol::Udp)).collect();
        let failover = vec![Rcode::SERVFAIL, Rcode::REFUSED];
        let settings = GroupSettings { policy: Policy::Sequential, failover, ..GroupSettings::default() };
        Group::new(upstreams, settings, &context)
    };
    let asked = query(&context, "n1.example");
    assert_eq!(group(&[ill, refused, well]).exchange(&asked).await.unwrap().1, well);
    let (answer, from) = group(&[ill, refused]).exchange(&asked).await.unwrap();
    assert_eq!((answer.rcode(), from), (Rcode::REFUSED, refused));
    let plain = sequential(&context, &Protocol::Udp, &[ill, well]);
    assert_eq!(plain.exchange(&asked).await.unwrap().0.rcode(), Rcode::SERVFAIL, "an answer unless configured");
}

#[tokio::test]
async fn attempts_are_capped() {
    let context = context();
    let refusing = refusing().await;
    let well = udp(|question, _| vec![good(question)]).await;
    let upstreams =
        [refusing, well].map(|address| Upstream::new(address, Protocol::Udp, &Settings::of("forward"), &context));
    let settings = GroupSettings { policy: Policy::Sequential, max_attempts: Some(1), ..GroupSettings::default() };
    let group = Group::new(upstreams.into(), settings, &context);
    let failure = group.exchange(&query(&context, "n1.example")).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { upstream, .. } if upstream == refusing));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_back_in_a_moment_costs_nobody_an_answer() {
    let context = context();
    let back = Arc::new(AtomicBool::new(false));
    let is_back = Arc::clone(&back);
    let (address, _) = tcp(move |stream, _| {
        let serves = is_back.swap(true, Ordering::SeqCst);
        async move {
            if serves {
                serve_well(stream).await;
            }
        }
    })
    .await;
    let group = sequential(&context, &Protocol::Tcp, &[address]);
    let asked = query(&context, "n1.example");
    assert_eq!(address_in(&group.exchange(&asked).await.unwrap().0), expected(&asked));
    assert!(back.load(Ordering::SeqCst));
}
