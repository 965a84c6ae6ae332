//! A resolver that does not answer, or for which somebody else speaks, has shown nothing.

use contract::wire::RecordType;
use tokio::time::sleep;

use super::world::{House, LATENCY, Mood, seconds};

#[tokio::test(start_paused = true)]
async fn a_resolver_that_fails_for_a_while_has_shown_nothing() {
    for mood in [Mood::Down, Mood::Busy, Mood::Grace, Mood::Made] {
        let house = House::with_settled("www.corp.example").await;
        house.world.script().mood = mood;
        house.web_says("www.corp.example", &["192.0.2.2"]);
        sleep(seconds(20.0)).await;
        assert_eq!((house.count("seen"), house.world.forgotten().len()), (0, 0), "{mood:?}");
        house.world.script().mood = Mood::Answers;
        sleep(seconds(1.0) + 3 * LATENCY).await;
        assert_eq!(
            (house.told("www.corp.example"), house.count("seen")),
            (vec!["192.0.2.1".to_owned()], 0),
            "{mood:?}"
        );
        house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
        sleep(seconds(1.0) + 3 * LATENCY).await;
        assert_eq!(
            (house.told("www.corp.example"), house.count("seen")),
            (vec!["192.0.2.2".to_owned()], 1),
            "{mood:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_in_a_long_outage_is_seen_after_it() {
    let house = House::with_settled("www.corp.example").await;
    house.world.script().mood = Mood::Down;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    house.world.publish("www.corp.example", RecordType::A, &["192.0.2.2"]);
    sleep(seconds(300.0)).await;
    assert_eq!(house.told("www.corp.example"), ["192.0.2.1"], "what is known is kept");
    house.world.script().mood = Mood::Answers;
    sleep(seconds(2.0) + 3 * LATENCY).await;
    assert_eq!((house.told("www.corp.example"), house.count("seen")), (vec!["192.0.2.2".to_owned()], 1));
    assert!(!house.world.forgotten().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_without_end_is_given_up() {
    let house = House::with_settled("www.corp.example").await;
    house.world.script().mood = Mood::Down;
    house.web_says("www.corp.example", &["192.0.2.2"]);
    sleep(seconds(610.0)).await;
    assert_eq!(house.count("unseen"), 1);
    let asked = house.world.asked();
    sleep(seconds(100.0)).await;
    assert_eq!(house.world.asked(), asked);
}
