//! Since when the zone shows what objects say.

use contract::Publication;
use contract::testing::query;
use contract::wire::{Name, RecordType};
use tokio::time::sleep;

use super::world::{House, answer, name, object, publication, seconds};

/// The resolver has said this to somebody.
fn shows(house: &House, asked: &str, rtype: RecordType, records: &[(RecordType, &str)]) {
    let said = answer(&name(asked), rtype, records, !records.is_empty());
    house.follow.saw(&query(asked, rtype), &said);
}

fn account(house: &House) -> Option<String> {
    house.follow.account(&Name::parse("www.corp.example").unwrap())
}

const UNSEEN: &str = "published by Service shop/web, not seen in the zone yet";

#[tokio::test(start_paused = true)]
async fn it_is_seen_from_when_the_zone_shows_it_until_it_does_not() {
    let house = House::new();
    assert_eq!(account(&house), None);
    house.web_says("www.corp.example", &["192.0.2.1", "192.0.2.2"]);
    assert_eq!(account(&house).unwrap(), UNSEEN);
    let (one, two) = ((RecordType::A, "192.0.2.1"), (RecordType::A, "192.0.2.2"));
    for other in [&[one][..], &[], &[one, two, (RecordType::A, "192.0.2.3")]] {
        shows(&house, "www.corp.example", RecordType::A, other);
        assert_eq!(account(&house).unwrap(), UNSEEN, "{other:?}");
    }
    shows(&house, "www.corp.example", RecordType::A, &[two, one]);
    sleep(seconds(12.0)).await;
    shows(&house, "www.corp.example", RecordType::A, &[one, two]);
    shows(&house, "www.corp.example", RecordType::AAAA, &[]);
    assert_eq!(account(&house).unwrap(), "published by Service shop/web, seen in the zone for 12 s");
    shows(&house, "www.corp.example", RecordType::A, &[one]);
    assert_eq!(account(&house).unwrap(), UNSEEN);
}

#[tokio::test(start_paused = true)]
async fn another_word_of_the_object_is_not_seen_yet() {
    let house = House::new();
    house.web_says("www.corp.example", &["192.0.2.1"]);
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.1")]);
    assert!(account(&house).unwrap().ends_with("seen in the zone for 0 s"));
    house.web_says("www.corp.example", &["192.0.2.2"]);
    assert_eq!(account(&house).unwrap(), UNSEEN);
    sleep(seconds(5.0)).await;
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.2")]);
    assert!(account(&house).unwrap().ends_with("seen in the zone for 0 s"));
    house.web_says("www.corp.example", &[]);
    assert_eq!(account(&house), None);
}

#[tokio::test(start_paused = true)]
async fn a_cname_is_seen_and_a_provider_s_alias_is_not() {
    let house = House::new();
    house.says(object("web"), vec![publication("www.corp.example", RecordType::CNAME, &["LB.example"])]);
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.1")]);
    assert_eq!(account(&house).unwrap(), UNSEEN);
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::CNAME, "lb.example")]);
    assert!(account(&house).unwrap().ends_with("seen in the zone for 0 s"));
}

#[tokio::test(start_paused = true)]
async fn a_name_below_a_wildcard_is_seen_by_itself() {
    let house = House::new();
    house.says(object("web"), vec![publication("*.corp.example", RecordType::A, &["192.0.2.1"])]);
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.1")]);
    shows(&house, "other.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.9")]);
    assert!(account(&house).unwrap().ends_with("seen in the zone for 0 s"));
}

#[tokio::test(start_paused = true)]
async fn more_objects_and_those_that_do_not_say_it_all() {
    let house = House::new();
    house.says(object("web"), vec![publication("www.corp.example", RecordType::A, &["192.0.2.1"])]);
    house.says(object("two"), vec![publication("www.corp.example", RecordType::A, &["192.0.2.2"])]);
    shows(&house, "www.corp.example", RecordType::A, &[(RecordType::A, "192.0.2.2")]);
    assert_eq!(account(&house).unwrap(), "published by Service shop/two and 1 more, seen in the zone for 0 s");
    house.says(object("two"), vec![]);
    let weighted = Publication { is_plain: false, ..publication("www.corp.example", RecordType::A, &["192.0.2.1"]) };
    house.says(object("web"), vec![weighted]);
    let text = "published by Service shop/web, which does not say all that the zone shows";
    assert_eq!(account(&house).unwrap(), text);
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded_and_the_latest_stay() {
    let house = House::new();
    house.says(object("web"), vec![publication("*.corp.example", RecordType::A, &["192.0.2.1"])]);
    let last = 3 * contract::limits::SIGHTINGS_HALF_MAX;
    for index in 0..last {
        shows(&house, &format!("n{index}.corp.example"), RecordType::A, &[(RecordType::A, "192.0.2.1")]);
    }
    let is_seen = |index: usize| {
        let said = house.follow.account(&name(&format!("n{index}.corp.example"))).unwrap();
        said.contains("seen in the zone for")
    };
    assert!(!is_seen(0) && is_seen(last - 1) && is_seen(last - contract::limits::SIGHTINGS_HALF_MAX));
}
