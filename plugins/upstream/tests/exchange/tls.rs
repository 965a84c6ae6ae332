//! DNS over TLS: the server's name is checked, connections are kept and pipelined.

use contract::Failure;
use futures_util::future::join_all;
use tokio_rustls::TlsAcceptor;
use upstream::rustls::pki_types::ServerName;
use upstream::{Protocol, TlsFiles};

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
    assert!(counted(&context, &series) > 0, "questions found a connection open");

    let server_name = ServerName::try_from("other.example").unwrap();
    let upstream = upstream(&context, address, Protocol::Tls { server_name, config: client });
    let failure = upstream.ask(&query(&context, "n1.example"), soon()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable { reason, .. } if reason.contains("certificate")), "{failure}");
}

#[tokio::test]
async fn certificates_are_read_from_files_and_a_bad_one_is_named() {
    let folder = std::env::temp_dir().join(format!("upstream-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["dns.example".to_owned()]).unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let certificate = file("certificate.pem", &made.cert.pem());
    let key = file("key.pem", &made.signing_key.serialize_pem());
    let other_key = file("other.pem", &other.signing_key.serialize_pem());
    let empty = file("empty.pem", "");
    let client = Some((certificate.clone(), key));
    TlsFiles { client, authority: Some(certificate.clone()) }.load().unwrap();
    TlsFiles::default().load().unwrap();
    for (client, authority, named) in [
        (None, Some(folder.join("missing.pem")), "missing.pem"),
        (None, Some(empty.clone()), "empty.pem"),
        (Some((certificate.clone(), empty)), None, "empty.pem"),
        (Some((certificate, other_key)), None, "certificate.pem"),
    ] {
        let error = TlsFiles { client, authority }.load().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
