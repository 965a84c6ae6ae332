//! Which answers may be memorised, and for whom: no question may get an answer that was told for other options.

use std::sync::Arc;

use contract::Plugin;
use contract::testing::query;
use contract::wire::RecordType;

use super::{Zone, ask_plugin, plugin, touched};

/// The question that a name's answer is fetched by, its options, and whether memory may answer it.
async fn fetched(plugin: &Arc<dyn Plugin>, name: &str) -> (String, Option<Vec<u8>>, bool) {
    let zone = Zone::new("");
    ask_plugin(plugin, &zone, &query(name, RecordType::A)).await.unwrap();
    (zone.was_asked().remove(0), zone.was_told(), zone.was_shared())
}

/// An option 1 of these octets.
fn option(data: &str) -> Option<Vec<u8>> {
    Some([&[0, 1, 0, u8::try_from(data.len()).unwrap()], data.as_bytes()].concat())
}

#[tokio::test]
async fn fixed_options_touch_nothing_and_are_said_all_the_same() {
    for rules in ["rewrite edns0 local set 1 x", "rewrite edns0 local append 1 {qname}\nrewrite edns0 nsid set"] {
        let plugin = plugin(rules);
        let is_personal = rules.contains("append");
        let ahead = plugin.ahead().unwrap();
        assert_eq!(touched(&plugin, "a.test", RecordType::A), is_personal, "{rules}");
        assert_eq!(ahead.always(&query("a.test", RecordType::A).client, RecordType::A), is_personal);
        assert_eq!(ahead.is_personal(), is_personal);
        assert!(fetched(&plugin, "a.test").await.1.is_some());
    }
}

/// `a.test` becomes `b.test` without options; whoever asks for `b.test` itself has some.
#[tokio::test]
async fn a_question_without_options_keeps_apart_from_those_with_some() {
    let plugin = plugin("rewrite name a.test b.test\nrewrite edns0 local set 1 x");
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), option("x"), true));
    assert_eq!(
        fetched(&plugin, "a.test").await,
        ("b.test. A IN".into(), Some(Vec::new()), false),
        "none, and not shared"
    );
}

/// Where whoever asks for `b.test` has no options either, both share its answer.
#[tokio::test]
async fn questions_that_become_the_same_share_its_answer() {
    let plugin = plugin("rewrite name a.test b.test\nrewrite name b.test b.test\nrewrite edns0 local set 1 x");
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), None, true));
    assert_eq!(fetched(&plugin, "a.test").await, ("b.test. A IN".into(), None, true));
}

/// Where all say the same options, these are no reason to pass memory by: whatever else brings a question ahead of it.
#[tokio::test]
async fn options_that_all_say_leave_memory_in_its_place() {
    let plugin = plugin("rewrite continue edns0 local set 1 x\nrewrite name a.test b.test");
    for (name, asked) in [("a.test", "b.test. A IN"), ("b.test", "b.test. A IN"), ("c.test", "c.test. A IN")] {
        assert_eq!(fetched(&plugin, name).await, (asked.into(), option("x"), true));
    }
    let mut kept = query("b.test", RecordType::A);
    kept.options.sent = option("x").map(Into::into);
    kept.options.for_all = true;
    assert_eq!(kept.candidate(kept.name.clone(), RecordType::AAAA).options, contract::Options::default());
}

#[tokio::test]
async fn options_that_others_do_not_say_pass_memory_by() {
    let plugin = plugin("rewrite continue edns0 local set 1 {qname}\nrewrite name a.test b.test");
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), option("b.test."), true));
    assert_eq!(fetched(&plugin, "a.test").await, ("b.test. A IN".into(), option("a.test."), false));
}

/// What a client's own options make of a question is for this client; without any, memory has what all are told.
#[tokio::test]
async fn options_of_one_client_pass_memory_by() {
    let plugin = plugin("rewrite edns0 local replace 1 x");
    assert_eq!(fetched(&plugin, "a.test").await, ("a.test. A IN".into(), None, true));
    let zone = Zone::new("");
    let mut asked = query("a.test", RecordType::A);
    asked.options.asked = option("y").map(Into::into);
    ask_plugin(&plugin, &zone, &asked).await.unwrap();
    assert_eq!((zone.was_told(), zone.was_shared()), (option("x"), false));
}

/// All rules that look at who asks come behind the one that ends the list for `b.test`: whoever asks for it says `x`.
#[tokio::test]
async fn without_options_a_client_keeps_apart_from_those_who_all_say_some() {
    let plugin = plugin(
        "rewrite continue edns0 local set 1 x\nrewrite name b.test b.test\nrewrite continue edns0 local unset 1
        rewrite continue edns0 local replace 9 y\nrewrite name a.test b.test",
    );
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), option("x"), true));
    assert_eq!(fetched(&plugin, "a.test").await, ("b.test. A IN".into(), Some(Vec::new()), false));
}

#[tokio::test]
async fn options_of_an_earlier_pass_are_not_said_again() {
    let plugin = plugin("rewrite edns0 local append 1 x");
    let zone = Zone::new("");
    let mut again = query("a.test", RecordType::A);
    again.options.sent = Some(b"\0\x01\0\x01x".as_slice().into());
    ask_plugin(&plugin, &zone, &again).await.unwrap();
    assert_eq!(zone.was_told().unwrap(), b"\0\x01\0\x01x");
}
