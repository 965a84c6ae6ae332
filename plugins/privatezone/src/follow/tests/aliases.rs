//! Answers that rest on a name for which nobody has asked: the chain of an alias is memorised under the alias alone.

use contract::testing::query;
use contract::wire::RecordType;
use tokio::time::sleep;

use super::world::{House, LATENCY, Mood, name, object, publication, seconds};

const ALIAS: &str = "x.corp.example";
const TARGET: &str = "db.corp.example";

/// `db` is published with 192.0.2.1, and pods ask for its alias alone.
async fn with_alias() -> House {
    let house = House::new();
    house.web_says(TARGET, &["192.0.2.1"]);
    house.world.publish(TARGET, RecordType::A, &["192.0.2.1"]);
    sleep(seconds(70.0)).await;
    house.world.pod_asks_alias(&house.follow, ALIAS, TARGET);
    assert_eq!(house.told(ALIAS), ["192.0.2.1"]);
    house
}

fn times_forgotten(house: &House) -> usize {
    house.world.script().forgotten.iter().filter(|(names, _)| names.contains(&name(TARGET))).count()
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_forgotten_when_its_target_changes() {
    for after in [0.0, 5.0, 30.0] {
        let house = with_alias().await;
        house.web_says(TARGET, &["192.0.2.2"]);
        sleep(seconds(after)).await;
        // meanwhile it comes back with the old address
        house.world.pod_asks_alias(&house.follow, ALIAS, TARGET);
        house.world.publish(TARGET, RecordType::A, &["192.0.2.2"]);
        sleep(seconds(1.0) + 5 * LATENCY).await;
        assert!(house.told(ALIAS).is_empty(), "after {after} s");
        assert_eq!(house.count("seen"), 1);
        // a question that was under way brings the old one back
        let before = times_forgotten(&house);
        sleep(seconds(5.0)).await;
        assert!(before >= 1 && times_forgotten(&house) >= 2, "once more, a second later");
        let asked = house.world.asked();
        sleep(seconds(100.0)).await;
        assert_eq!(house.world.asked(), asked, "then it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_has_of_the_target_itself_does_not_hide_that_the_alias_is_older() {
    for mood in [Mood::Answers, Mood::Down] {
        let house = with_alias().await;
        house.world.publish(TARGET, RecordType::A, &["192.0.2.2"]);
        house.world.pod_asks(TARGET, RecordType::A, (false, false));
        house.world.script().mood = mood;
        house.web_says(TARGET, &["192.0.2.2"]);
        sleep(seconds(5.0)).await;
        house.world.script().mood = Mood::Answers;
        sleep(seconds(1.0) + 5 * LATENCY).await;
        assert!(house.told(ALIAS).is_empty(), "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_asked_for_before_a_reload_is_forgotten_after_it() {
    let mut house = with_alias().await;
    sleep(seconds(700.0)).await;
    house.reload();
    sleep(seconds(5.0)).await;
    house.web_says(TARGET, &["192.0.2.2"]);
    house.world.publish(TARGET, RecordType::A, &["192.0.2.2"]);
    sleep(seconds(1.0) + 5 * LATENCY).await;
    assert!(house.told(ALIAS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_alias_after_the_change_is_noticed() {
    let house = House::new();
    house.web_says(TARGET, &["192.0.2.2"]);
    house.world.publish(TARGET, RecordType::A, &["192.0.2.1"]);
    sleep(seconds(10.0)).await;
    assert_eq!(house.world.asked(), 0);
    house.world.pod_asks_alias(&house.follow, ALIAS, TARGET);
    sleep(seconds(10.0)).await;
    house.world.publish(TARGET, RecordType::A, &["192.0.2.2"]);
    house.world.pod_asks_alias(&house.follow, "y.corp.example", TARGET);
    sleep(seconds(1.0) + 5 * LATENCY).await;
    assert!(house.told(ALIAS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_was_meant_if_the_target_was_withdrawn() {
    let house = with_alias().await;
    house.says(object("alias"), vec![publication(ALIAS, RecordType::CNAME, &[TARGET])]);
    let (known, asked) = (house.world.memory_has(ALIAS, RecordType::A).unwrap(), query(ALIAS, RecordType::A));
    assert!(!house.follow.was_meant(&asked, &known));
    house.web_says(TARGET, &[]);
    assert!(house.follow.was_meant(&asked, &known));
    assert!(!house.follow.was_meant(&query(ALIAS, RecordType::CNAME), &known), "the alias itself stands");
    house.says(object("other"), vec![publication(TARGET, RecordType::A, &["192.0.2.3"])]);
    assert!(!house.follow.was_meant(&asked, &known), "somebody else publishes it");
    house.says(object("alias"), vec![]);
    assert!(house.follow.was_meant(&asked, &known), "the alias was withdrawn");
}
