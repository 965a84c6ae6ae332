//! Questions over UDP: what is ignored, what is asked again, and the way to TCP.

use contract::wire::{Flags, Rcode};
use contract::{Failure, limits};
use tokio::net::UdpSocket;
use upstream::Protocol;

use crate::script::{
    ANY_PORT, Connections, accept, address_in, answer_datagrams, both, context, counted, expected, good, query,
    read_frame, refusing, reply, serve_well, soon, udp, upstream,
};

#[tokio::test]
async fn wrong_ids_wrong_questions_and_junk_are_ignored() {
    let context = context();
    let address = udp(|question, _| {
        let mut other_id = good(question);
        other_id[1] ^= 1;
        let mut other_name = good(question);
        other_name[14] ^= 1;
        vec![
            vec![],
            vec![1, 2, 3],
            other_id,
            other_name,
            question.to_vec(),
            good(question)[..30].to_vec(),
            good(question),
        ]
    })
    .await;
    let upstream = upstream(&context, address, Protocol::Udp);
    let asked = query(&context, "n77.example");
    let answer = upstream.ask(&asked, soon()).await.unwrap();
    assert_eq!(address_in(&answer), expected(&asked));
    let discarded = |reason| {
        counted(&context, &format!("nearpath_upstream_discarded_total{{to=\"{address}\",reason=\"{reason}\"}}"))
    };
    assert_eq!((discarded("id"), discarded("question"), discarded("malformed")), (1, 1, 4));
}

#[tokio::test]
async fn a_datagram_from_another_source_is_ignored() {
    let context = context();
    let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let forger = UdpSocket::bind(ANY_PORT).await.unwrap();
        let mut buffer = [0; 4096];
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        let mut forged = good(&buffer[..length]);
        let end = forged.len();
        forged[end - 4..].copy_from_slice(&[6, 6, 6, 6]);
        forger.send_to(&forged, peer).await.unwrap();
        socket.send_to(&good(&buffer[..length]), peer).await.unwrap();
    });
    let asked = query(&context, "n5.example");
    let answer = upstream(&context, address, Protocol::Udp).ask(&asked, soon()).await.unwrap();
    assert_eq!(address_in(&answer), expected(&asked));
}

#[tokio::test]
async fn each_question_has_a_port_and_an_id_of_its_own() {
    let context = context();
    let socket = UdpSocket::bind(ANY_PORT).await.unwrap();
    let address = socket.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let mut seen = std::collections::HashSet::new();
        let mut buffer = [0; 4096];
        for _ in 0..20 {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            seen.insert((peer.port(), [buffer[0], buffer[1]]));
            socket.send_to(&good(&buffer[..length]), peer).await.unwrap();
        }
        seen
    });
    let upstream = upstream(&context, address, Protocol::Udp);
    for _ in 0..20 {
        upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap();
    }
    let seen = seen.await.unwrap();
    let ids: std::collections::HashSet<_> = seen.iter().map(|(_, id)| *id).collect();
    let ports: std::collections::HashSet<_> = seen.iter().map(|(port, _)| *port).collect();
    assert!(ids.len() >= 18 && ports.len() >= 15, "{seen:?}");
}

#[tokio::test]
async fn a_closed_port_is_unreachable_at_once() {
    let context = context();
    let upstream = upstream(&context, refusing().await, Protocol::Udp);
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_datagram_is_sent_again_once() {
    let context = context();
    let lossy = udp(|question, number| if number == 0 { vec![] } else { vec![good(question)] }).await;
    let asked = query(&context, "n9.example");
    let answer = upstream(&context, lossy, Protocol::Udp).ask(&asked, soon()).await.unwrap();
    assert_eq!(address_in(&answer), expected(&asked));
    assert_eq!(counted(&context, "nearpath_upstream_retries_total"), 1);

    let silent = udp(|_, _| vec![]).await;
    let failure = upstream(&context, silent, Protocol::Udp).ask(&asked, soon()).await.unwrap_err();
    assert_eq!(failure, Failure::Timeout { upstream: silent, waited: limits::ATTEMPT_WITHIN });
}

#[tokio::test]
async fn a_truncated_reply_leads_to_tcp() {
    let context = context();
    let (listener, socket, address) = both().await;
    tokio::spawn(answer_datagrams(socket, |question, _| {
        let mut cut = reply(question, Flags::TC, Rcode::NOERROR);
        cut.truncate(cut.len() - 2); // in the middle of a record, as some cut
        vec![cut]
    }));
    tokio::spawn(accept(listener, |stream, _| serve_well(stream), Connections::default()));
    let asked = query(&context, "n300.example");
    for protocol in [Protocol::Udp, Protocol::AsAsked] {
        let answer = upstream(&context, address, protocol).ask(&asked, soon()).await.unwrap();
        assert!(!answer.is_truncated());
        assert_eq!(address_in(&answer), expected(&asked));
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_reply_is_passed_on_if_tcp_is_refused_or_hangs() {
    let context = context();
    let asked = query(&context, "n1.example");
    let refusing = udp(|question, _| vec![reply(question, Flags::TC, Rcode::NOERROR)]).await;
    let (listener, socket, hanging) = both().await;
    tokio::spawn(answer_datagrams(socket, |question, _| vec![reply(question, Flags::TC, Rcode::NOERROR)]));
    let hang = |mut stream, _| async move { while read_frame(&mut stream).await.is_some() {} };
    tokio::spawn(accept(listener, hang, Connections::default()));
    for address in [refusing, hanging] {
        let answer = upstream(&context, address, Protocol::Udp).ask(&asked, soon()).await.unwrap();
        assert!(answer.is_truncated());
    }
}

#[tokio::test]
async fn the_clients_protocol_is_followed_where_that_is_configured() {
    let context = context();
    let (listener, socket, address) = both().await;
    tokio::spawn(answer_datagrams(socket, |question, _| vec![reply(question, 0, Rcode::NXDOMAIN)]));
    tokio::spawn(accept(listener, |stream, _| serve_well(stream), Connections::default()));
    let upstream = upstream(&context, address, Protocol::AsAsked);
    let mut asked = query(&context, "n1.example");
    assert_eq!(upstream.ask(&asked, soon()).await.unwrap().rcode(), Rcode::NXDOMAIN);
    asked.client.transport = contract::Transport::Tls;
    assert_eq!(upstream.ask(&asked, soon()).await.unwrap().rcode(), Rcode::NOERROR);
}

#[tokio::test]
async fn an_extended_error_of_the_upstream_is_taken_on() {
    let context = context();
    let address = udp(|question, _| {
        let mut message = reply(question, 0, Rcode::SERVFAIL);
        message[11] = 1;
        message.extend_from_slice(&[
            0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 11, 0, 15, 0, 7, 0, 22, b'd', b'o', b'w', b'n', b'!',
        ]);
        vec![message]
    })
    .await;
    let answer = upstream(&context, address, Protocol::Udp).ask(&query(&context, "n1.example"), soon()).await.unwrap();
    let ede = answer.ede().unwrap();
    assert_eq!((ede.code, ede.text.as_ref()), (22, "down!"));
}

#[tokio::test]
async fn a_dropped_question_frees_its_socket_and_the_bound_holds() {
    let context = context();
    let silent = udp(|_, _| vec![]).await;
    let upstream = upstream(&context, silent, Protocol::Udp);
    let asked = query(&context, "n1.example");
    let full = limits::UPSTREAM_DATAGRAMS_MAX;
    let mut asks: Vec<_> = (0..=full).map(|_| Box::pin(upstream.ask(&asked, soon()))).collect();
    let last = asks.pop().unwrap();
    tokio::select! {
        biased;
        _ = futures_util::future::join_all(asks) => panic!("nobody answers"),
        refused = last => assert!(matches!(refused, Err(Failure::Bound { .. } | Failure::Unreachable { .. }))),
    }
    assert_eq!(upstream.outstanding(), 0);
}
