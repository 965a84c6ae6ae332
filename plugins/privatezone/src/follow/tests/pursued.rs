//! Names that change are asked for anew until their zone shows it, and memory forgets what it no longer shows.

use std::sync::atomic::Ordering;

use contract::limits::{PURSUIT_QUESTIONS_MAX, PURSUITS_MAX};
use contract::wire::{Rcode, RecordType};
use tokio::time::sleep;

use super::world::{House, LATENCY, name, object, publication, seconds};

const PLAIN: (bool, bool) = (false, false);

#[tokio::test(start_paused = true)]
async fn a_change_is_there_within_a_round_of_the_zone_having_it() {
    for after in [0.0, 0.1, 0.6, 3.3, 17.0, 58.0] {
        let house = House::with_settled("www.corp.example").await;
        house.web_says("www.corp.example", &["192.0.2.2"]);
        sleep(seconds(after)).await;
        assert_eq!(house.told("www.corp.example"), ["192.0.2.1"], "the zone has the old one");
        house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
        sleep(seconds(1.0) + 3 * LATENCY).await;
        assert_eq!(house.told("www.corp.example"), ["192.0.2.2"], "after {after} s");
        assert!(house.world.forgotten().contains(&name("www.corp.example")));
        sleep(seconds(5.0)).await;
        assert_eq!((house.count("changes"), house.count("seen"), house.count("unseen")), (2, 1, 0));
        let asked = house.world.asked();
        sleep(seconds(100.0)).await;
        assert_eq!(house.world.asked(), asked, "then it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_grow() {
    let house = House::with_settled("www.corp.example").await;
    let start = house.now();
    house.web_says("www.corp.example", &["192.0.2.2"]);
    sleep(seconds(61.0)).await;
    let moments: Vec<u64> =
        house.world.script().asked.iter().map(|(at, _)| at.since(start).as_millis() as u64).collect();
    let pauses: Vec<u64> = moments.windows(2).map(|two| two[1] - two[0] - LATENCY.as_millis() as u64).collect();
    assert!(moments[0] <= 1, "at once");
    for (pause, most) in pauses.iter().zip([250, 500].into_iter().chain(std::iter::repeat(1_000))) {
        assert!((most * 9 / 10..=most + 2).contains(pause), "{pauses:?}");
    }
    assert!(pauses.iter().any(|pause| *pause != pauses[5]), "with jitter: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_names_that_nobody_here_asked_for() {
    let house = House::with_settled("www.corp.example").await;
    house.says(object("other"), vec![publication("other.corp.example", RecordType::A, &["192.0.2.9"])]);
    sleep(seconds(100.0)).await;
    assert_eq!((house.world.asked(), house.count("changes")), (0, 2));
    assert_eq!((house.count("seen"), house.count("unseen")), (0, 0));
    assert!(house.world.forgotten().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_the_change_and_before_the_zone_sees_it_all_the_same() {
    let house = House::new();
    house.web_says("new.corp.example", &["192.0.2.1"]);
    sleep(seconds(10.0)).await;
    house.world.pod_asks("new.corp.example", RecordType::A, PLAIN);
    house.world.pod_asks("new.corp.example", RecordType::AAAA, PLAIN);
    sleep(seconds(10.0)).await;
    house.world.publish("new.corp.example", RecordType::A, &["192.0.2.1"]);
    sleep(seconds(1.0) + 4 * LATENCY).await;
    assert_eq!(house.told("new.corp.example"), ["192.0.2.1"]);
    let aaaa = house.world.memory_has("new.corp.example", RecordType::AAAA).unwrap();
    assert_eq!(aaaa.rcode(), Rcode::NOERROR, "the name exists for all types");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_gone_is_pursued_until_it_is() {
    let house = House::with_settled("www.corp.example").await;
    house.web_says("www.corp.example", &[]);
    sleep(seconds(8.0)).await;
    assert_eq!(house.told("www.corp.example"), ["192.0.2.1"]);
    house.world.publish("www.corp.example", RecordType::A, &[]);
    sleep(seconds(1.0) + 3 * LATENCY).await;
    assert_eq!(house.world.memory_has("www.corp.example", RecordType::A).unwrap().rcode(), Rcode::NXDOMAIN);
    sleep(seconds(5.0)).await;
    assert_eq!((house.count("seen"), house.count("unseen")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn where_objects_and_zone_never_agree_it_ends_quietly() {
    let house = House::with_settled("www.corp.example").await;
    // a provider's alias: addresses are shown for a host name, and they change
    house.says(object("web"), vec![publication("www.corp.example", RecordType::CNAME, &["lb.cloud.example"])]);
    sleep(seconds(20.0)).await;
    house.world.publish("www.corp.example", RecordType::A, &["198.51.100.7"]);
    sleep(seconds(1.0) + 3 * LATENCY).await;
    assert_eq!(house.told("www.corp.example"), ["198.51.100.7"], "what is shown is told all the same");
    sleep(seconds(45.0)).await;
    assert_eq!((house.count("seen"), house.count("unseen")), (0, 1));
    let asked = house.world.asked();
    assert!((55..=70).contains(&asked), "{asked}");
    sleep(seconds(100.0)).await;
    assert_eq!(house.world.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_again_begins_anew() {
    let house = House::with_settled("www.corp.example").await;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    sleep(seconds(50.0)).await;
    house.web_says("www.corp.example", &["192.0.2.3"]);
    sleep(seconds(50.0)).await;
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
    sleep(seconds(2.0)).await;
    assert_eq!((house.told("www.corp.example"), house.count("seen")), (vec!["192.0.2.2".to_owned()], 0));
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.3"]);
    sleep(seconds(2.0)).await;
    assert_eq!((house.told("www.corp.example"), house.count("seen")), (vec!["192.0.2.3".to_owned()], 1));
    assert_eq!(house.count("changes"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_change_while_a_question_is_under_way_is_not_lost() {
    let house = House::with_settled("www.corp.example").await;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    sleep(seconds(50.0)).await;
    let asked = house.world.asked();
    while house.world.asked() == asked {
        sleep(LATENCY / 4).await;
    }
    house.web_says("www.corp.example", &["192.0.2.3"]);
    sleep(seconds(50.0)).await;
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.3"]);
    sleep(seconds(1.2)).await;
    assert_eq!(house.told("www.corp.example"), ["192.0.2.3"]);
    sleep(seconds(5.0)).await;
    assert_eq!((house.count("changes"), house.count("seen"), house.count("unseen")), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_comes_is_there_for_types_that_nobody_publishes() {
    let house = House::new();
    house.world.pod_asks("new.corp.example", RecordType::AAAA, PLAIN);
    house.web_says("new.corp.example", &["192.0.2.1"]);
    sleep(seconds(30.0)).await;
    house.world.publish("new.corp.example", RecordType::A, &["192.0.2.1"]);
    sleep(seconds(1.2)).await;
    let aaaa = house.world.memory_has("new.corp.example", RecordType::AAAA).unwrap();
    assert_eq!((aaaa.rcode(), house.count("seen")), (Rcode::NOERROR, 1));
}

#[tokio::test(start_paused = true)]
async fn memory_forgets_what_is_older_than_the_question_twice() {
    let house = House::with_settled("www.corp.example").await;
    house.world.pod_asks("www.corp.example", RecordType::A, (true, false));
    house.world.pod_asks("www.corp.example", RecordType::A, (true, true));
    sleep(seconds(1.0)).await;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
    sleep(seconds(0.1)).await;
    assert_eq!(house.world.script().memory.len(), 1, "the variants are gone, the new answer is not");
    // a question that was under way brings the old one back
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.1"]);
    house.world.pod_asks("www.corp.example", RecordType::A, (true, false));
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
    sleep(seconds(10.0)).await;
    assert_eq!(house.world.script().memory.len(), 1);
    assert_eq!(house.told("www.corp.example"), ["192.0.2.2"]);
    let script = house.world.script();
    let last = script.asked.last().unwrap().0;
    assert!(script.forgotten.len() >= 2);
    for (names, before) in &script.forgotten {
        assert_eq!(names, &[name("www.corp.example")]);
        assert!(script.asked.iter().any(|(at, _)| at == before), "a moment at which a question began");
        assert!(*before < last, "and the resolver is looked at once more");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_that_was_renewed_by_a_pod_does_not_hide_the_change() {
    let house = House::with_settled("www.corp.example").await;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    sleep(seconds(5.0)).await;
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
    house.world.pod_asks("www.corp.example", RecordType::A, PLAIN);
    sleep(seconds(1.2)).await;
    assert!(house.world.forgotten().contains(&name("www.corp.example")), "what rests on the old one goes");
}

#[tokio::test(start_paused = true)]
async fn five_thousand_at_once_are_bounded_and_none_is_lost() {
    let house = House::new();
    let owner = |index: usize| format!("n{index}.corp.example");
    let publish_all = |address: &str| {
        for index in 0..5_000 {
            house.says(object(&owner(index)), vec![publication(&owner(index), RecordType::A, &[address])]);
        }
    };
    let zone_has =
        |address: &str| (0..5_000).for_each(|index| house.world.publish(&owner(index), RecordType::A, &[address]));
    publish_all("192.0.2.1");
    zone_has("192.0.2.1");
    sleep(seconds(100.0)).await;
    (0..5_000).for_each(|index| house.world.pod_asks(&owner(index), RecordType::A, PLAIN));
    let before = house.count("seen");
    publish_all("192.0.2.2");
    sleep(seconds(20.0)).await;
    let names: std::collections::HashSet<_> =
        house.world.script().asked.iter().map(|(_, query)| query.name.clone()).collect();
    assert_eq!(names.len(), PURSUITS_MAX, "the rest waits");
    zone_has("192.0.2.2");
    sleep(seconds(300.0)).await;
    assert_eq!(house.count("seen") - before, 5_000);
    assert_eq!(house.count("unseen"), 0);
    assert!((0..5_000).all(|index| house.told(&owner(index)) == ["192.0.2.2"]));
    assert_eq!(house.world.forgotten().len(), 5_000);
    assert_eq!(house.world.most_at_once.load(Ordering::SeqCst), PURSUIT_QUESTIONS_MAX);
}

#[tokio::test(start_paused = true)]
async fn more_changes_than_are_told_concern_what_memory_knows() {
    let house = House::with_settled("www.corp.example").await;
    let (mut objects, kind) = (Vec::new(), contract::Kind::Service);
    for index in 0..6_000 {
        let owner = format!("n{index}.corp.example");
        objects.push((object(&owner), vec![publication(&owner, RecordType::A, &["192.0.2.9"])]));
    }
    // `www` has vanished from the list: it was withdrawn
    house.published.replace(kind, objects, house.now());
    house.world.publish("www.corp.example", RecordType::A, &[]);
    sleep(seconds(100.0)).await;
    assert!(house.world.script().asked.iter().all(|(_, query)| query.name == name("www.corp.example")));
    assert_eq!(house.world.memory_has("www.corp.example", RecordType::A).unwrap().rcode(), Rcode::NXDOMAIN);
    assert_eq!((house.count("changes"), house.count("seen")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_is_asked_for_itself_and_all_below_it_is_forgotten() {
    let house = House::new();
    let says = |address| house.says(object("web"), vec![publication("*.dev.corp.example", RecordType::A, &[address])]);
    says("192.0.2.1");
    house.world.publish("*.dev.corp.example", RecordType::A, &["192.0.2.1"]);
    sleep(seconds(70.0)).await;
    house.world.publish("a.dev.corp.example", RecordType::A, &["192.0.2.1"]);
    house.world.pod_asks("a.dev.corp.example", RecordType::A, PLAIN);
    let before = house.world.script().forgotten.len();
    says("192.0.2.2");
    sleep(seconds(20.0)).await;
    assert_eq!(house.world.script().forgotten.len(), before, "nothing is shown yet");
    assert!(house.world.memory_has("a.dev.corp.example", RecordType::A).is_some());
    house.world.publish("*.dev.corp.example", RecordType::A, &["192.0.2.2"]);
    sleep(seconds(1.0) + 3 * LATENCY).await;
    assert!(house.world.memory_has("a.dev.corp.example", RecordType::A).is_none());
    assert!(house.world.script().asked.iter().all(|(_, query)| query.name == name("*.dev.corp.example")));
    // the zone is first this time
    sleep(seconds(30.0)).await;
    house.world.pod_asks("a.dev.corp.example", RecordType::A, PLAIN);
    house.world.publish("*.dev.corp.example", RecordType::A, &["192.0.2.3"]);
    sleep(seconds(1.0)).await;
    says("192.0.2.3");
    sleep(seconds(1.0)).await;
    assert!(house.world.memory_has("a.dev.corp.example", RecordType::A).is_none());
    assert_eq!((house.count("seen"), house.count("unseen")), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn another_type_takes_the_place_of_the_first() {
    let house = House::with_settled("www.corp.example").await;
    house.says(object("web"), vec![publication("www.corp.example", RecordType::CNAME, &["lb.corp.example"])]);
    sleep(seconds(5.0)).await;
    house.world.publish("www.corp.example", RecordType::A, &[]);
    house.world.publish("www.corp.example", RecordType::CNAME, &["lb.corp.example"]);
    sleep(seconds(1.2)).await;
    assert!(house.told("www.corp.example").is_empty());
    assert_eq!(house.count("seen"), 1);
    sleep(seconds(20.0)).await;
    house.web_says("www.corp.example", &["192.0.2.4"]);
    house.world.publish("www.corp.example", RecordType::CNAME, &[]);
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.4"]);
    sleep(seconds(1.2)).await;
    assert_eq!((house.told("www.corp.example"), house.count("seen")), (vec!["192.0.2.4".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn records_that_are_others_each_time_are_given_up() {
    let house = House::with_settled("www.corp.example").await;
    house.web_says("www.corp.example", &["192.0.2.250"]);
    for round in 0..140 {
        house.world.publish("www.corp.example", RecordType::A, &[&format!("192.0.2.{round}")]);
        sleep(seconds(0.5)).await;
    }
    let forgotten = house.world.script().forgotten.len();
    assert!(forgotten <= 16, "{forgotten}");
    assert_eq!(house.count("unseen"), 1);
}
