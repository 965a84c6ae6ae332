//! Which answers may be memorised, and for whom: no question may get an answer that was told for other options.

use std::sync::Arc;

use contract::Plugin;
use contract::testing::query;
use contract::wire::RecordType;

use super::{Zone, ask_plugin, plugin, touched};

/// The options with which a name's answer is fetched.
async fn fetched(plugin: &Arc<dyn Plugin>, name: &str) -> (String, Option<Vec<u8>>) {
    let zone = Zone::new("");
    ask_plugin(plugin, &zone, &query(name, RecordType::A)).await.unwrap();
    (zone.was_asked().remove(0), zone.was_told())
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
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), Some(b"\0\x01\0\x01x".to_vec())));
    assert_eq!(fetched(&plugin, "a.test").await, ("b.test. A IN".into(), Some(Vec::new())), "none, and not shared");
}

/// Where whoever asks for `b.test` has no options either, both share its answer.
#[tokio::test]
async fn questions_that_become_the_same_share_its_answer() {
    let plugin = plugin("rewrite name a.test b.test\nrewrite name b.test b.test\nrewrite edns0 local set 1 x");
    assert_eq!(fetched(&plugin, "b.test").await, ("b.test. A IN".into(), None));
    assert_eq!(fetched(&plugin, "a.test").await, ("b.test. A IN".into(), None));
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
