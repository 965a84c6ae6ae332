//! Health checks: down after failed ones, up at the first good one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contract::Failure;
use contract::wire::{Flags, Name, Question, Rcode, RecordType};
use upstream::{Group, GroupSettings, HealthSettings, Policy, Protocol};

use crate::script::{context, counted, good, query, refusing, reply, udp, upstream};

/// Waits, in paused time, until it is so.
async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never became so");
}

#[tokio::test(start_paused = true)]
async fn down_after_max_fails_and_up_again() {
    let context = context();
    let answers = Arc::new(AtomicBool::new(false));
    let checks = Arc::new(AtomicUsize::new(0));
    let (is_up, checked) = (Arc::clone(&answers), Arc::clone(&checks));
    let ill = udp(move |wire, _| {
        let question = Question::parse(wire).unwrap();
        if question.rtype == RecordType::NS {
            assert_eq!(Name::from_wire(question.name()).unwrap().to_string(), "check.example.");
            assert_eq!(question.flags() & Flags::RD, 0);
            checked.fetch_add(1, Ordering::SeqCst);
        }
        // any reply is a good one
        if is_up.load(Ordering::SeqCst) { vec![reply(wire, 0, Rcode::REFUSED)] } else { vec![] }
    })
    .await;
    let well = udp(|question, _| vec![good(question)]).await;
    let upstreams = [ill, well].map(|address| upstream(&context, address, Protocol::Udp));
    let health = HealthSettings {
        interval: Duration::from_millis(200),
        recursion: false,
        domain: Name::parse("check.example").unwrap(),
    };
    let settings = GroupSettings { policy: Policy::Sequential, health, ..GroupSettings::default() };
    let group = Group::new(upstreams.into(), settings, &context);
    let running = tokio::spawn(group.run());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((checks.load(Ordering::SeqCst), group.up()), (0, 2), "nothing failed, nothing is checked");

    let _ = group.exchange(&query(&context, "n1.example")).await.unwrap();
    until(|| group.up() == 1).await;
    let failures = format!("coredns_proxy_healthcheck_failures_total{{proxy_name=\"forward\",to=\"{ill}\"}}");
    assert!(counted(&context, &failures) >= 2);
    let (_, from) = group.exchange(&query(&context, "n1.example")).await.unwrap();
    assert_eq!(from, well);

    answers.store(true, Ordering::SeqCst);
    until(|| group.up() == 2).await;
    let count = checks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(checks.load(Ordering::SeqCst), count, "a healthy upstream is left alone");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn with_all_down_one_is_tried_or_none() {
    for failfast in [false, true] {
        let context = context();
        let answers = Arc::new(AtomicBool::new(false));
        let is_up = Arc::clone(&answers);
        let address = udp(move |wire, _| {
            // the checks fail on, the questions are answered
            let is_check = Question::parse(wire).unwrap().rtype == RecordType::NS;
            if is_up.load(Ordering::SeqCst) && !is_check { vec![good(wire)] } else { vec![] }
        })
        .await;
        let settings = GroupSettings { failfast, ..GroupSettings::default() };
        let group = Group::new(vec![upstream(&context, address, Protocol::Udp)], settings, &context);
        let running = tokio::spawn(group.run());
        group.exchange(&query(&context, "n1.example")).await.unwrap_err();
        until(|| group.up() == 0).await;
        let failure = group.exchange(&query(&context, "n1.example")).await.unwrap_err();
        let longest = group.longest_down().expect("it is known since when");
        assert_eq!(longest.upstream, address);
        let Failure::AllDown { count: 1, longest: Some(told) } = failure else { panic!("{failure:?}") };
        assert!(told.upstream == address && told.since <= longest.since, "{told:?}");
        answers.store(true, Ordering::SeqCst);
        let outcome = group.exchange(&query(&context, "n1.example")).await;
        assert_eq!(outcome.is_err(), failfast);
        assert_eq!(counted(&context, "coredns_forward_healthcheck_broken_total"), 2);
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn max_fails_zero_is_never_down() {
    let context = context();
    let settings = GroupSettings { max_fails: 0, ..GroupSettings::default() };
    let group = Group::new(vec![upstream(&context, refusing().await, Protocol::Tcp)], settings, &context);
    let running = tokio::spawn(group.run());
    for _ in 0..5 {
        let failure = group.exchange(&query(&context, "n1.example")).await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(group.up(), 1);
    assert_eq!(counted(&context, "coredns_proxy_healthcheck_failures_total"), 0);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn checks_of_a_black_hole_follow_one_another_unless_they_are_to_overlap() {
    // 3.7 s for a check and 0.5 s after it, each datagram sent twice; or one every 462 ms, each sent once
    for (overlapping_checks, expected) in [(false, 8..=10), (true, 32..=38)] {
        let context = context();
        let checks = Arc::new(AtomicUsize::new(0));
        let checked = Arc::clone(&checks);
        let hole = udp(move |wire, _| {
            checked.fetch_add(usize::from(Question::parse(wire).unwrap().rtype == RecordType::NS), Ordering::SeqCst);
            vec![]
        })
        .await;
        let settings = GroupSettings { overlapping_checks, ..GroupSettings::default() };
        let group = Group::new(vec![upstream(&context, hole, Protocol::Udp)], settings, &context);
        let running = tokio::spawn(group.run());
        group.exchange(&query(&context, "n1.example")).await.unwrap_err();
        tokio::time::sleep(Duration::from_secs(17)).await;
        let checks = checks.load(Ordering::SeqCst);
        assert!(expected.contains(&checks), "{overlapping_checks}: {checks}");
        assert_eq!(group.up(), 0);
        running.abort();
    }
}
