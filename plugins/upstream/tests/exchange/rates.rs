//! Upstreams that may be sent only so many messages per second, or have so many questions outstanding.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::wire::{Flags, HEADER, Name, Question, Rcode, RecordType};
use contract::{Bound, Context, Failure, Query, limits};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;
use upstream::rustls::pki_types::ServerName;
use upstream::{Group, GroupSettings, Policy, Protocol, Rate, Settings, Upstream};

use crate::certificates::ends;
use crate::script::{
    Connections, accept, address_in, answer_datagrams, both, context, counted, expected, good, query, read_frame,
    refusing, reply, tcp, udp, upstream, write_frame,
};

const A_SECOND: Duration = Duration::from_secs(1);

/// Whether it says that the upstream is sent all that it may be.
fn is_over_rate(failure: &Failure) -> bool {
    matches!(failure, Failure::Bound { bound: Bound::UpstreamRate, most: Some(_), upstream: Some(_) })
}

/// When messages came, and whether they were checks.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(Instant, bool)>>>);

impl Seen {
    /// Notes a message.
    fn note(&self, message: &[u8]) {
        let is_check = Question::parse(message).unwrap().rtype == RecordType::NS;
        self.0.lock().unwrap().push((Instant::now(), is_check));
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn checks(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, is_check)| *is_check).count()
    }

    /// The most that came within one second, wherever it begins.
    fn most(&self) -> usize {
        let seen = self.0.lock().unwrap();
        let within = |first: usize| seen[first..].iter().take_while(|at| at.0 - seen[first].0 <= A_SECOND).count();
        (0..seen.len()).map(within).max().unwrap_or(0)
    }
}

/// An upstream over UDP that answers, and who came.
async fn well() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let serve = move |question: &[u8], _| {
        noted.note(question);
        vec![good(question)]
    };
    (udp(serve).await, seen)
}

fn settings(per_second: u32, burst: u32) -> Settings {
    Settings { rate: Some(Rate { per_second, burst }), ..Settings::of("privatezone") }
}

fn rated(context: &Context, address: SocketAddr, protocol: Protocol, per_second: u32, burst: u32) -> Upstream {
    Upstream::new(address, protocol, &settings(per_second, burst), context)
}

fn group(context: &Context, upstreams: Vec<Upstream>) -> Group {
    let settings = GroupSettings { policy: Policy::Sequential, overlapping_checks: true, ..GroupSettings::default() };
    Group::new(upstreams, settings, context)
}

/// A question of one of many clients, so that the bound of a single one is not in the way.
fn of_client(context: &Context, number: usize, client: usize) -> Query {
    let mut asked = query(context, &format!("n{number}.example"));
    asked.client.address.set_ip([10, 0, 0, u8::try_from(client % 100).unwrap()].into());
    asked
}

/// Asks a question at a moment after now. An answer must be its own. Says how long it took as well.
async fn ask(
    group: &Group,
    context: &Context,
    number: usize,
    after: Duration,
) -> (Result<SocketAddr, Failure>, Duration) {
    sleep_until(Instant::now() + after).await;
    let (begun, asked) = (Instant::now(), of_client(context, number, number));
    let outcome = group.exchange(&asked).await.map(|(answer, from)| {
        assert_eq!(address_in(&answer), expected(&asked));
        from
    });
    (outcome, begun.elapsed())
}

/// Asks so many questions, evenly within so long; how many are answered. All others must be refused for their rate.
async fn ask_all(group: &Group, context: &Context, count: usize, within: Duration) -> usize {
    let after = |number: usize| within * u32::try_from(number).unwrap() / u32::try_from(count).unwrap();
    let all = join_all((0..count).map(|number| ask(group, context, number, after(number)))).await;
    assert!(all.iter().all(|(_, took)| *took < limits::ANSWER_WITHIN));
    let answered = all.iter().filter(|(outcome, _)| outcome.is_ok()).count();
    assert_eq!(all.iter().filter(|(outcome, _)| outcome.as_ref().is_err_and(is_over_rate)).count(), count - answered);
    answered
}

fn of(name: &str, address: SocketAddr) -> String {
    format!("{name}{{to=\"{address}\"}}")
}

#[tokio::test(start_paused = true)]
async fn five_thousand_questions_in_a_second_and_none_is_lost() {
    // a burst at once, then the rate for as long as anybody waits: 1.5 s after the last has come
    for (within, least) in [(Duration::ZERO, 50 + 143), (A_SECOND, 50 + 240)] {
        let context = context();
        let (address, seen) = well().await;
        let group = group(&context, vec![rated(&context, address, Protocol::Udp, 100, 50)]);
        let running = tokio::spawn(group.run());
        let begun = Instant::now();
        let answered = ask_all(&group, &context, 5_000, within).await;
        assert!(begun.elapsed() <= within + limits::UPSTREAM_TURN_WITHIN + Duration::from_millis(50));
        assert!(answered >= least && answered <= least + 12, "{answered} of {least}");
        assert_eq!((seen.count(), seen.checks()), (answered, 0), "nothing is suspected for our own rate");
        assert!(seen.most() <= 150, "{}", seen.most());
        let waits = usize::try_from(counted(&context, &of("nearpath_upstream_rate_waits_total", address))).unwrap();
        assert!((answered - 52..=answered - 45).contains(&waits), "all but the burst waited: {waits} of {answered}");
        let refusals = counted(&context, &of("nearpath_upstream_rate_refusals_total", address));
        assert_eq!(usize::try_from(refusals).unwrap(), 5_000 - answered);
        assert_eq!(group.upstreams()[0].outstanding(), 0);
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_over_tcp_and_while_a_connection_is_opened() {
    let context = context();
    let (server, client) = ends(&["dns.example"]);
    for tls in [false, true] {
        let seen = Seen::default();
        let (acceptor, noted) = (TlsAcceptor::from(Arc::clone(&server)), seen.clone());
        let (address, _) = tcp(move |mut stream, _| {
            let (acceptor, noted) = (acceptor.clone(), noted.clone());
            async move {
                if !tls {
                    return serve(&mut stream, &noted).await;
                }
                sleep(A_SECOND).await; // questions that come meanwhile must not leave together
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    serve(&mut stream, &noted).await;
                }
            }
        })
        .await;
        let server_name = ServerName::try_from("dns.example").unwrap();
        let protocol = if tls { Protocol::Tls { server_name, config: Arc::clone(&client) } } else { Protocol::Tcp };
        let group = group(&context, vec![rated(&context, address, protocol, 100, 50)]);
        let answered = ask_all(&group, &context, 400, 2 * A_SECOND).await;
        assert!(seen.most() <= 150, "{}", seen.most());
        let again = usize::try_from(counted(&context, &of("nearpath_upstream_retries_total", address))).unwrap();
        assert_eq!(seen.count(), answered + again);
        assert!(answered >= 250, "{answered}");
    }
}

/// Answers what comes on a stream.
async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, seen: &Seen) {
    while let Some(question) = read_frame(stream).await {
        seen.note(&question);
        write_frame(stream, &good(&question)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_one_takes_over_what_is_above_the_rate() {
    let context = context();
    let ((first, seen), (second, _)) = (well().await, well().await);
    let upstreams = vec![rated(&context, first, Protocol::Udp, 10, 3), upstream(&context, second, Protocol::Udp)];
    let group = group(&context, upstreams);
    let all = join_all((0..40).map(|number| ask(&group, &context, number, Duration::ZERO))).await;
    let by = |who| all.iter().filter(|(outcome, _)| *outcome == Ok(who)).count();
    assert_eq!((by(first), by(second), seen.count()), (3, 37, 3));
    assert_eq!(counted(&context, &of("nearpath_upstream_rate_waits_total", first)), 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_above_their_rate_the_one_whose_turn_comes_first_is_waited_for() {
    let context = context();
    let ((slow, _), (quick, _)) = (well().await, well().await);
    let upstreams = vec![rated(&context, slow, Protocol::Udp, 1, 1), rated(&context, quick, Protocol::Udp, 10, 1)];
    let group = group(&context, upstreams);
    let all = join_all((0..5).map(|number| ask(&group, &context, number, Duration::ZERO))).await;
    let order: Vec<_> = all.iter().map(|(outcome, _)| outcome.clone().unwrap()).collect();
    assert_eq!(order, [slow, quick, quick, quick, quick]);
    assert!(all[4].1 >= Duration::from_millis(300), "{:?}", all[4].1);
    assert_eq!(counted(&context, "nearpath_upstream_hedges_total"), 0, "who waits for a turn is not slow");
    let round_trip = group.upstreams()[1].round_trip().unwrap();
    assert!(round_trip < Duration::from_millis(50), "waiting is not the upstream's time: {round_trip:?}");
}

#[tokio::test(start_paused = true)]
async fn after_one_that_cannot_be_reached_the_turn_is_waited_for() {
    let context = context();
    let (address, seen) = well().await;
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let upstreams =
            vec![upstream(&context, refusing().await, protocol), rated(&context, address, Protocol::Udp, 10, 1)];
        let group = group(&context, upstreams);
        assert_eq!(ask(&group, &context, 1, Duration::ZERO).await.0, Ok(address));
        let (outcome, took) = ask(&group, &context, 2, Duration::ZERO).await;
        assert_eq!(outcome, Ok(address));
        assert!(took >= Duration::from_millis(95), "{took:?}");
    }
    assert_eq!(seen.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_does_not_wait() {
    let context = context();
    let (well, seen) = well().await;
    let hung = udp(|_, _| vec![]).await;
    let upstreams = vec![upstream(&context, hung, Protocol::Udp), rated(&context, well, Protocol::Udp, 1, 1)];
    let group = group(&context, upstreams);
    // with the first the only token goes, and it is a hedge's; the second has to wait for the other one to be late
    let (first, took) = ask(&group, &context, 1, Duration::ZERO).await;
    assert_eq!(first, Ok(well));
    assert!(took < Duration::from_millis(500), "{took:?}");
    let (second, took) = ask(&group, &context, 2, Duration::ZERO).await;
    assert_eq!(second, Ok(well));
    assert!(took >= limits::ATTEMPT_WITHIN, "{took:?}");
    assert_eq!((seen.count(), counted(&context, &of("nearpath_upstream_hedges_total", well))), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_counts_and_is_left_out_above_the_rate() {
    let context = context();
    let seen = Seen::default();
    let (noted, known) = (seen.clone(), Mutex::new(std::collections::HashSet::new()));
    let lossy = udp(move |question: &[u8], _| {
        noted.note(question);
        let is_again = !known.lock().unwrap().insert(question[HEADER..].to_vec());
        if is_again { vec![good(question)] } else { vec![] }
    })
    .await;
    let group_of = |per_second, burst| group(&context, vec![rated(&context, lossy, Protocol::Udp, per_second, burst)]);
    let busy = group_of(20, 5);
    let running = tokio::spawn(busy.run());
    let answered = ask_all(&busy, &context, 30, A_SECOND).await;
    let retries = usize::try_from(counted(&context, "nearpath_upstream_retries_total")).unwrap();
    assert!(answered >= 20 && retries > 0, "{answered}, {retries}");
    assert!(seen.count() >= answered + retries && seen.most() <= 25, "{}, {}", seen.count(), seen.most());
    running.abort();

    let (silent, before) = (group_of(1, 1), counted(&context, "nearpath_upstream_retries_total"));
    let count = seen.count();
    assert_eq!(ask(&silent, &context, 77, Duration::ZERO).await.0, Ok(lossy), "the second attempt is answered");
    assert_eq!((seen.count() - count, counted(&context, "nearpath_upstream_retries_total") - before), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_repeat_over_tcp_waits_for_its_turn() {
    let context = context();
    let seen = Seen::default();
    let (listener, socket, address) = both().await;
    let (by_datagram, by_stream) = (seen.clone(), seen.clone());
    tokio::spawn(answer_datagrams(socket, move |question, _| {
        by_datagram.note(question);
        vec![reply(question, Flags::TC, Rcode::NOERROR)]
    }));
    let stream = move |mut stream, _| {
        let by_stream = by_stream.clone();
        async move { serve(&mut stream, &by_stream).await }
    };
    tokio::spawn(accept(listener, stream, Connections::default()));
    let group = group(&context, vec![rated(&context, address, Protocol::Udp, 10, 2)]);
    let queries: Vec<_> = (0..20).map(|number| of_client(&context, number, number)).collect();
    let running = tokio::spawn(group.run());
    let outcomes = join_all(queries.iter().map(|asked| group.exchange(asked))).await;
    let whole = outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|(answer, _)| !answer.is_truncated()));
    let refused = outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(is_over_rate));
    let (whole, refused) = (whole.count(), refused.count());
    assert_eq!((whole + refused, seen.count()), (20, 2 * whole), "each was asked twice, and none is cut");
    assert!(whole >= 15 && seen.most() <= 12, "{whole}, {}", seen.most());
    assert_eq!(seen.checks(), 0, "nobody is late who waits for a turn");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn the_repeat_without_edns_waits_for_its_turn() {
    let context = context();
    let seen = Seen::default();
    let noted = seen.clone();
    let address = udp(move |question: &[u8], _| {
        noted.note(question);
        let has_edns = Question::parse(question).unwrap().edns.is_some();
        if has_edns { vec![reply(question, 0, Rcode::FORMERR)] } else { vec![good(question)] }
    })
    .await;
    let group = group(&context, vec![rated(&context, address, Protocol::Udp, 5, 1)]);
    let (outcome, took) = ask(&group, &context, 3, Duration::ZERO).await;
    assert_eq!(outcome, Ok(address));
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert_eq!((seen.count(), seen.most()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn checks_count_and_none_fails_for_lack_of_a_turn() {
    let context = context();
    let seen = Seen::default();
    let noted = seen.clone();
    let address = udp(move |question: &[u8], _| {
        noted.note(question);
        // one name is never answered, so that there is something to check
        if question[12..].starts_with(b"\x02n1\x07") { vec![] } else { vec![good(question)] }
    })
    .await;
    let name = Some(Name::parse("zone.example").unwrap());
    let limited = Settings { check_name: name, ..settings(10, 5) };
    let group = group(&context, vec![Upstream::new(address, Protocol::Udp, &limited, &context)]);
    let running = tokio::spawn(group.run());
    join_all((0..1_000).map(|number| {
        let (group, context) = (&group, &context);
        async move { ask(group, context, number % 50, Duration::from_millis(10) * u32::try_from(number).unwrap()).await }
    }))
    .await;
    assert!(seen.checks() > 0 && seen.most() <= 15, "{} checks, {}", seen.checks(), seen.most());
    assert_eq!((counted(&context, "coredns_proxy_healthcheck_failures_total"), group.up()), (0, 1));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn checks_of_one_that_is_gone_keep_to_the_rate() {
    let context = context();
    let seen = Seen::default();
    let noted = seen.clone();
    let silent = udp(move |question: &[u8], _| {
        noted.note(question);
        vec![]
    })
    .await;
    let group = group(&context, vec![rated(&context, silent, Protocol::Udp, 2, 1)]);
    let running = tokio::spawn(group.run());
    ask(&group, &context, 1, Duration::ZERO).await.0.unwrap_err();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(group.up(), 0);
    assert!((25..=32).contains(&seen.checks()) && seen.most() <= 3, "{} checks, {}", seen.checks(), seen.most());
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn checks_ask_for_the_upstreams_own_name() {
    let context = context();
    let names = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&names);
    let address = udp(move |question: &[u8], _| {
        let asked = Question::parse(question).unwrap();
        if asked.rtype != RecordType::NS {
            return vec![];
        }
        noted.lock().unwrap().push(Name::from_wire(asked.name()).unwrap().to_string());
        vec![reply(question, 0, Rcode::REFUSED)]
    })
    .await;
    let own = Settings { check_name: Some(Name::parse("zone.example").unwrap()), ..Settings::of("privatezone") };
    let group = group(&context, vec![Upstream::new(address, Protocol::Udp, &own, &context)]);
    let running = tokio::spawn(group.run());
    ask(&group, &context, 1, Duration::ZERO).await.0.unwrap_err();
    sleep(A_SECOND).await;
    let names = names.lock().unwrap();
    assert!(!names.is_empty() && names.iter().all(|name| name == "zone.example."), "{names:?}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn above_the_outstanding_ones_the_next_is_asked_or_it_is_said_at_once() {
    let context = context();
    let (well, _) = well().await;
    for has_another in [true, false] {
        let seen = Seen::default();
        let noted = seen.clone();
        let hung = udp(move |question: &[u8], _| {
            noted.note(question);
            vec![]
        })
        .await;
        let full = Bound::UpstreamPipeline.reached_at(2, Some(hung));
        let few = Settings { outstanding_max: Some(2), ..Settings::of("privatezone") };
        let mut upstreams = vec![Upstream::new(hung, Protocol::Udp, &few, &context)];
        upstreams.extend(has_another.then(|| upstream(&context, well, Protocol::Udp)));
        let group = group(&context, upstreams);
        let all = join_all((0..5).map(|number| ask(&group, &context, number, Duration::ZERO))).await;
        let at_once: Vec<_> = all.iter().filter(|(_, took)| took.is_zero()).map(|(outcome, _)| outcome).collect();
        let expected = if has_another { Ok(well) } else { Err(full) };
        assert_eq!(at_once, vec![&expected; 3]);
        // and once they have ended there is room again
        let (_, took) = ask(&group, &context, 9, Duration::ZERO).await;
        assert!(!took.is_zero());
        assert!(seen.count() >= 3, "{}", seen.count());
    }
}

#[tokio::test(start_paused = true)]
async fn statements_that_name_one_address_share_its_rate() {
    let context = context();
    let (address, seen) = well().await;
    let made = |per_second| group(&context, vec![rated(&context, address, Protocol::Udp, per_second, 20)]);
    let groups = [made(40), made(40), made(40)];
    let answered = join_all(groups.iter().map(|group| ask_all(group, &context, 200, A_SECOND))).await;
    assert!(seen.most() <= 60 && answered.iter().sum::<usize>() == seen.count(), "{}, {answered:?}", seen.most());
    assert!(answered.iter().all(|answered| *answered > 20), "{answered:?}");
    // other figures are another bound
    let (count, other) = (seen.count(), made(39));
    assert!(ask_all(&other, &context, 20, Duration::ZERO).await == 20 && seen.count() == count + 20);
}

#[tokio::test(start_paused = true)]
async fn a_reload_hands_out_no_second_burst() {
    let context = context();
    let (address, seen) = well().await;
    let made = || group(&context, vec![rated(&context, address, Protocol::Udp, 10, 50)]);
    let mut serving = made();
    for _ in 0..8 {
        ask_all(&serving, &context, 45, Duration::from_millis(50)).await;
        serving = made(); // the new one is there before the old one goes
    }
    assert!(seen.most() <= 60, "{}", seen.most());
    // with nobody before it, it begins anew
    drop(serving);
    let count = seen.count();
    assert!(ask_all(&made(), &context, 50, Duration::ZERO).await == 50 && seen.count() == count + 50);
}

#[tokio::test(start_paused = true)]
async fn statements_that_name_one_address_share_its_outstanding_ones() {
    let context = context();
    let hung = udp(|_, _| vec![]).await;
    let few = Settings { outstanding_max: Some(3), ..Settings::of("privatezone") };
    let made = || group(&context, vec![Upstream::new(hung, Protocol::Udp, &few, &context)]);
    let groups = [made(), made()];
    let all =
        join_all(groups.iter().flat_map(|group| (0..3).map(|number| ask(group, &context, number, Duration::ZERO))))
            .await;
    assert_eq!(all.iter().filter(|(_, took)| took.is_zero()).count(), 3, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_floods_starves_nobody() {
    let context = context();
    let (address, seen) = well().await;
    let group = group(&context, vec![rated(&context, address, Protocol::Udp, 100, 10)]);
    let ask_as = async |number: usize, client, after| {
        sleep_until(Instant::now() + after).await;
        group.exchange(&of_client(&context, number, client)).await.is_ok()
    };
    // one asks 3000 questions in two seconds, the others one now and then
    let flood = join_all((0..3_000_u32).map(|number| ask_as(1, 1, A_SECOND * number / 1_500)));
    let others = join_all((0..20_u32).map(|number| ask_as(2, 2 + number as usize, A_SECOND * number / 10)));
    let (flood, others) = tokio::join!(flood, others);
    let answered = |all: &[bool]| all.iter().filter(|is_answered| **is_answered).count();
    assert_eq!(answered(&others), 20);
    assert!(answered(&flood) >= 180 && seen.most() <= 110, "{}, {}", answered(&flood), seen.most());
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_socket_free_takes_no_token() {
    let context = context();
    let silent = udp(|_, _| vec![]).await;
    let sockets = limits::UPSTREAM_DATAGRAMS_MAX;
    let burst = u32::try_from(sockets).unwrap() + 3;
    let upstream = rated(&context, silent, Protocol::Udp, 1, burst);
    let queries: Vec<_> = (0..sockets + 6).map(|number| of_client(&context, 1, number)).collect();
    let asks = |numbers: std::ops::Range<usize>| {
        join_all(queries[numbers].iter().map(|asked| upstream.ask(asked, Instant::now() + 20 * A_SECOND)))
    };
    tokio::select! {
        biased;
        _ = asks(0..sockets) => panic!("nobody answers"),
        refused = asks(sockets..sockets + 6) => {
            let full = Err(Bound::UpstreamPipeline.reached_at(sockets, Some(silent)));
            let refused: Vec<_> = refused.into_iter().map(|outcome| outcome.map(|_| ())).collect();
            assert_eq!(refused, vec![full; 6]);
        }
    }
    // the three that are left
    tokio::select! {
        biased;
        _ = asks(0..6) => panic!("nobody answers"),
        () = sleep(Duration::from_millis(1)) => {}
    }
    let opened =
        format!("coredns_proxy_conn_cache_misses_total{{proxy_name=\"privatezone\",to=\"{silent}\",proto=\"udp\"}}");
    assert_eq!(counted(&context, &opened), u64::from(burst));
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_ours_does_not_hide_what_an_upstream_did() {
    let context = context();
    let hung = udp(|_, _| vec![]).await;
    let none_at_all = Settings { outstanding_max: Some(0), ..Settings::of("privatezone") };
    for (first, second) in [(hung, None), (refusing().await, Some(hung))] {
        let bounded = Upstream::new(second.unwrap_or(first), Protocol::Udp, &none_at_all, &context);
        let group = group(&context, vec![upstream(&context, first, Protocol::Udp), bounded]);
        let (outcome, _) = ask(&group, &context, 1, Duration::ZERO).await;
        match second {
            None => assert!(matches!(outcome, Err(Failure::Timeout { .. })), "{outcome:?}"),
            Some(_) => assert!(matches!(outcome, Err(Failure::Unreachable { .. })), "{outcome:?}"),
        }
    }
    let other = upstream(&context, refusing().await, Protocol::Udp);
    let bounded = Upstream::new(hung, Protocol::Udp, &none_at_all, &context);
    let group = group(&context, vec![bounded, other]);
    let (outcome, _) = ask(&group, &context, 1, Duration::ZERO).await;
    assert!(outcome.is_err_and(|failure| !matches!(failure, Failure::Bound { .. })), "nor if it came first");
}

#[tokio::test(start_paused = true)]
async fn full_because_nobody_answers_is_not_full_because_too_much_is_asked() {
    let context = context();
    let answers = Arc::new(AtomicBool::new(true));
    let is_well = Arc::clone(&answers);
    let serve = move |question: &[u8], _| {
        if is_well.load(Ordering::SeqCst) { vec![good(question)] } else { vec![] }
    };
    let group = group(&context, vec![rated(&context, udp(serve).await, Protocol::Udp, 1, 1)]);
    assert!(ask(&group, &context, 1, Duration::ZERO).await.0.is_ok());
    let all = join_all((0..5).map(|number| ask(&group, &context, number, Duration::ZERO))).await;
    assert!(all.iter().any(|(outcome, _)| outcome.as_ref().is_err_and(is_over_rate)) && !group.is_ailing(), "{all:?}");
    answers.store(false, Ordering::SeqCst);
    assert!(ask(&group, &context, 1, 2 * A_SECOND).await.0.is_err() && group.is_ailing());
    answers.store(true, Ordering::SeqCst);
    assert!(ask(&group, &context, 1, 2 * A_SECOND).await.0.is_ok() && !group.is_ailing());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_is_not_outstanding() {
    let context = context();
    let (address, seen) = well().await;
    let both = Settings { outstanding_max: Some(1), ..settings(10, 1) };
    let group = group(&context, vec![Upstream::new(address, Protocol::Udp, &both, &context)]);
    let asked: Vec<_> = (0..5).map(|number| ask(&group, &context, number, Duration::from_millis(5))).collect();
    assert!(ask(&group, &context, 7, Duration::ZERO).await.0.is_ok());
    let all = join_all(asked).await;
    assert!(all.iter().all(|(outcome, _)| outcome.is_ok()), "{all:?}");
    assert_eq!(seen.count(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_no_client_waits_for_leaves_at_once_or_not_at_all() {
    let context = context();
    let ((one, first), (other, second)) = (well().await, well().await);
    let upstreams = |number: usize| {
        let addresses = [one, other].into_iter().take(number);
        addresses.map(|address| rated(&context, address, Protocol::Udp, 10, 1)).collect::<Vec<_>>()
    };
    let look = |number: usize| contract::Query { refresh: true, ..query(&context, &format!("n{number}.example")) };
    let alone = group(&context, upstreams(1));
    assert!(alone.exchange(&look(0)).await.is_ok(), "the token is free");
    sleep(A_SECOND).await;
    let clients = join_all((0..5).map(|number| ask(&alone, &context, number, Duration::ZERO)));
    let looks = async {
        sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        for number in 0..20 {
            assert!(alone.exchange(&look(number)).await.is_err_and(|failure| is_over_rate(&failure)));
        }
        begun.elapsed()
    };
    let (clients, looked) = tokio::join!(clients, looks);
    assert_eq!(looked, Duration::ZERO, "it is said at once");
    let (last, count) = (clients.iter().map(|(_, took)| *took).max().unwrap(), clients.len());
    assert!(clients.iter().all(|(outcome, _)| outcome.is_ok()) && last < Duration::from_millis(420), "{last:?}");
    assert_eq!((first.count(), second.count()), (1 + count, 0));
    assert_eq!(counted(&context, &of("nearpath_upstream_rate_waits_total", one)), 4, "the clients'");
    assert_eq!(counted(&context, &of("nearpath_upstream_rate_refusals_total", one)), 0, "no client's");
    sleep(A_SECOND).await; // the first one's bucket is that of its address
    let both = group(&context, upstreams(2));
    sleep(A_SECOND).await; // the rate is the address's, whoever asks
    assert_eq!(both.exchange(&look(0)).await.map(|(_, from)| from), Ok(one));
    assert_eq!(both.exchange(&look(1)).await.map(|(_, from)| from), Ok(other), "where a token is free");
    assert!(both.exchange(&look(2)).await.is_err_and(|failure| is_over_rate(&failure)));
}
