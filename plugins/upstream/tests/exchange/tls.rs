//! DNS over TLS: the server's name is checked, connections are kept and pipelined.

use contract::Failure;
use futures_util::future::join_all;
use tokio_rustls::TlsAcceptor;
use upstream::Protocol;
use upstream::rustls::pki_types::ServerName;

use crate::certificates::ends;
use crate::script::{
    address_in, context, counted, expected, good, query, read_frame, soon, tcp, upstream, write_frame,
};

#[tokio::test]
async fn questions_go_over_tls_to_the_server_that_is_named() {
    let context = context();
    let (server, client) = ends(&["dns.example", "127.0.0.1"]);
    let acceptor = TlsAcceptor::from(server);
    let (address, connections) = tcp(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            while let Some(question) = read_frame(&mut stream).await {
                write_frame(&mut stream, &good(&question)).await;
            }
        }
    })
    .await;
    for name in ["dns.example", "127.0.0.1"] {
        let server_name = ServerName::try_from(name).unwrap();
        let protocol = Protocol::Tls { server_name, config: client.clone() };
        let upstream = upstream(&context, address, protocol);
        let before = connections.count();
        for _ in 0..3 {
            let queries: Vec<_> = (0..100).map(|number| query(&context, &format!("n{number}.example"))).collect();
            for (query, answer) in
                queries.iter().zip(join_all(queries.iter().map(|query| upstream.ask(query, soon()))).await)
            {
                assert_eq!(address_in(&answer.unwrap()), expected(query));
            }
        }
        assert!(connections.count() - before <= contract::limits::UPSTREAM_HELD_UP_MAX);
    }
    let series =
        format!("coredns_proxy_conn_cache_hits_total{{proxy_name=\"forward\",to=\"{address}\",proto=\"tcp-tls\"}}");
    assert!(counted(&context, &series) >= 200);

    let server_name = ServerName::try_from("other.example").unwrap();
    let upstream = upstream(&context, address, Protocol::Tls { server_name, config: client });
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { reason, .. } if reason.contains("certificate")), "{failure}");
}
