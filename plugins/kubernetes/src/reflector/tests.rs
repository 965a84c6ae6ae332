//! Lists and watches of a scripted API server, in paused time.

use std::time::Duration;

use tokio::time::Instant;

use super::script::{Reply, Scene, at_once, bookmark, end, event, gone, list};
use super::{ASKED_EVERY, RELIST, SILENT_MAX, Subject};
use crate::trouble::Trouble;

fn status(status: u16) -> Reply {
    Reply::Refused(Trouble::Status { status, message: "no".to_owned() })
}

fn unreachable() -> Trouble {
    Trouble::Unreachable("refused".to_owned())
}

/// A streamed list of `a` at version 10 that stays open as a watch.
fn stream() -> Reply {
    Reply::Hangs(vec![at_once(event("ADDED", "a", 7)), at_once(end(10))])
}

/// Bookmarks every minute for so long.
fn bookmarks(minutes: u64, from: u64) -> Vec<(Duration, String)> {
    (0..minutes).map(|minute| (Duration::from_secs(60), bookmark(from + minute))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_streamed_list_goes_on_as_a_watch() {
    let lines = [event("ADDED", "a", 7), event("ADDED", "b", 3), end(10), event("MODIFIED", "a", 11)];
    let deleted = (Duration::from_secs(30), event("DELETED", "b", 12));
    let mut scene = Scene::new([Reply::Hangs(lines.into_iter().map(at_once).chain([deleted]).collect())]);
    assert_eq!(scene.after(1).await.told(), ["list a,b at 10", "opened", "changed a"]);
    assert_eq!(scene.after(30).await.told(), ["deleted b"]);
    assert_eq!(scene.asked(), ["stream "]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_streamed_lists_is_asked_for_a_plain_one_and_not_again() {
    for refusal in [400, 404, 422] {
        let first = [status(refusal), Reply::Ends(vec![at_once(list(&["a"], 10))])];
        let watch = Reply::Breaks(vec![at_once(event("ADDED", "b", 11)), at_once(gone())]);
        let second = [Reply::Ends(vec![at_once(list(&["a", "b"], 12))]), Reply::Hangs(vec![])];
        let mut scene = Scene::new(first.into_iter().chain([watch]).chain(second));
        let told = scene.after(20).await.told();
        assert_eq!(told[..3], ["list a at 10", "opened", "changed b"], "{refusal}");
        assert_eq!(told[4..], ["list a,b at 12", "opened"], "{refusal}");
        assert_eq!(scene.asked(), ["stream ", "list 0", "watch 10", "list 11", "watch 12"], "{refusal}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_know_of_streamed_lists_is_found_out_by_the_end_that_does_not_come() {
    // it takes the parameter for nothing, and watches from now on
    let plain_watch = Reply::Hangs(vec![at_once(event("ADDED", "a", 7)), (Duration::from_secs(10), bookmark(9))]);
    let mut scene =
        Scene::new([plain_watch, Reply::Ends(vec![at_once(list(&["a"], 10))]), Reply::Hangs(bookmarks(2, 11))]);
    assert!(scene.after(14).await.told().is_empty());
    assert_eq!(scene.after(2).await.told(), ["list a at 10", "opened"]);
    assert_eq!(scene.asked(), ["stream ", "list 0", "watch 10"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_asked_again() {
    let mut scene = Scene::new([]);
    scene.after(300).await;
    let asked = scene.asked().len();
    assert!((3..=40).contains(&asked), "{asked} requests");
    assert!(!scene.told().is_empty(), "it is said");
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_in_mid_watch_is_listed_again_and_not_older_than_what_is_known() {
    let first = Reply::Hangs([event("ADDED", "a", 7), end(10), event("ADDED", "b", 15), gone()].map(at_once).into());
    let second = Reply::Hangs(vec![at_once(event("ADDED", "b", 15)), at_once(end(20))]);
    let mut scene = Scene::new([first, second]);
    let told = scene.after(5).await.told();
    assert_eq!(told[..3], ["list a at 10", "opened", "changed b"]);
    assert_eq!(told[4..], ["list b at 20", "opened"], "after one wait: {told:?}");
    assert_eq!(scene.asked(), ["stream ", "stream 15"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_cannot_be_gone_on_from_is_followed_by_a_list() {
    let watch = Reply::Ends(vec![at_once(end(10)), (Duration::from_secs(60), bookmark(12))]);
    let forgotten = Reply::Refused(Trouble::Gone("too old".to_owned()));
    let mut scene = Scene::new([watch, forgotten, Reply::Hangs(vec![at_once(end(20))])]);
    let told = scene.after(70).await.told();
    assert_eq!(scene.asked(), ["stream ", "watch 12", "stream 12"]);
    assert_eq!(told.last().unwrap(), "opened");
    assert!(told.contains(&"list  at 20".to_owned()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_had_at_a_known_version_begins_versions_anew() {
    let broken = Reply::Hangs(vec![at_once(end(1_000)), at_once(gone())]);
    let restored = Reply::Refused(Trouble::Gone("the version lies ahead".to_owned()));
    let mut scene =
        Scene::new([broken, restored, Reply::Hangs(vec![at_once(event("ADDED", "a", 2)), at_once(end(5))])]);
    let told = scene.after(30).await.told();
    assert!(told.contains(&"list a at 5 anew".to_owned()), "{told:?}");
    assert_eq!(scene.asked(), ["stream ", "stream 1000", "stream "]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lasted_as_long_as_it_was_asked_to_is_gone_on_from_without_a_list_or_a_wait() {
    let mut scene = Scene::new([Reply::Lasts(100), Reply::Lasts(200), Reply::Lasts(300)]);
    scene.after(1_250).await;
    let (asked, at) = (scene.asked(), scene.asked_at());
    assert!(asked[1].starts_with("watch 1") && asked[2].starts_with("watch 2"), "{asked:?}");
    assert!(at.windows(2).all(|pair| (300..=600).contains(&(pair[1] - pair[0]).as_secs())), "{at:?}");
    assert!(at.iter().all(|at| at.subsec_millis() <= 10), "no wait: {at:?}");
    let told = scene.told();
    assert_eq!(
        told.iter().filter(|word| !["opened", "alive"].contains(&word.as_str())).count(),
        1,
        "one list, no trouble: {told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_before_its_time_is_gone_on_from_without_a_list() {
    let first = Reply::Ends([vec![at_once(end(10))], bookmarks(3, 11)].concat());
    let mut scene = Scene::new([first, Reply::Hangs(vec![])]);
    scene.after(190).await;
    assert_eq!(scene.asked(), ["stream ", "watch 13"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_while_a_list_is_streamed_is_not_in_it() {
    let lines = [event("ADDED", "a", 7), event("ADDED", "b", 3), event("DELETED", "a", 9), event("ADDED", "c", 10)];
    let mut scene = Scene::new([Reply::Hangs(lines.into_iter().chain([end(10)]).map(at_once).collect())]);
    assert_eq!(scene.after(1).await.told(), ["list b,c at 10", "opened"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_again_and_again_is_asked_for_less_and_less() {
    let mut scene = Scene::new(std::iter::once(stream_that_ends()).chain((0..300).map(|_| Reply::Ends(vec![]))));
    scene.after(600).await;
    let asked = scene.asked();
    assert!(asked[1..].iter().all(|request| request == "watch 10"), "no list: {asked:?}");
    // waits of a second, then two, four ... 60, half of that on average; with jitter, seldom a third of it
    assert!((10..=90).contains(&asked.len()), "{} requests in ten minutes", asked.len());
    let late = scene.asked_at().iter().filter(|at| **at > Duration::from_secs(300)).count();
    assert!(late <= 60, "{late} requests in the last five minutes");
    assert!(scene.told().iter().any(|word| word.contains("ended the watch at once")));
}

fn stream_that_ends() -> Reply {
    Reply::Ends(vec![at_once(event("ADDED", "a", 7)), at_once(end(10))])
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_silent_is_given_up_and_gone_on_from_its_version() {
    let mut scene = Scene::new([stream(), Reply::Hangs(vec![])]);
    assert_eq!(scene.after(SILENT_MAX.as_secs() - 1).await.told(), ["list a at 10", "opened"]);
    let told = scene.after(3).await.told();
    assert!(told[0].contains("silent for 90 s"), "{told:?}");
    assert_eq!(scene.asked(), ["stream ", "watch 10"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_never_says_a_word_is_followed_by_a_list_for_the_server_may_have_been_restored() {
    let mut scene = Scene::new([stream(), Reply::Hangs(vec![]), Reply::Hangs(vec![at_once(end(20))])]);
    let told = scene.after(2 * SILENT_MAX.as_secs() + 5).await.told();
    assert_eq!(scene.asked(), ["stream ", "watch 10", "stream 10"], "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn streamed_lists_that_fail_again_and_again_give_way_to_a_plain_one() {
    let broken = || Reply::Refused(Trouble::Status { status: 500, message: String::new() });
    let mut scene = Scene::new([broken(), broken(), broken(), Reply::Ends(vec![at_once(list(&["a"], 10))]), stream()]);
    scene.after(30).await;
    assert_eq!(scene.asked()[..4], ["stream ", "stream ", "stream ", "list 0"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_alone_keep_a_watch() {
    let mut scene = Scene::new([Reply::Hangs([vec![at_once(end(10))], bookmarks(30, 11)].concat())]);
    scene.after(30 * 60 + 10).await;
    assert_eq!(scene.asked(), ["stream "]);
}

#[tokio::test(start_paused = true)]
async fn all_is_listed_again_after_six_to_twelve_hours() {
    for _ in 0..10 {
        let watches = (1..200).map(|number| Reply::Lasts(10 * number));
        let mut scene = Scene::new(watches);
        let second = |scene: &Scene| scene.asked().iter().skip(1).position(|request| request.starts_with("stream"));
        while second(&scene).is_none() {
            scene.after(1_800).await;
            scene.told();
        }
        let list = second(&scene).unwrap() + 1;
        let (asked, at) = (scene.asked(), scene.asked_at()[list].as_secs());
        assert!((RELIST.0..=RELIST.1).contains(&at), "after {at} s");
        assert!(asked[1..list].iter().all(|request| request.starts_with("watch")), "{asked:?}");
        assert_ne!(asked[list], "stream ", "it is not older than what is known");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_asked_for_are_so_far_apart() {
    let mut scene = Scene::new((0..100).map(|_| stream()));
    scene.after(60).await;
    assert_eq!(scene.asked().len(), 1);
    let asked = Instant::now();
    for _ in 0..600 {
        scene.ask.notify_one();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lists = scene.asked_at().split_off(1);
    assert_eq!(lists[0], asked - scene.begun, "the first one at once");
    assert!(lists.windows(2).all(|pair| pair[1] - pair[0] >= ASKED_EVERY), "{lists:?}");
    assert!((12..=13).contains(&lists.len()), "{} lists in a minute", lists.len());
    let told = scene.told();
    assert!(told.iter().all(|word| word == "opened" || word == "list a at 10"), "no trouble: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_asked_for_while_nobody_is_there_comes_later() {
    let mut scene = Scene::new([Reply::Breaks(vec![at_once(end(10)), (Duration::from_secs(30), bookmark(11))])]);
    *scene.script.is_there.lock().unwrap() = false;
    scene.after(40).await;
    scene.ask.notify_one();
    scene.after(60).await;
    assert_eq!(scene.asked().len(), 1, "nobody is there");
    scene.then(Reply::Hangs(vec![]));
    scene.then(Reply::Hangs(vec![at_once(end(12))]));
    *scene.script.is_there.lock().unwrap() = true;
    scene.after(10).await;
    assert_eq!(scene.asked(), ["stream ", "watch 11", "stream 11"]);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_there_nothing_is_asked_until_somebody_is() {
    let mut scene = Scene::new([Reply::Refused(unreachable()), stream()]);
    *scene.script.is_there.lock().unwrap() = false;
    scene.after(3_600).await;
    assert_eq!(scene.asked().len(), 1);
    *scene.script.is_there.lock().unwrap() = true;
    let told = scene.after(8).await.told();
    assert_eq!(told[1..], ["list a at 10", "opened"]);
    assert_eq!(scene.asked(), ["stream ", "stream "]);
}

#[tokio::test(start_paused = true)]
async fn half_a_line_and_nonsense_are_followed_by_a_list() {
    for nonsense in [r#"{"type":"ADDED","object":{"metadata":"#, "<html>", r#"{"type":"SUNG","object":{}}"#] {
        let first = Reply::Hangs(vec![at_once(end(10)), at_once(nonsense)]);
        let mut scene = Scene::new([first, stream()]);
        let told = scene.after(5).await.told();
        assert_eq!(told[3..], ["list a at 10", "opened"], "{told:?}");
        assert_eq!(scene.asked(), ["stream ", "stream 10"]);
    }
    // the connection broke in the middle of a line
    let mut scene = Scene::new([Reply::Breaks(vec![at_once(end(10))]), Reply::Hangs(vec![])]);
    scene.after(10).await;
    assert_eq!(scene.asked(), ["stream ", "watch 10"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_to_wait_is_waited_for() {
    let busy = || Reply::Refused(Trouble::Busy { status: 429, after: Duration::from_secs(30) });
    let mut scene = Scene::new([busy(), busy(), stream()]);
    scene.after(120).await;
    let at = scene.asked_at();
    assert_eq!(at.len(), 3);
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(30)), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn new_credentials_end_a_wait() {
    let denied = || Reply::Refused(Trouble::Denied { status: 401, message: String::new() });
    let mut scene = Scene::new((0..30).map(|_| denied()));
    // until there is a wait of more than ten seconds
    while scene.asked_at().last().is_none_or(|last| scene.begun.elapsed() - *last < Duration::from_secs(10)) {
        scene.after(1).await;
    }
    let asked = scene.asked().len();
    *scene.script.renewed.lock().unwrap() = true;
    scene.after(2).await;
    assert!(scene.asked().len() > asked, "asked again within two seconds");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_listens() {
    let waits = || Reply::Refused(Trouble::Busy { status: 429, after: Duration::from_secs(300) });
    for (reply, there) in [(stream(), true), (waits(), true), (Reply::Refused(unreachable()), false)] {
        let mut scene = Scene::new([reply]);
        *scene.script.is_there.lock().unwrap() = there;
        scene.after(10).await;
        assert!(!scene.is_over());
        scene.words.close();
        while scene.words.recv().await.is_some() {}
        scene.after(1).await;
        assert!(scene.is_over(), "there: {there}");
    }
}

#[test]
fn a_subject_without_a_selector_leaves_no_trace_of_it() {
    let subject = |selector: &str| Subject { path: "/x".to_owned(), selector: selector.to_owned(), is_optional: true };
    assert_eq!((subject("").with(""), subject("").with("a=b")), ("/x".to_owned(), "/x?a=b".to_owned()));
    assert_eq!((subject("s=1").with(""), subject("s=1").with("a=b")), ("/x?s=1".to_owned(), "/x?a=b&s=1".to_owned()));
}
