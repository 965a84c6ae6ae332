//! Who has an address, and why nobody does.

use super::*;
use crate::scope::SearchLists;
use crate::wire::Name;

fn pod(lists: &SearchLists, name: &str, addresses: &[&str], first: &str) -> Pod {
    Pod {
        name: name.into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        list: lists.intern(&[Name::parse(first).unwrap()]),
        ndots: 5,
    }
}

fn list_of(index: &PodIndex, address: &str) -> Option<ListId> {
    index.at(address.parse().unwrap(), |resident| resident.list.id).ok()
}

fn plain(index: &PodIndex, address: &str) -> Option<Plain> {
    index.at(address.parse().unwrap(), |_| ()).err()
}

#[test]
fn an_address_belongs_to_exactly_one_pod_or_to_nobody() {
    let (lists, index) = (SearchLists::default(), PodIndex::default());
    assert_eq!(list_of(&index, "10.0.0.1"), None);
    let conflicts = index.replace(&[
        pod(&lists, "a/one", &["10.0.0.1", "fd00::1", "10.0.0.1"], "a.svc.d"),
        pod(&lists, "a/two", &["10.0.0.2"], "a.svc.d"),
        pod(&lists, "b/three", &["10.0.0.2", "10.0.0.3"], "b.svc.d"),
        pod(&lists, "b/four", &["10.0.0.2"], "b.svc.d"),
    ]);
    assert_eq!(conflicts, 1);
    let a = list_of(&index, "10.0.0.1");
    assert!(a.is_some());
    assert_eq!(list_of(&index, "fd00::1"), a);
    assert_eq!(list_of(&index, "::ffff:10.0.0.1"), a, "an IPv4 client of an IPv6 socket");
    assert_eq!(list_of(&index, "10.0.0.2"), None, "claimed three times");
    assert_ne!(list_of(&index, "10.0.0.3"), a, "another namespace");
    assert_eq!(list_of(&index, "10.0.0.9"), None, "no pod");
    assert_eq!(index.at("10.0.0.3".parse().unwrap(), |who| who.pod.clone()), Ok(Some("b/three".into())));
    assert_eq!(index.addresses(), 3);

    index.withdraw("10.0.0.1".parse().unwrap());
    assert_eq!((list_of(&index, "10.0.0.1"), list_of(&index, "fd00::1")), (None, a), "one address of it");
    index.withdraw("10.0.0.9".parse().unwrap());
    assert_eq!(index.addresses(), 2);

    assert_eq!(index.replace(&[pod(&lists, "a/two", &["10.0.0.2"], "a.svc.d")]), 0);
    assert_eq!(list_of(&index, "10.0.0.2"), a, "equal lists keep one number");
    assert_eq!(list_of(&index, "10.0.0.1"), None, "gone");
}

#[test]
fn a_list_for_everybody_needs_no_address() {
    let (lists, index) = (SearchLists::default(), PodIndex::default());
    let list = lists.intern(&[Name::parse("a.svc.d").unwrap(), Name::root()]);
    index.replace_for_everybody(Arc::clone(&list), 2);
    assert_eq!(list_of(&index, "192.0.2.77"), Some(list.id));
    assert_eq!(index.list(list.id).unwrap().domains.len(), 2);
    index.replace(&[]);
    assert_eq!(list_of(&index, "192.0.2.77"), None);
    assert!(index.list(list.id).is_none());
}

#[test]
fn who_has_no_list_is_told_why() {
    let (lists, index) = (SearchLists::default(), PodIndex::default());
    assert_eq!(plain(&index, "10.0.0.1"), Some(Plain::NotSynced), "nobody has told anything yet");
    assert!(!index.census().is_synced);
    let pods = [
        pod(&lists, "a/one", &["10.0.0.1"], "a.svc.d"),
        pod(&lists, "a/two", &["10.0.0.2", "fd00::2"], "a.svc.d"),
        pod(&lists, "a/three", &["10.0.0.2"], "a.svc.d"),
    ];
    let absent = ["10.0.0.1", "10.0.0.8", "10.0.0.9"].map(|address| address.parse().unwrap());
    let reasons = [Plain::Doubt, Plain::Doubt, Plain::HostNetwork];
    assert_eq!(index.replace_with(&pods, absent.into_iter().zip(reasons)), 1);
    for (address, reason) in [
        ("10.0.0.1", None), // a pod's own stays its own
        ("10.0.0.2", Some(Plain::Conflict)),
        ("fd00::2", None),
        ("10.0.0.8", Some(Plain::Doubt)),
        ("::ffff:10.0.0.9", Some(Plain::HostNetwork)),
        ("10.0.0.7", Some(Plain::Unknown)),
    ] {
        assert_eq!(plain(&index, address), reason, "{address}");
    }
    let census = Census { is_synced: true, pods: 2, addresses: 2, conflicts: 1, doubts: 1 };
    assert_eq!(index.census(), census);
    index.withdraw("10.0.0.1".parse().unwrap());
    assert_eq!(plain(&index, "10.0.0.1"), Some(Plain::Doubt), "withdrawn by the kernel's word");
    index.withdraw("10.0.0.9".parse().unwrap());
    assert_eq!(plain(&index, "10.0.0.9"), Some(Plain::HostNetwork), "nothing to be withdrawn");
    index.forget();
    assert_eq!(plain(&index, "fd00::2"), Some(Plain::NotSynced));
}

#[test]
fn reasons_are_bounded_and_pods_are_not_pushed_out() {
    let (lists, index) = (SearchLists::default(), PodIndex::default());
    let known = pod(&lists, "a/one", &["10.0.0.1"], "a.svc.d");
    let many = (0..=PLAIN_ADDRESSES_MAX as u128).map(|number| (address(number << 64 | 1), Plain::Doubt));
    index.replace_with([&known], many);
    assert_eq!(index.census().doubts, PLAIN_ADDRESSES_MAX);
    assert!(list_of(&index, "10.0.0.1").is_some());
}

#[test]
fn what_it_holds_is_listed_in_order_and_within_a_bound() {
    let (lists, index) = (SearchLists::default(), PodIndex::default());
    let pods =
        [pod(&lists, "a/one", &["10.0.0.3", "fd00::1"], "a.svc.d"), pod(&lists, "a/two", &["10.0.0.1"], "a.svc.d")];
    index.replace_with(&pods, [("10.0.0.2".parse().unwrap(), Plain::HostNetwork)]);
    let (told, left_out) = index.listing(3);
    let told: Vec<_> = told.iter().map(|(at, known)| (at.to_string(), known.as_ref().err().copied())).collect();
    let expected = [("10.0.0.1", None), ("10.0.0.2", Some(Plain::HostNetwork)), ("10.0.0.3", None)];
    assert_eq!(told, expected.map(|(at, plain)| (at.to_owned(), plain)));
    assert_eq!(left_out, 1);
    assert_eq!(index.addresses_of("a/one"), ["10.0.0.3", "fd00::1"].map(|at| at.parse::<IpAddr>().unwrap()));
    assert!(index.addresses_of("a/three").is_empty());
}

#[test]
fn its_age_is_that_of_the_last_word() {
    let index = PodIndex::default();
    assert_eq!(index.age(Moment(5_000)), None);
    index.heard(Moment(0));
    assert_eq!(index.age(Moment(5_000)), Some(Duration::from_secs(5)));
    index.heard(Moment(4_000));
    index.replace(&[]);
    assert_eq!(index.age(Moment(5_000)), Some(Duration::from_secs(1)), "what it holds is another matter");
}
