//! The NXDOMAIN cut seen from the server blocks: what is asked when, what it proves, and how it is given up.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use contract::Blocks as _;
use contract::limits::{CUT_CHECK_EVERY, CUT_LOOKS_APART_MAX, CUT_LOOKS_MAX, CUTS_MAX, STALE_RECHECK};
use contract::wire::{Class, Rcode, Section};
use futures_util::future::join_all;
use tokio::time::sleep;

use house::{A, DENIAL, House, STRANGER, Says, TXT, WAIT, house, name};

#[path = "cut/house.rs"]
mod house;

/// The cuts of `com` are learned, and memory has their proofs.
async fn learned(house: &House) {
    for typed in ["one.x.com", "two.x.com"] {
        assert!(house.finds(typed, TXT).await);
    }
    sleep(Duration::from_millis(100)).await;
    house.asked();
}

const FULL: [&str; 3] = ["www.x.com.d.e. TXT", "www.x.com.shop.svc.d.e. TXT", "www.x.com.svc.d.e. TXT"];
const CUTS: [&str; 3] = ["com.d.e. TXT", "com.shop.svc.d.e. TXT", "com.svc.d.e. TXT"];

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_in_full_once_and_then_its_cuts() {
    let house = house(None, true);
    assert!(house.finds("www.x.com", TXT).await);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(house.asked(), FULL, "a look-up that nobody repeats costs nothing more");
    assert!(house.finds("www.x.com", TXT).await);
    sleep(WAIT * 2).await;
    let mut both = [FULL, CUTS].concat();
    both.sort_unstable();
    assert_eq!(house.asked(), both, "repeated: the cuts are learned beside it");
    for _ in 0..3 {
        sleep(Duration::from_secs(60)).await; // the cuts are let go meanwhile
        house.asked();
        assert!(house.finds("www.x.com", TXT).await);
        assert_eq!(house.asked(), CUTS, "known, though not cared for");
    }
    assert_eq!(house.counted("nearpath_autopath_cut_saved_total"), 9);
    assert_eq!(house.counted("nearpath_autopath_cuts"), 3);
}

#[tokio::test(start_paused = true)]
async fn the_outside_question_goes_out_beside_candidates_that_are_proven_missing() {
    let house = house(None, true);
    let rounds = async |typed: &str| {
        let begun = house.clock.now();
        assert!(house.finds(typed, A).await);
        house.clock.now().since(begun).as_millis() / WAIT.as_millis()
    };
    // inside, the host's domain, the name itself
    assert_eq!(rounds("one.x.com").await, 3);
    assert_eq!(rounds("two.x.com").await, 3);
    sleep(WAIT * 2).await;
    assert_eq!(rounds("three.x.com").await, 2, "inside and the host's domain together");
    assert_eq!(rounds("three.x.com").await, 0, "proven and memorised");
    for gone in ["com.shop.svc.d.e", "com.svc.d.e", "com.d.e"] {
        let learned = house.memory.lock().unwrap().clone();
        house.memory.lock().unwrap().retain(|(_, owner, _), _| *owner != name(gone));
        assert_eq!(rounds(&format!("{}.x.com", gone.replace('.', "-"))).await, 3, "memory does not know of {gone}");
        *house.memory.lock().unwrap() = learned;
    }

    // all are judged in order: a candidate inside that exists wins
    house.says("four.x.com.svc.d.e", Says::Address);
    assert_eq!(house.leads_to("four.x.com", A).await, name("four.x.com.svc.d.e"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_lives_no_longer_than_the_cuts_it_rests_on() {
    let house = house(None, true);
    learned(&house).await;
    house.work.abort(); // nobody renews them
    assert!(house.finds("www.x.com", TXT).await);
    sleep(Duration::from_secs(3)).await;
    let reply = house.look_up("one.x.com", TXT).await.unwrap();
    assert!(house.asked().iter().all(|asked| FULL.contains(&asked.as_str())), "the cuts are memorised");
    let left = DENIAL - Duration::from_secs(3);
    assert!(reply.lifetime.unwrap() < left && reply.lifetime.unwrap() > left / 2, "{:?}", reply.lifetime);

    // all missing: the SOA of the first candidate's proof, under the name that was asked
    house.says("a.b.c.x.com", Says::Nothing);
    for _ in 0..3 {
        let reply = house.look_up("a.b.c.x.com", TXT).await.unwrap();
        assert_eq!(reply.answer.rcode(), Rcode::NXDOMAIN);
        let message = reply.answer.message();
        assert!(message.asks(&name("a.b.c.x.com.shop.svc.d.e"), TXT, Class::IN));
        assert_eq!(message.section(Section::Authority).count(), 1);
        sleep(Duration::from_secs(6)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_exists_proves_nothing() {
    for says in [Says::NoData, Says::Address, Says::DeadAlias] {
        let house = house(None, true);
        house.says("com.svc.d.e", says);
        learned(&house).await;
        assert!(house.finds("www.x.com", TXT).await);
        sleep(Duration::from_secs(6)).await;
        house.asked();
        assert!(house.finds("www.x.com", TXT).await);
        let asked = house.asked();
        assert!(asked.contains(&"www.x.com.svc.d.e. TXT".to_owned()), "{says:?}: {asked:?}");
        assert!(!asked.contains(&"www.x.com.shop.svc.d.e. TXT".to_owned()), "{says:?}: {asked:?}");
        assert!(!asked.iter().any(|one| one.starts_with("com.svc")), "tried again only after a while: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_comes_with_its_namespace_is_found_when_the_proof_ends() {
    let house = house(None, true);
    house.says("web.com", Says::Address);
    for _ in 0..3 {
        assert!(house.finds("web.com", A).await);
        sleep(Duration::from_secs(1)).await;
    }
    // the namespace `com` is made, with a service `web`
    house.says("web.com.svc.d.e", Says::Address);
    house.says("com.svc.d.e", Says::NoData);
    sleep(DENIAL).await;
    assert_eq!(house.leads_to("web.com", A).await, name("web.com.svc.d.e"));
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
}

/// A namespace and a name in it are made while memory tells the denial of the namespace: the name is found at once.
#[tokio::test(start_paused = true)]
async fn a_cut_that_came_to_exist_is_not_believed_again() {
    for rtype in [A, TXT] {
        let house = house(None, true);
        for typed in ["one.x.com", "two.x.com"] {
            for rtype in [A, TXT] {
                assert!(house.finds(typed, rtype).await);
            }
        }
        sleep(Duration::from_secs(6)).await;
        for rtype in [A, TXT] {
            assert!(house.finds("one.x.com", rtype).await, "by cuts, which memory knows for some time");
        }
        house.says("com.svc.d.e", Says::NoData);
        house.says("one.x.com.svc.d.e", Says::Address);
        house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
        sleep(WAIT * 10).await;
        assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0, "looked into");
        let old = house.stored(&house.query(STRANGER, "com.svc.d.e", rtype)).unwrap().unwrap();
        assert_eq!(old.answer.rcode(), Rcode::NXDOMAIN, "memory tells the old denial");
        assert_eq!(house.leads_to("one.x.com", rtype).await, name("one.x.com.svc.d.e"));
        assert_eq!(house.counted("nearpath_autopath_cut_off"), 0);
    }
}

/// A suspicion that nobody answers.
#[tokio::test(start_paused = true)]
async fn a_suspicion_that_stays_unclear_is_given_up() {
    let house = house(None, true);
    learned(&house).await;
    house.says("one.x.com.svc.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    house.says("one.x.com.svc.d.e", Says::ServFail);
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 1);
    sleep(STALE_RECHECK * (CUT_LOOKS_MAX - 1)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 1, "it may come back");
    sleep(STALE_RECHECK * 3).await;
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
    house.asked();
    sleep(STALE_RECHECK * 3).await;
    assert!(house.asked().is_empty());
}

/// The second look comes after the denial's end, or not at all.
#[tokio::test(start_paused = true)]
async fn a_contradiction_is_certain_when_the_denial_has_ended() {
    let hour = Duration::from_secs(3_600);
    for (denial, certain) in [(hour, true), (CUT_LOOKS_APART_MAX + hour, false)] {
        let house = house(None, true);
        learned(&house).await;
        house.says("one.x.com.svc.d.e", Says::Address);
        house.says("com.svc.d.e", Says::NothingFor(denial));
        house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
        sleep(denial).await;
        assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0, "a cache may have told it");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), u64::from(certain));
        assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_in_so_many_renewals_is_done_in_full() {
    let house = house(None, true);
    learned(&house).await;
    let (mut full, mut cuts) = (BTreeMap::<String, u32>::new(), 0);
    for _ in 0..400 {
        assert!(house.finds("one.x.com", TXT).await);
        for asked in house.asked() {
            match asked.starts_with("com.") {
                true => cuts += 1,
                false => *full.entry(asked).or_insert(0) += 1,
            }
        }
        sleep(Duration::from_secs(2)).await;
    }
    let expected = cuts / 3 / CUT_CHECK_EVERY;
    assert!(expected >= 2, "long enough: {cuts} renewals");
    assert_eq!(full.len(), 3, "{full:?}");
    assert!(full.values().all(|count| count.abs_diff(expected) <= 1), "{full:?}, {expected} expected");
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_turns_the_cut_off_for_its_domain_and_over_restarts() {
    let folder = std::env::temp_dir().join(format!("autopath-contradiction-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let house = house(Some(folder.clone()), true);
    learned(&house).await;
    sleep(Duration::from_secs(6)).await;
    house.says("one.x.com.svc.d.e", Says::Address);
    assert!(house.finds("one.x.com", TXT).await, "the outside name: nobody knows yet");
    // somebody else asks for it
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    house.asked();
    sleep(WAIT).await;
    house.look_up("one.x.com", TXT).await.unwrap();
    let asked = house.asked();
    assert!(asked.contains(&"one.x.com.svc.d.e. TXT".to_owned()), "on suspicion it is asked in full: {asked:?}");
    sleep(Duration::from_secs(8)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 1);
    assert_eq!(house.counted("nearpath_autopath_cut_off"), 1);
    for _ in 0..3 {
        assert_eq!(house.leads_to("one.x.com", TXT).await, name("one.x.com.svc.d.e"));
        sleep(Duration::from_secs(6)).await;
    }
    // the file is written by a thread of its own
    for _ in 0..1_000 {
        if folder.join("autopath-cut-off").exists() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        std::thread::yield_now();
    }
    let later = self::house(Some(folder.clone()), true);
    assert_eq!(later.counted("nearpath_autopath_cut_off"), 1);
    learned(&later).await;
    sleep(Duration::from_secs(6)).await;
    later.asked();
    assert!(later.finds("one.x.com", TXT).await);
    let asked = later.asked();
    assert!(asked.contains(&"one.x.com.svc.d.e. TXT".to_owned()), "{asked:?}");
    assert!(!asked.contains(&"one.x.com.shop.svc.d.e. TXT".to_owned()), "only below that domain: {asked:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_made_a_moment_ago_is_no_contradiction() {
    let house = house(None, true);
    learned(&house).await;
    // a cache before the centre tells the old denial of the namespace for a while, but knows nothing of the new name
    house.says("one.x.com.svc.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    house.says("com.svc.d.e", Says::NoData);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
}

/// A denial below a live cut, an alias that leads to nothing, and what memory says.
#[tokio::test(start_paused = true)]
async fn what_contradicts_nothing_is_not_looked_into() {
    for says in [Says::Nothing, Says::DeadAlias] {
        let house = house(None, true);
        learned(&house).await;
        house.says("two.x.com.d.e", says);
        house.resolve(house.query(STRANGER, "two.x.com.d.e", A)).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(house.asked(), ["two.x.com.d.e. A"], "{says:?}: nobody else asks");
        sleep(Duration::from_secs(6)).await;
        house.asked();
        assert!(house.finds("two.x.com", TXT).await);
        assert_eq!(house.asked(), CUTS, "{says:?}: they are leaned on");
    }

    let house = house(None, true);
    house.says("five.x.com.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "five.x.com.d.e", TXT)).await.unwrap();
    learned(&house).await;
    house.says("five.x.com.d.e", Says::Nothing);
    assert_eq!(house.leads_to("five.x.com", TXT).await, name("five.x.com.d.e"), "as memory has it");
    sleep(Duration::from_secs(1)).await;
    let asked = house.asked();
    assert!(!asked.iter().any(|one| one.contains("five.x.com.d.e.")), "older than the denial: {asked:?}");
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
}

/// A server block begins at `y.com.svc.d.e`, below the cut `com.svc.d.e`.
#[tokio::test(start_paused = true)]
async fn a_cut_says_nothing_of_names_in_another_block() {
    let house = house(None, true);
    for typed in ["one.y.com", "two.y.com", "one.y.com"] {
        assert!(house.finds(typed, TXT).await);
        sleep(Duration::from_secs(6)).await;
    }
    house.asked();
    assert!(house.finds("one.y.com", TXT).await);
    let mut asked = house.asked();
    asked.retain(|one| one.starts_with("one."));
    assert_eq!(asked, ["one.y.com.svc.d.e. TXT"], "the others lean on their cuts");
    house.says("one.y.com.svc.d.e", Says::Address);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(house.leads_to("one.y.com", TXT).await, name("one.y.com.svc.d.e"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_asked_for_the_cut() {
    // one label has no cut, and what is inside and exists needs none
    let house = self::house(None, true);
    house.says("web.shop.svc.d.e", Says::Address);
    house.says("web.pay.svc.d.e", Says::Address);
    for typed in ["web", "web.pay"] {
        for _ in 0..4 {
            assert!(house.finds(typed, TXT).await);
            sleep(Duration::from_secs(40)).await;
        }
    }
    let asked = house.asked();
    let cuts = asked.iter().filter(|one| one.split('.').count() == 6 && one.starts_with("pay.")).count();
    assert!(asked.iter().all(|one| one.starts_with("web.") || one.starts_with("pay.shop.")), "{asked:?}");
    assert!(cuts <= 6, "{asked:?}");

    // off by hand
    let house = self::house(None, false);
    for _ in 0..4 {
        assert!(house.finds("www.x.com", TXT).await);
        assert_eq!(house.asked(), FULL);
        sleep(Duration::from_secs(6)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_of_known_cuts_is_counted_and_harmless() {
    let house = house(None, true);
    let names: Vec<String> = (0..CUTS_MAX / 3 + 10).map(|number| format!("x.y.t{number}")).collect();
    let found = join_all(names.iter().map(|typed| house.finds(typed, TXT))).await;
    assert!(found.into_iter().all(|found| found));
    assert_eq!(house.counted("nearpath_autopath_cuts"), CUTS_MAX as u64);
    assert!(house.counted("nearpath_autopath_cuts_refused_total") > 0);
    // what nobody uses makes room
    sleep(Duration::from_secs(600)).await;
    learned(&house).await;
    assert!(house.counted("nearpath_autopath_cuts") < 10);
}
