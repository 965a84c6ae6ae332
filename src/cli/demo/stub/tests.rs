//! The stub walks, stops and asks again as musl does.

use std::net::Ipv4Addr;

use hickory_server::proto::rr::Record;
use hickory_server::proto::rr::rdata::{A, CNAME};

use super::super::centre::Centre;
use super::super::pods::CART_0;
use super::*;

/// Nothing here waits that long unless it is broken.
const LONG: Duration = Duration::from_secs(20);

fn stub(server: SocketAddr, attempt: Duration) -> Stub {
    Stub { pod: CART_0, server, attempt }
}

async fn walk(centre: &Centre, name: &str) -> (Vec<String>, Outcome) {
    let lookup = stub(centre.address(), LONG).look_up(name).await.unwrap();
    assert_eq!(lookup.questions() as usize, 2 * lookup.steps.len(), "A and AAAA once at each step");
    let outcome = lookup.outcome().clone();
    (lookup.steps.into_iter().map(|step| step.name).collect(), outcome)
}

#[tokio::test]
async fn the_search_list_is_walked_until_something_is_there() {
    let centre = Centre::start(Duration::ZERO).unwrap();
    let (names, outcome) = walk(&centre, "www.example.com").await;
    assert_eq!(
        names,
        [
            "www.example.com.shop.svc.cluster.local",
            "www.example.com.svc.cluster.local",
            "www.example.com.cluster.local",
            "www.example.com"
        ]
    );
    let addresses = ["192.0.2.80", "2001:db8::80"].map(|address| address.parse().unwrap()).to_vec();
    assert_eq!(outcome, Outcome::Found { canonical: None, addresses });

    let (names, outcome) = walk(&centre, "db").await;
    assert_eq!(names, ["db.shop.svc.cluster.local"]);
    assert!(matches!(outcome, Outcome::Found { .. }));

    let (names, outcome) = walk(&centre, "kubernetes.default").await;
    assert_eq!(names, ["kubernetes.default.shop.svc.cluster.local", "kubernetes.default.svc.cluster.local"]);
    assert!(matches!(outcome, Outcome::Found { .. }));
}

#[tokio::test]
async fn the_walk_ends_with_the_name_itself_or_at_a_name_without_addresses() {
    let centre = Centre::start(Duration::ZERO).unwrap();
    let (names, outcome) = walk(&centre, "nobody.example.com").await;
    assert_eq!((names.len(), outcome), (4, Outcome::NoSuchName));
    // `shop.svc.cluster.local` exists and has nothing: musl stops there
    let (names, outcome) = walk(&centre, "shop").await;
    assert_eq!(names, ["shop.shop.svc.cluster.local", "shop.svc.cluster.local"]);
    assert_eq!(outcome, Outcome::NoData);
}

#[tokio::test]
async fn absolute_names_and_names_with_many_dots_are_not_searched() {
    let centre = Centre::start(Duration::ZERO).unwrap();
    assert_eq!(walk(&centre, "www.example.com.").await.0, ["www.example.com"]);
    assert_eq!(walk(&centre, "a.b.c.d.e.example.com").await.0, ["a.b.c.d.e.example.com"]);
}

/// Answers `replies` of each question it gets, `ignored` questions after the first ones.
async fn scripted(ignored: usize, replies: fn(&Message) -> Vec<Message>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; DATAGRAM_MAX];
        for number in 0.. {
            let (length, from) = socket.recv_from(&mut datagram).await.unwrap();
            if number < ignored {
                continue;
            }
            for reply in replies(&Message::from_vec(&datagram[..length]).unwrap()) {
                socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    address
}

fn answered(question: &Message, rcode: ResponseCode) -> Message {
    let mut reply = question.clone().into_response();
    reply.metadata.response_code = rcode;
    reply
}

fn by_cname(question: &Message) -> Message {
    let mut reply = answered(question, ResponseCode::NoError);
    let (owner, target) = (question.queries[0].name().clone(), Name::from_ascii("www.example.com.").unwrap());
    reply.add_answer(Record::from_rdata(owner, 5, RData::CNAME(CNAME(target.clone()))));
    if question.queries[0].query_type() == RecordType::A {
        reply.add_answer(Record::from_rdata(target, 5, RData::A(A::new(192, 0, 2, 7))));
    }
    reply
}

#[tokio::test]
async fn an_answer_behind_a_cname_ends_the_walk_at_the_first_step() {
    let server = scripted(0, |question| vec![by_cname(question)]).await;
    let lookup = stub(server, LONG).look_up("www.example.com").await.unwrap();
    let found = Outcome::Found { canonical: Some("www.example.com".into()), addresses: vec![[192, 0, 2, 7].into()] };
    assert_eq!((lookup.steps.len(), lookup.questions(), lookup.outcome()), (1, 2, &found));
}

#[tokio::test]
async fn a_failure_ends_the_walk() {
    let server = scripted(0, |question| vec![answered(question, ResponseCode::ServFail)]).await;
    let lookup = stub(server, LONG).look_up("www.example.com").await.unwrap();
    assert_eq!((lookup.steps.len(), lookup.outcome()), (1, &Outcome::Failed(ResponseCode::ServFail)));
}

#[tokio::test]
async fn a_reply_to_another_question_is_none() {
    // wrong id, wrong name and a question come first, each with a failure that would end the walk
    let server = scripted(0, |question| {
        let mut id = answered(question, ResponseCode::ServFail);
        id.metadata.id = !id.metadata.id;
        let mut name = answered(question, ResponseCode::ServFail);
        name.queries[0].set_name(Name::from_ascii("other.example.").unwrap());
        vec![id, name, question.clone(), by_cname(question)]
    })
    .await;
    let lookup = stub(server, LONG).look_up("www.example.com").await.unwrap();
    assert!(matches!(lookup.outcome(), Outcome::Found { .. }), "{lookup:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_is_asked_again_and_counted() {
    // given a node that loses the first two datagrams
    let server = scripted(2, |question| vec![by_cname(question)]).await;
    let lookup = stub(server, Duration::from_millis(50)).look_up("www.example.com").await.unwrap();
    // two lost, two sent again
    assert_eq!((lookup.steps.len(), lookup.questions()), (1, 4), "{lookup:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = scripted(usize::MAX, |_| Vec::new()).await;
    let lookup = stub(server, Duration::from_millis(1)).look_up("www.example.com").await.unwrap();
    assert_eq!((lookup.steps.len(), lookup.questions(), lookup.outcome()), (1, 4, &Outcome::Unanswered));
}
