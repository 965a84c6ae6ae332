//! What the API server says, in an order that it should not have, and how little it is asked.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nearpath_tests::apiserver::{Fault, Streams, What};
use nearpath_tests::{ask, mode};
use serde_json::Value;

use super::{AFTER, BEFORE, COMING, IN_STEP_WITHIN, LEFT, Node, first, pod, running};

#[test]
fn words_out_of_date_and_said_twice_change_nothing() {
    let mut node = Node::new(|_| {});
    let coming = node.server.pod(&pod("shop", "coming"), &running(COMING));
    let moved = node.server.pod(&pod("shop", "coming"), &running(COMING).phase("Failed"));
    let left = node.server.deletes("Pod", "shop", "left");
    let mut before = left.clone();
    before["metadata"]["resourceVersion"] = Value::from("7");
    let truth = |last: u8, namespace: &'static str| if last == LEFT || last == COMING { "" } else { namespace };
    let truth = BEFORE.map(|(last, namespace)| (last, truth(last, namespace)));
    node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &truth, 0);
    let asked = node.server.seen().len();
    for _ in 0..3 {
        for (event, object) in [
            ("MODIFIED", &coming),
            ("ADDED", &coming),
            ("ADDED", &before),
            ("MODIFIED", &left),
            ("DELETED", &left),
            ("DELETED", &before),
            ("MODIFIED", &moved),
        ] {
            node.server.tells(event, object);
            sleep(Duration::from_millis(100));
            assert!(node.knows(&truth, 0), "what is out of date counts for nothing: {event} {object}");
        }
    }
    // the words were heard: one that is new counts
    node.server.pod(&pod("shop", "coming"), &running(COMING));
    node.is_in_step_by(
        Instant::now() + IN_STEP_WITHIN,
        &truth.map(|(l, n)| (l, if l == COMING { "shop" } else { n })),
        0,
    );
    assert_eq!(node.server.seen().len(), asked, "and nobody had to be asked");
    assert!(node.metric("nearpath_kubernetes_events_total", &[("type", "changed")]) >= 12.0);
}

#[test]
fn a_watch_with_bookmarks_alone_goes_on_from_the_last_one() {
    let mut node = Node::new(|server| server.bookmarks_every(Duration::from_millis(200)));
    let lists = node.server.lists_of("Pod");
    node.server.forgets(); // what came before the version that the next bookmark tells
    sleep(Duration::from_millis(2_500));
    node.server.resets();
    node.changes();
    node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &AFTER, 1);
    assert_eq!(node.server.lists_of("Pod"), lists, "nothing had to be listed again");
    let last = node.server.seen().into_iter().rfind(|seen| seen.kind == "Pod").expect("it was asked");
    assert_eq!(last.what, What::Watch);
}

#[test]
fn a_server_that_lags_takes_nothing_back() {
    let mut node = Node::new(|server| server.streams(Streams::Refused));
    node.server.fails(Fault::OldLists); // the open watch tells of everything
    node.changes();
    node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &AFTER, 1);
    node.server.fails(Fault::Lags);
    let lists = node.server.lists_of("Pod");
    node.server.ends_watches();
    let (begin, mut listed) = (Instant::now(), None);
    while listed.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(2)) {
        assert!(begin.elapsed() < IN_STEP_WITHIN, "nothing is listed anew");
        assert!(node.knows(&AFTER, 1), "an older list is no news");
        // one is refused, since it lies ahead of what the server has, and one is given
        if listed.is_none() && node.server.lists_of("Pod") >= lists + 2 {
            listed = Some(Instant::now());
        }
        sleep(Duration::from_millis(50));
    }
    node.server.heals();
}

#[test]
fn servers_of_every_age_are_understood() {
    for (streams, lists) in [(Streams::Given, 1), (Streams::Refused, 2), (Streams::Ignored, 2)] {
        let begin = Instant::now();
        let mut node = Node::new(|server| server.streams(streams));
        mode::note(&format!("lists streamed: {streams:?}: in step after {:.1} s", begin.elapsed().as_secs_f64()));
        let asked: Vec<_> = node.server.seen().into_iter().filter(|seen| seen.kind == "Pod").collect();
        let how: Vec<What> = asked.iter().map(|seen| seen.what).collect();
        assert_eq!(node.server.lists_of("Pod"), lists, "{how:?}");
        assert!(asked.iter().all(|seen| seen.target.contains("fieldSelector=spec.nodeName%3Dnode-1")));
        node.changes();
        node.is_in_step_by(Instant::now() + IN_STEP_WITHIN, &AFTER, 1);
    }
}

#[test]
fn no_question_makes_the_api_server_be_asked() {
    let node = Node::new(|_| {});
    let (asked, connections) = (node.server.seen().len(), node.server.connections());
    for number in 0..10_000 {
        let name = match number % 4 {
            0 => first(&format!("n{number}.wild.example.com"), "shop"),
            1 => first("www.example.com", "shop"),
            2 => format!("n{number}.nowhere.svc.cluster.local"),
            _ => "www.example.com".to_owned(),
        };
        node.pod((number % 250 + 1) as u8).asks(&ask(&name, "A"));
    }
    assert_eq!((node.server.seen().len(), node.server.connections()), (asked, connections));
    assert_eq!(node.server.watching(), 2, "one watch of pods, one of endpoints");
}
