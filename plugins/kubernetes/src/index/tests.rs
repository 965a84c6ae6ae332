//! The index's rules, one by one.

use contract::SearchLists;
use contract::wire::Name;

use super::*;

const ADDRESS: &str = "10.0.0.7";

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pod of the namespace `shop` as of `version`, in its first sandbox, which is ready since second 100.
fn pod(name: &str, version: u64, addresses: &[&str]) -> Claim {
    let list = SearchLists::default().intern(&[Name::parse("shop.svc.cluster.local").unwrap()]);
    Claim {
        uid: format!("uid-of-{name}").into(),
        version: Version(version.to_string()),
        name: format!("shop/{name}").into(),
        addresses: addresses.iter().map(|address| at(address)).collect(),
        list,
        ndots: 5,
        sandbox: 1,
        ready_at: Some(100),
    }
}

fn listed(index: &mut Index, version: u64, pods: &[Claim]) {
    index.list(pods.to_vec(), Version(version.to_string()), Moment(0), false);
}

fn with(version: u64, pods: &[Claim]) -> Index {
    let mut index = Index::default();
    listed(&mut index, version, pods);
    index
}

fn resident(index: &Index, address: &str) -> Option<String> {
    let pods = index.residents(false).pods;
    let mut residents = pods.iter().filter(|pod| pod.addresses.contains(&at(address)));
    let resident = residents.next().map(|pod| pod.name.to_string());
    assert!(residents.next().is_none(), "{address} is given once");
    resident
}

#[track_caller]
fn is_given(index: &Index, name: &str) {
    assert_eq!(resident(index, ADDRESS), Some(format!("shop/{name}")));
    assert!(index.doubted(at(ADDRESS)).is_none());
}

#[track_caller]
fn is_given_to_nobody(index: &Index) {
    assert_eq!(resident(index, ADDRESS), None);
}

#[test]
fn one_live_pod_has_each_of_its_addresses() {
    let index = with(10, &[pod("web", 5, &[ADDRESS, "fd00::7"]), pod("starting", 6, &[])]);
    is_given(&index, "web");
    assert_eq!(resident(&index, "fd00::7").as_deref(), Some("shop/web"));
    assert_eq!(index.len(), 2);
    let residents = index.residents(false);
    assert_eq!((residents.pods.len(), residents.pods[0].ndots), (1, 5), "who has no address is not there");
}

#[test]
fn an_address_of_two_live_pods_is_nobodys_until_one_gives_it_up() {
    let mut index = with(10, &[pod("old", 5, &[ADDRESS, "10.0.0.8"]), pod("new", 6, &[ADDRESS])]);
    is_given_to_nobody(&index);
    assert_eq!(index.residents(false).conflicts, 1);
    assert_eq!(resident(&index, "10.0.0.8").as_deref(), Some("shop/old"), "its other address is its own");
    index.changed(pod("old", 11, &[]));
    is_given(&index, "new");
}

#[test]
fn an_address_goes_over_whichever_word_comes_first() {
    let mut index = with(10, &[pod("old", 5, &[ADDRESS])]);
    index.changed(pod("new", 12, &[ADDRESS]));
    is_given_to_nobody(&index);
    index.deleted(&pod("old", 13, &[]).uid);
    is_given(&index, "new");

    let mut index = with(10, &[pod("old", 5, &[ADDRESS])]);
    index.deleted(&pod("old", 11, &[]).uid);
    is_given_to_nobody(&index);
    index.changed(pod("new", 12, &[ADDRESS]));
    is_given(&index, "new");
}

#[test]
fn a_pod_that_is_made_again_under_its_name_is_another() {
    let mut index = with(10, &[pod("web-0", 5, &[ADDRESS])]);
    let mut again = pod("web-0", 12, &[ADDRESS]);
    again.uid = "another".into();
    index.changed(again);
    is_given_to_nobody(&index);
    index.deleted(&pod("web-0", 13, &[]).uid);
    is_given(&index, "web-0");
}

#[test]
fn words_that_are_out_of_date_tell_nothing() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.changed(pod("web", 9, &["10.0.0.8"]));
    index.changed(pod("web", 7, &[ADDRESS]));
    is_given_to_nobody(&index);
    index.changed(pod("web", 10, &[ADDRESS]));
    is_given(&index, "web");
    index.changed(pod("gone before the list", 8, &["10.0.0.9"]));
    assert_eq!(resident(&index, "10.0.0.9"), None, "the list did not have it");
    index.changed(pod("gone with the list", 10, &["10.0.0.9"]));
    assert_eq!(resident(&index, "10.0.0.9"), None, "the list did not have it either");
    assert_eq!(index.len(), 1);
}

#[test]
fn versions_are_numbers_of_any_length_and_what_is_no_number_is_news() {
    let mut index = with(9, &[pod("web", 9, &["10.0.0.8"])]);
    index.changed(pod("web", 10, &[ADDRESS]));
    is_given(&index, "web");
    let mut long = pod("web", 0, &["10.0.0.9"]);
    long.version = Version("340282366920938463463374607431768211455".into());
    index.changed(long);
    index.changed(pod("web", 11, &[ADDRESS]));
    is_given_to_nobody(&index);
    let mut odd = pod("web", 0, &[ADDRESS]);
    odd.version = Version("z9".into());
    index.changed(odd);
    is_given(&index, "web");
}

#[test]
fn a_deleted_pod_does_not_come_back() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.deleted(&pod("web", 11, &[]).uid);
    index.changed(pod("web", 12, &[ADDRESS]));
    is_given_to_nobody(&index);
    listed(&mut index, 10, &[pod("web", 5, &[ADDRESS])]);
    is_given_to_nobody(&index);
    index.deleted(&pod("never seen", 13, &[]).uid);
    index.changed(pod("never seen", 12, &[ADDRESS]));
    is_given_to_nobody(&index);
}

#[test]
fn a_list_replaces_everything_but_what_is_later() {
    let mut index = with(10, &[pod("gone", 5, &["10.0.0.1"]), pod("stays", 6, &["10.0.0.2"])]);
    index.changed(pod("later", 22, &["10.0.0.3"]));
    index.changed(pod("stays", 21, &["10.0.0.4"]));
    listed(&mut index, 20, &[pod("stays", 6, &["10.0.0.2"]), pod("new", 15, &["10.0.0.5"])]);
    let found = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"].map(|address| resident(&index, address));
    let expected = [None, None, Some("shop/later"), Some("shop/stays"), Some("shop/new")];
    assert_eq!(found.each_ref().map(Option::as_deref), expected);
}

#[test]
fn a_list_that_is_older_than_the_last_one_tells_nothing() {
    let mut index = with(20, &[pod("web", 15, &[ADDRESS])]);
    listed(&mut index, 10, &[pod("gone between", 5, &["10.0.0.9"])]);
    is_given(&index, "web");
    assert_eq!(resident(&index, "10.0.0.9"), None);
}

#[test]
fn of_a_pod_that_stands_twice_in_a_list_the_later_word_counts() {
    for order in [[0, 1], [1, 0]] {
        let words = [pod("web", 5, &["10.0.0.8"]), pod("web", 6, &[ADDRESS])];
        let index = with(10, &order.map(|at| words[at].clone()));
        is_given(&index, "web");
        assert_eq!(index.len(), 1);
    }
}

#[test]
fn where_versions_begin_anew_nothing_known_counts() {
    let mut index = with(1_000, &[pod("web", 900, &[ADDRESS])]);
    index.deleted(&pod("back", 950, &[]).uid);
    let back = pod("back", 3, &["10.0.0.8"]);
    index.list(vec![back], Version("7".into()), Moment(0), true);
    is_given_to_nobody(&index);
    assert_eq!(resident(&index, "10.0.0.8").as_deref(), Some("shop/back"));
    index.changed(pod("web", 8, &[ADDRESS]));
    is_given(&index, "web");
}

#[test]
fn an_address_in_doubt_is_nobodys_at_once() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS, "fd00::7"])]);
    index.doubt(at(ADDRESS), 1, 200);
    is_given_to_nobody(&index);
    assert!(index.doubted(at(ADDRESS)).is_some());
    assert_eq!(index.residents(false).doubted, 1);
    assert_eq!(resident(&index, "fd00::7").as_deref(), Some("shop/web"), "the kernel said nothing of the other one");
    listed(&mut index, 20, &[pod("web", 5, &[ADDRESS, "fd00::7"])]);
    is_given_to_nobody(&index);
}

#[test]
fn a_doubt_about_an_address_that_nobody_has_is_none_for_who_comes() {
    let mut index = with(10, &[]);
    index.doubt(at(ADDRESS), 1, 200);
    assert!(index.doubted(at(ADDRESS)).is_none());
    let mut web = pod("web", 11, &[ADDRESS]);
    web.ready_at = Some(200);
    index.changed(web);
    is_given(&index, "web");
}

#[test]
fn another_sandbox_ends_a_doubt_and_other_containers_in_the_same_do_not() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    let mut web = pod("web", 11, &[ADDRESS]);
    web.sandbox = 2; // a container that was started again, before or after
    index.changed(web.clone());
    is_given_to_nobody(&index);
    (web.version, web.sandbox, web.ready_at) = (Version("12".into()), 3, Some(201));
    index.changed(web);
    is_given(&index, "web");
}

#[test]
fn where_kubelets_do_not_tell_of_sandboxes_other_containers_end_a_doubt() {
    let mut web = pod("web", 5, &[ADDRESS]);
    web.ready_at = None;
    let mut index = with(10, &[web.clone()]);
    index.doubt(at(ADDRESS), 1, 200);
    (web.version, web.sandbox) = (Version("11".into()), 2);
    index.changed(web);
    is_given(&index, "web");
}

#[test]
fn a_sandbox_that_is_older_than_a_doubt_is_not_believed_whenever_its_word_comes() {
    for (ready_at, believed) in [(198, false), (199, true), (200, true), (300, true)] {
        let mut index = with(10, &[]);
        index.doubt(at(ADDRESS), 1, 200);
        let mut late = pod("late", 11, &[ADDRESS]);
        late.ready_at = Some(ready_at);
        index.changed(late);
        assert_eq!(resident(&index, ADDRESS).is_some(), believed, "ready at {ready_at}");
    }
}

#[test]
fn a_doubt_outlives_the_pod_that_it_was_about() {
    // first A had it, then B, whose words are late, and now C, of whom nothing is known
    let mut index = with(10, &[pod("a", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.doubt(at(ADDRESS), 2, 300);
    index.deleted(&pod("a", 11, &[]).uid);
    let mut b = pod("b", 12, &[ADDRESS]);
    b.ready_at = Some(210);
    index.changed(b);
    is_given_to_nobody(&index);
}

#[test]
fn what_the_kernel_shows_again_is_believed_after_a_list_that_was_asked_for_later() {
    let web = || pod("web", 5, &[ADDRESS]);
    let mut index = with(10, &[web()]);
    index.doubt(at(ADDRESS), 1, 200);
    index.doubt(at(ADDRESS), 2, 200);
    index.restored(at(ADDRESS), 1, Moment(500));
    is_given_to_nobody(&index);
    index.list(vec![web()], Version("11".into()), Moment(499), false);
    is_given_to_nobody(&index);
    index.list(vec![web()], Version("11".into()), Moment(500), false);
    is_given(&index, "web");
}

#[test]
fn a_change_after_the_kernel_took_one_back_stands() {
    let web = || pod("web", 5, &[ADDRESS]);
    let mut index = with(10, &[web()]);
    index.doubt(at(ADDRESS), 1, 200);
    index.restored(at(ADDRESS), 1, Moment(500));
    index.doubt(at(ADDRESS), 2, 201);
    index.list(vec![web()], Version("11".into()), Moment(600), false);
    is_given_to_nobody(&index);
}

#[test]
fn a_change_before_the_one_that_is_taken_back_stands() {
    // A's sandbox goes; B's comes, its link is lost and back; of B nothing is known yet
    let mut index = with(10, &[pod("a", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.doubt(at(ADDRESS), 2, 250);
    index.restored(at(ADDRESS), 2, Moment(500));
    index.list(vec![pod("a", 5, &[ADDRESS])], Version("11".into()), Moment(600), false);
    is_given_to_nobody(&index);
    index.deleted(&pod("a", 12, &[]).uid);
    let mut b = pod("b", 13, &[ADDRESS]);
    b.ready_at = Some(205);
    index.changed(b);
    is_given(&index, "b");
}

#[test]
fn who_is_shown_after_a_loss_is_believed_after_a_list_that_was_asked_for_later() {
    // A went; B's word came before the kernel showed B
    let mut index = with(10, &[pod("a", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.deleted(&pod("a", 11, &[]).uid);
    let mut b = pod("b", 12, &[ADDRESS]);
    b.ready_at = Some(205);
    index.changed(b.clone());
    is_given(&index, "b");
    index.newcomer(at(ADDRESS), 2, Moment(500), 230);
    is_given_to_nobody(&index);
    index.list(vec![b.clone()], Version("13".into()), Moment(499), false);
    is_given_to_nobody(&index);
    index.list(vec![b], Version("13".into()), Moment(500), false);
    is_given(&index, "b");
}

#[test]
fn who_is_yet_to_claim_an_address_is_not_held_to_the_moment_it_was_shown() {
    let mut index = with(10, &[pod("a", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.newcomer(at(ADDRESS), 2, Moment(500), 230);
    is_given_to_nobody(&index);
    index.deleted(&pod("a", 11, &[]).uid);
    let mut b = pod("b", 12, &[ADDRESS]);
    b.ready_at = Some(205);
    index.changed(b);
    is_given(&index, "b");
}

#[test]
fn who_is_shown_where_nothing_was_lost_is_doubted_like_any_change() {
    let mut index = with(10, &[pod("a", 5, &[ADDRESS])]);
    index.newcomer(at(ADDRESS), 1, Moment(500), 230);
    index.list(vec![pod("a", 5, &[ADDRESS])], Version("11".into()), Moment(600), false);
    is_given_to_nobody(&index);
}

#[test]
fn many_changes_of_one_address_are_bounded_and_no_doubt_is_lost() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    for change in 1..=1_000 {
        index.doubt(at(ADDRESS), change, 200 + change);
    }
    assert!(index.doubts[&at(ADDRESS)].len() <= DOUBT_CHANGES_MAX);
    index.restored(at(ADDRESS), 999, Moment(500));
    listed(&mut index, 11, &[pod("web", 5, &[ADDRESS])]);
    is_given_to_nobody(&index);
    index.restored(at(ADDRESS), 1, Moment(500));
    index.list(vec![pod("web", 5, &[ADDRESS])], Version("12".into()), Moment(500), false);
    is_given(&index, "web");
}

#[test]
fn of_two_changes_that_count_as_one_both_have_to_be_taken_back() {
    for first_taken_back in [1, 2] {
        let web = || pod("web", 5, &[ADDRESS]);
        let mut index = with(10, &[web()]);
        (1..=first_taken_back).for_each(|change| index.doubt(at(ADDRESS), change, 200));
        index.restored(at(ADDRESS), first_taken_back, Moment(500));
        let more = first_taken_back + 1..=1 + DOUBT_CHANGES_MAX as u64;
        more.for_each(|change| index.doubt(at(ADDRESS), change, 200));
        index.restored(at(ADDRESS), 3, Moment(600));
        index.list(vec![web()], Version("11".into()), Moment(700), false);
        is_given_to_nobody(&index);
    }
}

#[test]
fn a_clock_that_is_put_back_does_not_keep_an_address_in_doubt() {
    let mut index = with(10, &[]);
    index.doubt(at(ADDRESS), 1, 9_000_000);
    index.doubt(at(ADDRESS), 2, 200);
    let mut web = pod("web", 11, &[ADDRESS]);
    web.ready_at = Some(200);
    index.changed(web);
    is_given(&index, "web");
}

#[test]
fn in_an_outage_those_count_that_the_kernel_vouches_for() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS]), pod("db", 6, &["10.0.0.8"])]);
    index.traced(at(ADDRESS), true);
    let vouched = |index: &Index| {
        let residents = index.residents(true);
        let names: Vec<_> = residents.pods.iter().map(|pod| pod.name.to_string()).collect();
        (names, residents.unvouched)
    };
    assert_eq!(vouched(&index), (vec!["shop/web".to_owned()], 1));
    assert_eq!(index.residents(false).pods.len(), 2, "with the API server there, both do");
    index.traced(at(ADDRESS), false);
    assert_eq!(vouched(&index), (vec![], 2));
    index.traced(at(ADDRESS), true);
    index.blind();
    assert_eq!(vouched(&index), (vec![], 2));
}

#[test]
fn there_is_room_for_so_many_pods_and_the_others_are_counted() {
    let pods: Vec<_> = (0..=PODS_MAX).map(|number| pod(&number.to_string(), 5, &[])).collect();
    let mut index = with(10, &pods);
    assert_eq!((index.len(), index.refused()), (PODS_MAX, 1));
    index.changed(pod("one more", 11, &[ADDRESS]));
    assert_eq!((index.len(), index.refused()), (PODS_MAX, 2));
    index.changed(pod("0", 12, &[ADDRESS]));
    is_given(&index, "0");
    index.deleted(&pod("1", 13, &[]).uid);
    index.changed(pod("one more", 14, &["10.0.0.8"]));
    assert_eq!(resident(&index, "10.0.0.8").as_deref(), Some("shop/one more"));
}

#[test]
fn the_pods_that_are_remembered_as_gone_are_bounded() {
    let mut index = with(10, &[]);
    for number in 0..=TOMBSTONES_MAX {
        index.deleted(&pod(&number.to_string(), 11, &[]).uid);
    }
    assert_eq!((index.gone.len(), index.order.len()), (TOMBSTONES_MAX, TOMBSTONES_MAX));
    index.changed(pod("1", 12, &[ADDRESS]));
    is_given_to_nobody(&index);
}

#[test]
fn doubts_are_bounded_and_those_about_somebody_stay() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    for number in 0..u32::try_from(DOUBTS_MAX).unwrap() + 10 {
        index.doubt(IpAddr::from((0x0a01_0000 + number).to_be_bytes()), u64::from(number) + 2, 300);
    }
    assert_eq!(index.doubts.len(), DOUBTS_MAX);
    assert!(index.doubted(at(ADDRESS)).is_some());
}

fn list_asked_at(index: &mut Index, version: u64, asked: u64, pods: &[Claim]) {
    index.list(pods.to_vec(), Version(version.to_string()), Moment(asked), false);
}

#[test]
fn who_claimed_an_address_after_a_loss_is_believed_once_shown_there_and_listed() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.deleted(&pod("web", 5, &[]).uid);
    let next = Claim { ready_at: Some(210), ..pod("next", 20, &[ADDRESS]) };
    index.changed(next.clone());
    is_given(&index, "next");
    index.newcomer(at(ADDRESS), 2, Moment(5), 220);
    is_given_to_nobody(&index);
    list_asked_at(&mut index, 30, 4, std::slice::from_ref(&next));
    is_given_to_nobody(&index);
    list_asked_at(&mut index, 31, 6, std::slice::from_ref(&next));
    is_given(&index, "next");
    index.doubt(at(ADDRESS), 3, 300);
    list_asked_at(&mut index, 40, 1_000, &[next]);
    is_given_to_nobody(&index);
}

#[test]
fn whose_sandbox_was_ready_before_it_was_shown_is_believed_all_the_same() {
    let mut index = with(10, &[pod("web", 5, &[ADDRESS])]);
    index.doubt(at(ADDRESS), 1, 200);
    index.newcomer(at(ADDRESS), 2, Moment(5), 220);
    index.deleted(&pod("web", 5, &[]).uid);
    index.changed(Claim { ready_at: Some(210), ..pod("next", 20, &[ADDRESS]) });
    is_given(&index, "next");
}

#[test]
fn a_newcomer_does_not_bring_back_who_was_lost() {
    let web = pod("web", 5, &[ADDRESS]);
    let mut index = with(10, std::slice::from_ref(&web));
    index.doubt(at(ADDRESS), 1, 200);
    index.newcomer(at(ADDRESS), 2, Moment(5), 220);
    list_asked_at(&mut index, 31, 6, &[web]);
    is_given_to_nobody(&index);
}

#[test]
fn a_newcomer_without_a_loss_is_a_doubt() {
    let web = pod("web", 5, &[ADDRESS]);
    let mut index = with(10, std::slice::from_ref(&web));
    index.newcomer(at(ADDRESS), 1, Moment(5), 220);
    list_asked_at(&mut index, 31, 6, &[web]);
    is_given_to_nobody(&index);
}
