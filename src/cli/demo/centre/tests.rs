//! The centre answers as a cluster's central server does, over both transports, and questions on one connection do not queue.

use std::time::Instant;

use hickory_server::proto::op::{Message, Query, ResponseCode};
use hickory_server::proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Far longer than a test takes: what is outstanding stays so.
const FOREVER: Duration = Duration::from_secs(3600);
/// Until a test is given up.
const PATIENCE: Duration = Duration::from_secs(20);

fn question(name: &str, rtype: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), rtype));
    message
}

async fn over_udp(centre: &Centre, name: &str, rtype: RecordType) -> Message {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let asked = question(name, rtype);
    socket.send_to(&asked.to_vec().unwrap(), centre.address()).await.unwrap();
    let mut datagram = [0; 512];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut datagram)).await.unwrap().unwrap();
    let reply = Message::from_vec(&datagram[..length]).unwrap();
    assert_eq!((reply.metadata.id, &reply.queries), (asked.metadata.id, &asked.queries));
    reply
}

async fn send(connection: &mut TcpStream, message: &Message) {
    let wire = message.to_vec().unwrap();
    connection.write_u16(wire.len().try_into().unwrap()).await.unwrap();
    connection.write_all(&wire).await.unwrap();
}

async fn receive(connection: &mut TcpStream) -> Message {
    let mut wire = vec![0; connection.read_u16().await.unwrap().into()];
    connection.read_exact(&mut wire).await.unwrap();
    Message::from_vec(&wire).unwrap()
}

fn negative_ttl(reply: &Message) -> Option<(String, u32)> {
    reply.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some((record.name.to_ascii(), record.ttl.min(soa.minimum))),
        _ => None,
    })
}

#[tokio::test]
async fn names_of_the_cluster_and_outside_are_answered() {
    let centre = Centre::start(Duration::ZERO).unwrap();
    for (name, rtype, address) in [
        ("kubernetes.default.svc.cluster.local.", RecordType::A, "10.96.0.1"),
        ("DB.shop.svc.Cluster.local.", RecordType::A, "10.96.1.2"),
        ("www.example.com.", RecordType::A, "192.0.2.80"),
        ("www.example.com.", RecordType::AAAA, "2001:db8::80"),
        ("www.example.org.", RecordType::AAAA, "2001:db8:1::80"),
    ] {
        let reply = over_udp(&centre, name, rtype).await;
        let addresses: Vec<String> =
            reply.answers.iter().filter_map(|record| record.data.ip_addr()).map(|ip| ip.to_string()).collect();
        assert_eq!(
            (reply.metadata.response_code, addresses),
            (ResponseCode::NoError, vec![address.to_owned()]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_denied_as_kubernetes_does() {
    let centre = Centre::start(Duration::ZERO).unwrap();
    let (none, nothing) = (ResponseCode::NXDomain, ResponseCode::NoError);
    for (name, rtype, rcode, zone, ttl) in [
        ("www.example.com.shop.svc.cluster.local.", RecordType::A, none, "cluster.local.", 5),
        ("com.shop.svc.cluster.local.", RecordType::A, none, "cluster.local.", 5),
        ("www.example.com.cluster.local.", RecordType::AAAA, none, "cluster.local.", 5),
        // namespaces and `svc` exist, though nothing stands there; services here have one address family
        ("svc.cluster.local.", RecordType::A, nothing, "cluster.local.", 5),
        ("shop.svc.cluster.local.", RecordType::AAAA, nothing, "cluster.local.", 5),
        ("db.shop.svc.cluster.local.", RecordType::AAAA, nothing, "cluster.local.", 5),
        ("nobody.example.com.", RecordType::A, none, "example.com.", 300),
        ("com.", RecordType::A, nothing, ".", 300),
        ("www.example.net.", RecordType::A, none, ".", 300),
    ] {
        let reply = over_udp(&centre, name, rtype).await;
        assert_eq!(reply.metadata.response_code, rcode, "{name}");
        assert!(reply.answers.is_empty(), "{name}");
        assert_eq!(negative_ttl(&reply), Some((zone.to_owned(), ttl)), "{name}");
    }
}

#[tokio::test]
async fn questions_of_one_connection_do_not_wait_for_each_other() {
    // given a centre too far away to answer
    let centre = Centre::start(FOREVER).unwrap();
    let mut connection = TcpStream::connect(centre.address()).await.unwrap();
    // when one connection asks eight questions
    for number in 0..8 {
        send(&mut connection, &question(&format!("name{number}.cluster.local."), RecordType::A)).await;
    }
    // then all of them are under way together
    let began = Instant::now();
    while centre.outstanding() < 8 {
        assert!(began.elapsed() < PATIENCE, "{} of 8 are under way", centre.outstanding());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(centre.questions(), 8);
}

#[tokio::test]
async fn each_question_is_counted_and_answered_after_the_delay() {
    let delay = Duration::from_millis(5);
    let centre = Centre::start(delay).unwrap();
    let mut connection = TcpStream::connect(centre.address()).await.unwrap();
    let asked = ["db.shop.svc.cluster.local.", "www.example.com.", "nobody.cluster.local."]
        .map(|name| question(name, RecordType::A));
    let began = Instant::now();
    for message in &asked {
        send(&mut connection, message).await;
    }
    let mut waiting: Vec<u16> = asked.iter().map(|message| message.metadata.id).collect();
    while !waiting.is_empty() {
        let reply = receive(&mut connection).await;
        assert!(began.elapsed() >= delay, "an answer came before its time");
        waiting.retain(|id| *id != reply.metadata.id);
    }
    assert_eq!(centre.questions(), 3);
    while centre.outstanding() > 0 {
        assert!(began.elapsed() < PATIENCE, "an answer is not counted");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn dropped_it_gives_its_port_back() {
    let centre = Centre::start(FOREVER).unwrap();
    let address = centre.address();
    drop(centre);
    std::net::UdpSocket::bind(address).unwrap();
}
