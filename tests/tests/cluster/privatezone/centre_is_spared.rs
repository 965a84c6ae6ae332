//! Who is asked for what: the centre nothing in the private zone, its server nothing else, and a private name that a second pod
//! searches for costs the centre nothing.

use nearpath_tests::mode::note;

use super::house::House;
use super::plane;

const PRIVATE: &str = "\
corp.example:53 {
    bind IP
    cache
    privatezone {
        to KNOT
        max_qps 0
    }
    prometheus IP:9153
}";

const NAMES: usize = 30;

#[test]
fn each_server_is_asked_for_its_own_alone() {
    let Some(plane) = plane() else { return };
    let zone: String = (0..NAMES).map(|number| format!("n{number} 60 A 203.0.113.{number}\n")).collect();
    let house = House::new(plane, "spared", &[("corp.example.", &zone)], PRIVATE);
    let (first, second) = (house.pod("first"), house.pod("second"));

    for number in 0..NAMES {
        let address = format!("203.0.113.{number}");
        // in full, by the search domain that the host has, and with its final dot
        let forms = [format!("n{number}.corp.example"), format!("n{number}"), format!("n{number}.corp.example.")];
        assert_eq!(first.finds(&forms[number % 3]), [address.as_str()], "{}", forms[number % 3]);
    }
    for name in
        ["missing.corp.example", "missing.corp.example.", "missing", "www.elsewhere.test", "www.elsewhere.test."]
    {
        assert!(first.finds(name).is_empty(), "{name}");
    }
    let asked = house.centre_was_asked();
    let private: Vec<_> = asked.iter().filter(|line| is_in_zone(line)).collect();
    assert!(private.is_empty(), "the centre was asked for private names: {private:#?}");
    assert!(
        asked.iter().any(|line| line.starts_with("www.elsewhere.test. ")),
        "the log of the centre is read: {asked:#?}"
    );
    let seen = house.relay.seen();
    let strangers: Vec<_> =
        seen.iter().filter(|seen| !is_in_zone(&format!("{} ", seen.name))).map(|seen| &seen.name).collect();
    assert!(strangers.is_empty(), "the private zone's server was asked for others: {strangers:#?}");
    assert!(seen.len() >= NAMES, "it was asked for its own");
    note(&format!(
        "{NAMES} private names: its server was asked {} times, the centre {} times",
        seen.len(),
        asked.len()
    ));

    a_second_pod_costs_nothing(&house, &first, &second);
}

/// What one pod of a namespace has found, another one finds without a question; and a name that nobody has asked for yet costs
/// the centre nothing either, once it has said what is not in the cluster.
fn a_second_pod_costs_nothing(house: &House, first: &super::house::Inhabitant, second: &super::house::Inhabitant) {
    // the first of them is asked in full everywhere, and shows the cut
    for name in ["n0.corp.example", "n1.corp.example"] {
        assert_eq!(first.walks(name, "A").rcode, 0);
    }
    std::thread::sleep(std::time::Duration::from_millis(500)); // what is asked beside the answer
    let before = house.centre_was_asked();
    for number in 0..NAMES {
        let name = format!("n{number}.corp.example");
        if number % 3 == 0 {
            // in memory by now: no question to anybody
            assert_eq!(second.walks(&name, "A").rcode, 0);
        }
    }
    let after = house.centre_was_asked();
    let new = &after[before.len()..];
    note(&format!("a second pod asks for {} of them: the centre is asked {} times more", NAMES.div_ceil(3), new.len()));
    // proofs are renewed ahead of their end by one question per search domain, whoever asks
    let of_names: Vec<_> = new.iter().filter(|line| line.contains("corp.example.") && line.starts_with('n')).collect();
    assert!(of_names.is_empty(), "the centre is asked anew: {of_names:#?}");
}

/// `NAME TYPE` of a name in the private zone itself.
fn is_in_zone(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or_default();
    name == "corp.example." || name.ends_with(".corp.example.")
}
