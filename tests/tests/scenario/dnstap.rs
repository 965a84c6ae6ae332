//! Copies of messages as a real collector reads them: the program `dnstap` of golang-dnstap, over a unix socket and over TCP.

mod reader;

use std::time::Duration;

use nearpath_tests::{Behaviour, Daemon, Reply, ask, http, metrics, place};
use serde_json::Value;

use self::reader::Reader;
use super::centre;

const COREFILE: &str = ".:PORT {\n bind IP\n prometheus IP:9153\n dnstap SINK full {\n  identity node-7\n }\n cache\n \
                        forward . CENTRE\n}\n";

/// The kinds of messages, in the order in which they came.
fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["message"]["type"].as_str().expect("a type")).collect()
}

/// What stands under a name in the message of this kind.
#[track_caller]
fn of<'m>(messages: &'m [Value], kind: &str, field: &str) -> &'m Value {
    let message = messages.iter().find(|message| message["message"]["type"] == kind);
    &message.unwrap_or_else(|| panic!("no {kind} in {messages:#?}"))["message"][field]
}

#[track_caller]
fn text<'m>(messages: &'m [Value], kind: &str, field: &str) -> &'m str {
    of(messages, kind, field).as_str().unwrap_or_else(|| panic!("{kind} without {field}: {messages:#?}"))
}

/// Asks, and gives the id that the question had.
#[track_caller]
fn asked(daemon: &Daemon, name: &str) -> (u16, Reply) {
    let ask = ask(name, "A");
    let wire = ask.wire();
    let reply = daemon.client().gets(&wire);
    (u16::from_be_bytes([wire[0], wire[1]]), reply)
}

#[test]
fn a_miss_tells_of_the_client_and_of_the_upstream_and_a_hit_of_the_client_alone() {
    let Some(reader) = Reader::on_unix_socket() else { return };
    let centre = centre();
    let daemon = Daemon::given(COREFILE, &[("CENTRE", centre.address()), ("SINK", reader.socket())]);
    let (id, reply) = asked(&daemon, "www.example.com");
    reply.is("NOERROR");
    let miss = reader.messages(0, 4);
    assert_eq!(kinds(&miss), ["FORWARDER_QUERY", "FORWARDER_RESPONSE", "CLIENT_QUERY", "CLIENT_RESPONSE"]);
    assert!(miss.iter().all(|message| message["identity"] == "node-7"), "{miss:#?}");
    for (kind, field, records) in [
        ("CLIENT_QUERY", "query_message", &["www.example.com.\tIN\t A"][..]),
        ("CLIENT_RESPONSE", "response_message", &["status: NOERROR", "A\t192.0.2.1"]),
        ("FORWARDER_QUERY", "query_message", &["www.example.com.\tIN\t A"]),
        ("FORWARDER_RESPONSE", "response_message", &["status: NOERROR", "A\t192.0.2.1"]),
    ] {
        let text = text(&miss, kind, field);
        assert!(records.iter().all(|record| text.contains(record)), "{kind}: {text}");
        if kind.starts_with("CLIENT") {
            assert!(text.contains(&format!("id: {id}\n")), "{kind}: the client's own id: {text}");
        }
        let who = ["query_address", "socket_family", "socket_protocol"].map(|field| self::text(&miss, kind, field));
        assert_eq!(who, ["127.0.0.1", "INET", "UDP"], "{kind}");
    }
    let upstream = format!(
        "{}:{}",
        text(&miss, "FORWARDER_QUERY", "response_address"),
        of(&miss, "FORWARDER_QUERY", "response_port")
    );
    assert_eq!(upstream, centre.address());
    assert_eq!(text(&miss, "CLIENT_QUERY", "response_address"), daemon.address().ip().to_string());
    for kind in ["CLIENT_RESPONSE", "FORWARDER_RESPONSE"] {
        let times = ["query_time", "response_time"].map(|field| text(&miss, kind, field));
        assert!(times[0] <= times[1], "{kind}: {times:?}");
    }

    let (id, _) = asked(&daemon, "www.example.com");
    let hit = reader.messages(4, 2);
    assert_eq!(kinds(&hit), ["CLIENT_QUERY", "CLIENT_RESPONSE"]);
    assert!(text(&hit, "CLIENT_RESPONSE", "response_message").contains(&format!("id: {id}\n")), "{hit:#?}");
    let (status, page) = http::fetch(&format!("{}:9153", daemon.address().ip()), "/metrics");
    assert_eq!(status, 200);
    assert_eq!(metrics::sum(&page, "nearpath_dnstap_sent_total", &[]), 6.0);
    assert_eq!(metrics::sum(&page, "nearpath_dnstap_dropped_total", &[]), 0.0);
}

#[test]
fn a_failure_is_told_with_what_the_client_got() {
    let Some(reader) = Reader::on_unix_socket() else { return };
    let centre = centre();
    centre.behaves(Behaviour::Rcode(5));
    let daemon = Daemon::given(COREFILE, &[("CENTRE", centre.address()), ("SINK", reader.socket())]);
    let (_, reply) = asked(&daemon, "www.example.com");
    let told = reader.until("CLIENT_RESPONSE");
    let answer = text(&told, "CLIENT_RESPONSE", "response_message");
    let rcode = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"][usize::from(reply.rcode)];
    assert!(answer.contains(&format!("status: {rcode}")) && rcode != "NOERROR", "{rcode}: {answer}");
    assert!(text(&told, "FORWARDER_RESPONSE", "response_message").contains("status: REFUSED"), "{told:#?}");
}

#[test]
fn a_sink_over_tcp_that_comes_late_hears_of_a_client_over_tcp() {
    let Some(at) = Reader::is_possible().then(place::socket) else { return };
    let centre = centre();
    let corefile = COREFILE.replace(" full", "").replace("  identity node-7\n", "  extra rack-3\n");
    let words = [("CENTRE", centre.address()), ("SINK", format!("tcp://{at}"))];
    let mut daemon = Daemon::given(&corefile, &words);
    assert!(daemon.has_logged(0, &format!("dnstap: tcp://{at}: "), Duration::from_secs(10)), "it is said to be away");
    daemon.connection().asks(&ask("www.example.com", "A")).is("NOERROR");
    let reader = Reader::on_tcp(at);
    let told = reader.until("CLIENT_RESPONSE");
    assert_eq!(text(&told, "CLIENT_QUERY", "socket_protocol"), "TCP");
    assert!(told.iter().all(|message| message["message"]["query_message"].is_null()), "not without `full`: {told:#?}");
    assert!(told.iter().all(|message| message["message"]["response_message"].is_null()), "{told:#?}");
    assert!(daemon.has_logged(0, &format!("dnstap: connected to tcp://{at}"), Duration::from_secs(10)));
    let states = |daemon: &Daemon| daemon.log_since(0).iter().filter(|line| line.contains("dnstap: ")).count();
    assert_eq!(states(&daemon), 2, "away, and there: {:?}", daemon.log_since(0));
    // the same endpoint after a reload: the same connection
    assert!(daemon.reloads(&corefile.replace("rack-3", "rack-4")));
    daemon.asked(&ask("six.example.com", "A")).is("NOERROR");
    let more = reader.messages(told.len(), 4);
    assert_eq!(kinds(&more)[2..], ["CLIENT_QUERY", "CLIENT_RESPONSE"]);
    assert_eq!(reader.connections(), 1, "{}", reader.words());
    assert_eq!(states(&daemon), 2, "nothing has changed: {:?}", daemon.log_since(0));
}

#[test]
fn the_last_messages_are_read_before_the_end() {
    let Some(reader) = Reader::on_unix_socket() else { return };
    let centre = centre();
    let daemon = Daemon::given(COREFILE, &[("CENTRE", centre.address()), ("SINK", reader.socket())]);
    assert!(daemon.has_logged(0, "dnstap: connected to ", Duration::from_secs(10)));
    for number in 0..50 {
        daemon.asked(&ask(&format!("n{number}.wild.example.com"), "A")).is("NOERROR");
    }
    assert_eq!(daemon.terminates(), Some(0));
    // what clients say is shown a moment later, and the end may come before it; what upstreams say is told at once
    let forwarded = |messages: &[Value]| kinds(messages).iter().filter(|kind| kind.starts_with("FORWARDER")).count();
    assert_eq!(forwarded(&reader.until_it_has(|messages| forwarded(messages) == 100)), 100);
}
