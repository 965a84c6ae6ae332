//! Pipelining over TCP, with peers that are well and ill behaved.

use std::sync::Arc;
use std::time::Duration;

use contract::wire::{Flags, Rcode};
use contract::{Context, Failure, Query};
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use upstream::{Protocol, Settings, Upstream};

use crate::script::{
    address_in, context, counted, expected, good, query, read_frame, refusing, reply, serve_well, soon, tcp, upstream,
    write_frame,
};

/// Asks so many questions at once and demands the right answer to each.
async fn ask_at_once(context: &Context, upstream: &Upstream, count: usize) {
    let queries: Vec<_> = (0..count).map(|number| query(context, &format!("n{number}.example"))).collect();
    let answers = join_all(queries.iter().map(|query| upstream.ask(query, soon()))).await;
    for (query, answer) in queries.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|failure| panic!("{}: {failure}", query.name));
        assert_eq!(address_in(&answer), expected(query));
    }
}

fn on_one_connection(context: &Context, address: std::net::SocketAddr) -> Upstream {
    let settings = Settings { connections_max: 1, held_up_max: 1, ..Settings::of("forward") };
    Upstream::new(address, Protocol::Tcp, &settings, context)
}

/// Reads so many questions before it answers the last one first.
async fn serve_backwards(mut stream: TcpStream, count: usize) {
    let mut questions = Vec::new();
    while questions.len() < count {
        let Some(question) = read_frame(&mut stream).await else { return };
        questions.push(question);
    }
    for question in questions.iter().rev() {
        write_frame(&mut stream, &good(question)).await;
    }
    serve_well(stream).await;
}

#[tokio::test]
async fn a_thousand_questions_outstanding_on_one_connection_are_answered_in_any_order() {
    let context = context();
    let (address, connections) = tcp(|stream, _| serve_backwards(stream, 1_000)).await;
    let upstream = on_one_connection(&context, address);
    ask_at_once(&context, &upstream, 1_000).await;
    assert_eq!((connections.count(), upstream.outstanding()), (1, 0));
    ask_at_once(&context, &upstream, 10).await;
    assert_eq!(connections.count(), 1, "the connection is kept");
}

#[tokio::test]
async fn more_than_the_bound_is_refused_not_queued() {
    let context = context();
    let (address, _) = tcp(|stream, _| serve_backwards(stream, 1_024)).await;
    let upstream = on_one_connection(&context, address);
    let queries: Vec<_> = (0..1_025).map(|number| query(&context, &format!("n{number}.example"))).collect();
    let answers = join_all(queries.iter().map(|query| upstream.ask(query, soon()))).await;
    let failures: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!((failures.len(), failures[0]), (1, &contract::Bound::UpstreamPipeline.reached_at(1_024, Some(address))));
}

#[tokio::test]
async fn busy_connections_are_joined_by_others_up_to_the_bound() {
    let context = context();
    let (address, connections) = tcp(|mut stream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            tokio::time::sleep(Duration::from_millis(5)).await; // one after the other, as many servers do
            write_frame(&mut stream, &good(&question)).await;
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    for _ in 0..8 {
        ask_at_once(&context, &upstream, 20).await;
    }
    let bounds = contract::limits::UPSTREAM_CONNECTIONS_MAX..=contract::limits::UPSTREAM_HELD_UP_MAX;
    assert!(bounds.contains(&connections.count()), "{}", connections.count());
}

#[tokio::test]
async fn a_peer_that_closes_after_each_answer_serves_every_question() {
    let context = context();
    let (address, _) = tcp(|mut stream, _| async move {
        if let Some(question) = read_frame(&mut stream).await {
            write_frame(&mut stream, &good(&question)).await;
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    for count in [1, 1, 200, 1, 50] {
        ask_at_once(&context, &upstream, count).await;
    }
}

#[tokio::test]
async fn a_peer_that_closes_after_some_answers_serves_every_question() {
    for answers in [3, 20] {
        let context = context();
        let (address, connections) = tcp(move |mut stream, _| async move {
            for _ in 0..answers {
                let Some(question) = read_frame(&mut stream).await else { return };
                write_frame(&mut stream, &good(&question)).await;
            }
        })
        .await;
        let upstream = upstream(&context, address, Protocol::Tcp);
        for count in [100, 1, 1, 1, 1, 50] {
            ask_at_once(&context, &upstream, count).await;
        }
        assert!(connections.count() <= 154 / answers + 64, "{answers}: {}", connections.count());
    }
}

#[tokio::test]
async fn a_peer_that_closes_idle_connections_costs_nobody_an_answer() {
    let context = context();
    let (address, connections) = tcp(|mut stream, _| async move {
        while let Ok(Some(question)) = tokio::time::timeout(Duration::from_millis(90), read_frame(&mut stream)).await {
            write_frame(&mut stream, &good(&question)).await;
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    for pause in [75, 85, 90, 91, 93, 100, 150] {
        ask_at_once(&context, &upstream, 5).await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    ask_at_once(&context, &upstream, 5).await;
    assert!(connections.count() > 1);
}

#[tokio::test]
async fn idle_connections_are_closed_when_they_expire() {
    let context = context();
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let (address, connections) = tcp(move |stream, _| {
        let closed = closed.clone();
        async move {
            serve_well(stream).await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let settings = Settings { expire: Duration::from_millis(50), ..Settings::of("forward") };
    let upstream = Upstream::new(address, Protocol::Tcp, &settings, &context);
    ask_at_once(&context, &upstream, 1).await;
    was_closed.recv().await.unwrap();
    ask_at_once(&context, &upstream, 1).await;
    assert_eq!(connections.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn old_connections_are_let_go() {
    let context = context();
    let (address, connections) = tcp(|stream, _| serve_well(stream)).await;
    let aged = Settings { max_age: Some(Duration::from_millis(1)), ..Settings::of("forward") };
    let upstream = Upstream::new(address, Protocol::Tcp, &aged, &context);
    ask_at_once(&context, &upstream, 1).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    ask_at_once(&context, &upstream, 1).await;
    assert_eq!(connections.count(), 2);
}

#[tokio::test]
async fn surplus_connections_are_let_go() {
    let context = context();
    let single = Settings { max_idle: Some(1), ..Settings::of("forward") };
    let (closed, mut was_closed) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = tcp(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            while let Some(question) = read_frame(&mut stream).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                write_frame(&mut stream, &good(&question)).await;
            }
            closed.send(()).unwrap();
        }
    })
    .await;
    let upstream = Upstream::new(address, Protocol::Tcp, &single, &context);
    for _ in 0..4 {
        ask_at_once(&context, &upstream, 12).await;
    }
    was_closed.recv().await.unwrap(); // well before it would expire
}

#[tokio::test]
async fn questions_of_a_connection_that_dies_are_asked_once_again_on_a_new_one() {
    let context = context();
    let (address, connections) = tcp(|mut stream, number| async move {
        if number == 0 {
            for _ in 0..20 {
                read_frame(&mut stream).await;
            }
            return; // dies with twenty questions outstanding
        }
        serve_well(stream).await;
    })
    .await;
    let upstream = on_one_connection(&context, address);
    ask_at_once(&context, &upstream, 20).await;
    assert_eq!(connections.count(), 2);
    assert_eq!(counted(&context, "nearpath_upstream_retries_total"), 20);
}

#[tokio::test]
async fn a_peer_that_takes_one_connection_only_serves_every_question() {
    let context = context();
    let listener = tokio::net::TcpListener::bind(crate::script::ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener); // whoever comes next is refused
        while let Some(question) = read_frame(&mut stream).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
            write_frame(&mut stream, &good(&question)).await;
        }
    });
    let upstream = upstream(&context, address, Protocol::Tcp);
    for _ in 0..4 {
        ask_at_once(&context, &upstream, 20).await;
    }
    let opened =
        format!("coredns_proxy_conn_cache_misses_total{{proxy_name=\"forward\",to=\"{address}\",proto=\"tcp\"}}");
    assert!(counted(&context, &opened) <= 10, "it is not called for every question");
}

#[tokio::test]
async fn a_question_that_kills_every_connection_is_not_asked_forever() {
    let context = context();
    let (address, connections) = tcp(|mut stream, _| async move {
        read_frame(&mut stream).await;
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { upstream, .. } if upstream == address), "{failure}");
    assert_eq!(connections.count(), 2);
}

#[tokio::test]
async fn a_peer_that_hangs_up_on_everybody_is_not_called_forever() {
    let context = context();
    let (address, connections) = tcp(|stream, _| async move { drop(stream) }).await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    for _ in 0..10 {
        let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
    }
    assert!(connections.count() <= 30, "{}", connections.count());
}

#[tokio::test]
async fn nobody_listening_is_said_at_once() {
    let context = context();
    let address = refusing().await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(failure.to_string().contains("refused"), "{failure}");
}

#[tokio::test]
async fn what_answers_nothing_is_discarded_and_the_wait_goes_on() {
    let context = context();
    let (address, connections) = tcp(|mut stream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            let mut other_id = good(&question);
            other_id[0] ^= 1;
            let mut other_name = good(&question);
            other_name[14] ^= 1;
            let mut broken = good(&question);
            broken.truncate(broken.len() - 1);
            for message in [other_id, other_name, broken, question.clone(), good(&question), good(&question)] {
                write_frame(&mut stream, &message).await;
            }
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    ask_at_once(&context, &upstream, 1).await;
    ask_at_once(&context, &upstream, 1).await;
    assert_eq!(connections.count(), 1);
    for (reason, least) in [("id", 1), ("question", 1), ("malformed", 2)] {
        let series = format!("nearpath_upstream_discarded_total{{to=\"{address}\",reason=\"{reason}\"}}");
        assert!(counted(&context, &series) >= least, "{reason}");
    }
}

#[tokio::test]
async fn a_frame_too_short_to_be_a_message_ends_the_connection() {
    let context = context();
    let (address, connections) = tcp(|mut stream, number| async move {
        if number > 0 {
            return serve_well(stream).await;
        }
        read_frame(&mut stream).await;
        stream.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
        read_frame(&mut stream).await; // the end of the stream
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    ask_at_once(&context, &upstream, 1).await;
    assert_eq!(connections.count(), 2);
}

#[tokio::test]
async fn truncated_over_tcp_is_a_broken_reply() {
    let context = context();
    let (address, _) = tcp(|mut stream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            write_frame(&mut stream, &reply(&question, Flags::TC, Rcode::NOERROR)).await;
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(matches!(failure, Failure::BrokenReply { .. }), "{failure}");
}

#[tokio::test]
async fn an_upstream_that_does_not_know_edns_is_asked_without() {
    for bare in [false, true] {
        let context = context();
        let (address, _) = tcp(move |mut stream, _| async move {
            while let Some(question) = read_frame(&mut stream).await {
                let edns = contract::wire::Question::parse(&question).unwrap().edns.is_some();
                let mut message = reply(&question, 0, if edns { Rcode::FORMERR } else { Rcode::NOERROR });
                if edns && bare {
                    message.truncate(12);
                    message[5] = 0;
                }
                write_frame(&mut stream, &message).await;
            }
        })
        .await;
        let upstream = upstream(&context, address, Protocol::Tcp);
        ask_at_once(&context, &upstream, 3).await;
        let refused = counted(&context, "nearpath_upstream_retries_total");
        ask_at_once(&context, &upstream, 3).await;
        assert_eq!(counted(&context, "nearpath_upstream_retries_total"), refused, "it is remembered");
        let signed = Query { dnssec_ok: true, ..query(&context, "signed.example") };
        upstream.ask(&signed, soon()).await.unwrap();
        let refused = refused + 1;
        assert_eq!(
            counted(&context, "nearpath_upstream_retries_total"),
            refused,
            "signatures are asked for all the same"
        );
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(60)).await;
        tokio::time::resume();
        ask_at_once(&context, &upstream, 1).await;
        assert_eq!(counted(&context, "nearpath_upstream_retries_total"), refused + 1, "it may have learnt meanwhile");
    }
}

#[tokio::test]
async fn a_question_that_fails_either_way_says_nothing_of_edns() {
    for plain in [Rcode::NOTIMP, Rcode::SERVFAIL, Rcode::REFUSED] {
        let context = context();
        let (address, _) = tcp(move |mut stream, _| async move {
            while let Some(question) = read_frame(&mut stream).await {
                let edns = contract::wire::Question::parse(&question).unwrap().edns.is_some();
                write_frame(&mut stream, &reply(&question, 0, if edns { Rcode::NOTIMP } else { plain })).await;
            }
        })
        .await;
        let upstream = upstream(&context, address, Protocol::Tcp);
        for asked in 1..=2 {
            let answer = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap();
            assert_eq!(answer.rcode(), plain);
            assert_eq!(counted(&context, "nearpath_upstream_retries_total"), asked);
        }
    }
}

#[tokio::test]
async fn a_dropped_question_frees_its_place() {
    let context = context();
    let (address, _) = tcp(|mut stream, _| async move { while read_frame(&mut stream).await.is_some() {} }).await;
    let upstream = Arc::new(on_one_connection(&context, address));
    let queries: Vec<_> = (0..50).map(|number| query(&context, &format!("n{number}.example"))).collect();
    let all = join_all(queries.iter().map(|query| upstream.ask(query, soon())));
    tokio::select! {
        _ = all => panic!("nobody answers"),
        () = async { while upstream.outstanding() < 50 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(upstream.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hung_peer_is_left_for_a_new_connection() {
    let context = context();
    let (address, connections) = tcp(|mut stream, number| async move {
        if number == 0 {
            while read_frame(&mut stream).await.is_some() {}
        }
        serve_well(stream).await;
    })
    .await;
    let upstream = on_one_connection(&context, address);
    let asked = query(&context, "n1.example");
    let failure = upstream.ask(&asked, soon()).await.unwrap_err();
    assert!(matches!(failure, Failure::Timeout { waited, .. } if waited == contract::limits::ATTEMPT_WITHIN));
    assert_eq!(address_in(&upstream.ask(&asked, soon()).await.unwrap()), expected(&asked));
    assert_eq!(connections.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_that_come_and_go_leave_nothing_behind() {
    let context = context();
    let (address, _) = tcp(|mut stream, number| async move {
        for count in 0.. {
            let Some(question) = read_frame(&mut stream).await else { return };
            if count % 7 != 3 {
                write_frame(&mut stream, &good(&question)).await; // one in seven is never answered
            }
            if number % 3 == 1 && count == 40 {
                return;
            }
        }
    })
    .await;
    let upstream = Arc::new(upstream(&context, address, Protocol::Tcp));
    let tasks = (0..400).map(|number| {
        let (upstream, asked) = (Arc::clone(&upstream), query(&context, &format!("n{number}.example")));
        tokio::spawn(async move {
            let wait = Duration::from_millis(1 + number % 40);
            if let Ok(Ok(answer)) = tokio::time::timeout(wait, upstream.ask(&asked, soon())).await {
                assert_eq!(address_in(&answer), expected(&asked));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(upstream.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn slow_questions_hold_up_no_others_at_a_peer_that_answers_one_at_a_time() {
    let context = context();
    let (address, connections) = tcp(|mut stream, _| async move {
        while let Some(question) = read_frame(&mut stream).await {
            let slow = question[12..].starts_with(b"\x05n9999");
            tokio::time::sleep(Duration::from_millis(if slow { 900 } else { 1 })).await;
            write_frame(&mut stream, &good(&question)).await;
        }
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Tcp);
    let slow = query(&context, "n9999.example");
    let mut hanging = Vec::new();
    for _ in 0..6 {
        hanging.push(Box::pin(upstream.ask(&slow, soon())));
        let hang = join_all(hanging.iter_mut());
        assert!(tokio::time::timeout(Duration::from_millis(40), hang).await.is_err(), "they are slow");
        let begun = tokio::time::Instant::now();
        ask_at_once(&context, &upstream, 1).await;
        assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    }
    assert!(connections.count() > contract::limits::UPSTREAM_CONNECTIONS_MAX, "{}", connections.count());
    for answer in join_all(hanging).await {
        answer.unwrap();
    }
}
