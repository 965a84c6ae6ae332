//! Each client is told who it is, whatever it asks.

use contract::testing::{self, ask, built, context, query};
use contract::wire::{Flags, RecordType, Section};
use contract::{Query, Storing, Transport};

use crate::{WhoamiSpec, check};

/// The statement, alone in the server block `.`, as `check` judges it: the specification and what was reported.
fn checked(statement: &str) -> (Option<WhoamiSpec>, String) {
    testing::checked(statement, check)
}

/// Owner, type, TTL and RDATA of each additional record of the reply.
async fn additional(query: &Query) -> Vec<(String, RecordType, u32, Vec<u8>)> {
    let plugin = built(checked("whoami"), &context());
    assert_eq!(plugin.storing(), Storing::PerClient);
    let reply = ask(&[plugin], query).await.unwrap();
    assert!(!reply.storable);
    let message = reply.answer.message();
    assert!(message.asks(&query.name, query.rtype, query.class));
    assert!(message.flags() & Flags::AA != 0);
    assert_eq!(message.section(Section::Answer).count() + message.section(Section::Authority).count(), 0);
    let records = message.section(Section::Additional);
    records
        .map(|one| (message.name(one.owner).unwrap().to_string(), one.rtype, one.ttl, message.rdata(&one).to_vec()))
        .collect()
}

#[tokio::test]
async fn address_port_and_transport_of_the_client_are_told() {
    let cases: [(&str, Transport, RecordType, &[u8], &str); 5] = [
        ("192.0.2.7:40212", Transport::Udp, RecordType::A, &[192, 0, 2, 7], "_udp.example.org."),
        ("192.0.2.7:40212", Transport::Tcp, RecordType::A, &[192, 0, 2, 7], "_tcp.example.org."),
        ("[::ffff:192.0.2.7]:40212", Transport::Tls, RecordType::A, &[192, 0, 2, 7], "_tcp.example.org."),
        ("[::1]:40212", Transport::Udp, RecordType::AAAA, &std::net::Ipv6Addr::LOCALHOST.octets(), "_udp.example.org."),
        (
            "[::1]:40212",
            Transport::Https,
            RecordType::AAAA,
            &std::net::Ipv6Addr::LOCALHOST.octets(),
            "_tcp.example.org.",
        ),
    ];
    for (address, transport, rtype, octets, owner) in cases {
        // the type asked for does not matter
        for asked in [RecordType::A, RecordType::AAAA, RecordType::TXT] {
            let mut query = query("example.org", asked);
            query.client.address = address.parse().unwrap();
            query.client.transport = transport;
            let records = additional(&query).await;
            assert_eq!(records[0], ("example.org.".to_owned(), rtype, 0, octets.to_vec()));
            let port = [0, 0, 0, 0, 157, 20, 0]; // priority, weight, 40212, the root
            assert_eq!(records[1], (owner.to_owned(), RecordType::SRV, 0, port.to_vec()));
            assert_eq!(records.len(), 2);
        }
    }
}

#[tokio::test]
async fn the_shortest_and_the_longest_name_are_answered() {
    assert_eq!(additional(&query(".", RecordType::A)).await[1].0, "_udp.");
    let longest = "a.".repeat(127);
    assert_eq!(additional(&query(&longest, RecordType::A)).await.len(), 1, "there is no room for `_udp`");
}

#[test]
fn it_is_a_mere_word() {
    let (spec, report) = checked("whoami");
    assert!(spec.is_some() && report.is_empty(), "{report}");
    for (wrong, place) in [("whoami example.org", "Corefile:2:8: error"), ("whoami {\n  who\n}", "Corefile:3:3: error")]
    {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place), "{report}");
    }
}
