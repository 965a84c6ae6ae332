//! A configuration that is read anew takes over what was pursued.

use contract::wire::RecordType;
use tokio::time::sleep;

use super::world::{House, LATENCY, Mood, object, publication, seconds};

const WWW: &str = "www.corp.example";

#[tokio::test(start_paused = true)]
async fn what_was_pursued_is_pursued_on() {
    let mut house = House::with_settled(WWW).await;
    house.web_says(WWW, &["192.0.2.2"]);
    for _ in 0..2 {
        sleep(seconds(15.0)).await;
        house.reload();
    }
    sleep(seconds(20.0)).await;
    assert_eq!(house.told(WWW), ["192.0.2.1"]);
    house.world.publish(WWW, RecordType::A, &["192.0.2.2"]);
    sleep(seconds(1.0) + 3 * LATENCY).await;
    assert_eq!(house.told(WWW), ["192.0.2.2"]);
    sleep(seconds(5.0)).await;
    assert_eq!((house.count("changes"), house.count("seen"), house.count("unseen")), (2, 1, 0), "counted once");
}

#[tokio::test(start_paused = true)]
async fn who_asks_only_after_the_reload_sees_the_change_all_the_same() {
    let mut house = House::new();
    house.web_says("new.corp.example", &["192.0.2.1"]);
    sleep(seconds(10.0)).await;
    house.reload();
    sleep(seconds(10.0)).await;
    house.world.pod_asks("new.corp.example", RecordType::A, (false, false));
    house.world.publish("new.corp.example", RecordType::A, &["192.0.2.1"]);
    sleep(seconds(1.0) + 4 * LATENCY).await;
    assert_eq!(house.told("new.corp.example"), ["192.0.2.1"]);
    assert_eq!(house.count("changes"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_long_outage_outlives_the_reload() {
    let mut house = House::with_settled(WWW).await;
    house.world.script().mood = Mood::Down;
    house.web_says(WWW, &["192.0.2.2"]);
    house.world.publish(WWW, RecordType::A, &["192.0.2.2"]);
    sleep(seconds(200.0)).await;
    house.reload();
    sleep(seconds(100.0)).await;
    house.world.script().mood = Mood::Answers;
    sleep(seconds(2.0) + 3 * LATENCY).await;
    assert_eq!(house.told(WWW), ["192.0.2.2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_not_begun_anew() {
    let mut house = House::with_settled(WWW).await;
    sleep(seconds(600.0)).await;
    house.reload();
    sleep(seconds(100.0)).await;
    assert_eq!((house.world.asked(), house.count("changes")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn more_than_is_remembered_concerns_what_memory_knows() {
    let mut house = House::with_settled(WWW).await;
    house.web_says(WWW, &["192.0.2.2"]);
    sleep(seconds(10.0)).await;
    let others: Vec<_> = (0..6_000)
        .map(|index| format!("n{index}.corp.example"))
        .map(|owner| (object(&owner), vec![publication(&owner, RecordType::A, &["192.0.2.9"])]))
        .chain([(object("web"), vec![publication(WWW, RecordType::A, &["192.0.2.2"])])])
        .collect();
    house.published.replace(contract::Kind::Service, others, house.now());
    sleep(seconds(10.0)).await;
    house.reload();
    sleep(seconds(10.0)).await;
    house.world.publish(WWW, RecordType::A, &["192.0.2.2"]);
    sleep(seconds(1.0) + 3 * LATENCY).await;
    assert_eq!(house.told(WWW), ["192.0.2.2"]);
}
