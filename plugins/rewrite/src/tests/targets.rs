//! `cname`: where a CNAME leads, and what is found there.

use std::sync::Arc;

use contract::testing::query;
use contract::wire::{Rcode, RecordType};
use contract::{Age, Blocks, Bound, Boxed, Failure, Next, Plugin, Query, Reply, Served};

use super::{Zone, lines, plugin};

/// The server blocks that a target is looked up in.
struct Elsewhere(Arc<Zone>);

impl Blocks for Elsewhere {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.0.answer(&query) })
    }
}

async fn follow(rules: &str, asked: &Query, here: &str, there: &Arc<Zone>) -> Result<Reply, Failure> {
    let chain = [plugin(rules), Zone::new(here) as Arc<dyn Plugin>];
    Next::new(&chain, &Elsewhere(Arc::clone(there))).serve(asked).await
}

const HERE: &str = "$ 200 CNAME my-app.example
    my-app.example 200 CNAME my-app.com.cdn.example.net
    my-app.com.cdn.example.net 300 A 20.2.0.1
    my-app.com.cdn.example.net 300 A 20.2.0.2
    --
    example.net 60 NS ns.example.net";

#[tokio::test]
async fn what_lies_behind_the_new_target_takes_the_place_of_what_lay_behind_the_old_one() {
    for (rule, target) in [
        (r"regex (.*).cdn.example.net. {1}.other.cdn.com.", "my-app.com.other.cdn.com."),
        ("exact My-app.com.cdn.example.net x.test", "x.test."),
        ("my-app.com.cdn.example.net x.test", "x.test."),
        ("suffix .example.net. .example.com.", "my-app.com.cdn.example.com."),
        ("prefix my-app.com. x.", "x.cdn.example.net."),
        ("substring .com.cdn .org", "my-app.org.example.net."),
        ("exact my-app.com.cdn.example.net x", "x."),
    ] {
        let there = Zone::new("$ 100 A 30.3.1.2");
        let asked = query("my-app.com", RecordType::A);
        let reply = follow(&format!("rewrite cname {rule}"), &asked, HERE, &there).await.unwrap();
        let expected = [
            "my-app.com. 200 CNAME my-app.example.".to_owned(),
            format!("my-app.example. 200 CNAME {target}"),
            format!("{target} 100 A 30.3.1.2"),
            "--".to_owned(),
            "example.net. 60 NS ns.example.net.".to_owned(),
        ];
        assert_eq!(lines(&reply), expected, "{rule}");
        assert_eq!(there.was_asked(), [format!("{target} A IN")]);
        assert_eq!(reply.true_for().unwrap().as_secs(), 60);
    }
}

#[tokio::test]
async fn other_targets_stay() {
    for rule in
        ["exact other.test x.test", "suffix .example.org. x.", "regex ^cdn x.", "prefix cdn x.", "substring xx y"]
    {
        let there = Zone::new("");
        let reply = follow(&format!("rewrite cname {rule}"), &query("my-app.com", RecordType::A), HERE, &there).await;
        assert_eq!(lines(&reply.unwrap()).len(), 6, "{rule}");
        assert!(there.was_asked().is_empty());
    }
}

#[tokio::test]
async fn with_several_rules_the_last_one_speaks_first() {
    let rules = "rewrite continue cname b.test c.test\nrewrite cname a.test b.test";
    let there = Zone::new("$ 5 A 10.0.0.1");
    let reply = follow(rules, &query("x", RecordType::A), "$ 9 CNAME a.test", &there).await.unwrap();
    assert_eq!(lines(&reply), ["x. 9 CNAME c.test.", "c.test. 5 A 10.0.0.1"]);
    assert_eq!(there.was_asked(), ["c.test. A IN"], "looked up once");
}

#[tokio::test]
async fn a_target_is_looked_up_as_what_was_asked_then() {
    let rules = "rewrite continue type A AAAA\nrewrite continue name exact x y\nrewrite cname exact a b";
    let there = Zone::new("");
    let reply = follow(rules, &query("x", RecordType::A), "$ 9 CNAME a", &there).await.unwrap();
    assert_eq!(lines(&reply), ["x. 9 CNAME b."]);
    assert_eq!(there.was_asked(), ["b. AAAA IN"]);
    assert_eq!(there.asked.lock().unwrap()[0].chased.as_deref().unwrap(), [query("y", RecordType::A).name]);
}

#[tokio::test]
async fn a_circle_ends_and_a_failure_behind_is_told() {
    let there = Zone::saying("", Err(Failure::Panicked));
    let asked = query("x", RecordType::A);
    let failure = follow("rewrite cname a b", &asked, "$ 9 CNAME a", &there).await.unwrap_err();
    assert_eq!(failure, Failure::Panicked);
    let failure = follow("rewrite cname a x", &asked, "$ 9 CNAME a", &there).await.unwrap_err();
    assert_eq!(failure, Failure::CnameLoop { at: "x.".to_owned() });
    assert_eq!(there.was_asked().len(), 1);
}

#[tokio::test]
async fn an_rcode_is_changed_of_a_failure_behind_too() {
    let rules = "rewrite continue rcode x SERVFAIL NOERROR\nrewrite cname a b";
    let asked = query("x", RecordType::A);
    let there = Zone::saying("", Err(Failure::Panicked));
    let reply = follow(rules, &asked, "$ 9 CNAME a", &there).await.unwrap();
    assert_eq!((reply.answer.rcode(), lines(&reply).len(), reply.storable), (Rcode::NOERROR, 0, false));
    assert_eq!(reply.answer.ede(), Some(&Failure::Panicked.told().1), "it says what happened");
    let there = Zone::saying("", Err(Bound::Reentries.reached()));
    let failure = follow(rules, &asked, "$ 9 CNAME a", &there).await.unwrap_err();
    assert_eq!(failure, Bound::Reentries.reached(), "counted as such");
}

/// Says of what another one answers that it is past its end.
struct Stale(Arc<Zone>);

impl Blocks for Stale {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { Ok(Reply { age: Age::StaleWith(30), ..self.0.answer(&query)? }) })
    }
}

#[tokio::test]
async fn with_a_stale_answer_behind_all_is_stale() {
    let chain = [plugin("rewrite cname a b"), Zone::new("$ 90 CNAME a") as Arc<dyn Plugin>];
    let blocks = Stale(Zone::new("$ 100 A 10.0.0.1"));
    let reply = Next::new(&chain, &blocks).serve(&query("x", RecordType::A)).await.unwrap();
    assert_eq!((reply.age, reply.true_for().unwrap().as_secs()), (Age::StaleWith(30), 0));
}

#[tokio::test]
async fn nothing_behind_leaves_the_cnames() {
    let memorised = |replied| Failure::Memorised { text: "upstream said SERVFAIL".into(), replied };
    for said in [Ok(Rcode::NXDOMAIN), Ok(Rcode::SERVFAIL), Err(memorised(true))] {
        let there = Zone::saying("--\ntest 60 NS ns", said.clone());
        let reply = follow("rewrite cname a b", &query("x", RecordType::A), "$ 9 CNAME a", &there).await.unwrap();
        let told = (reply.answer.rcode(), lines(&reply), reply.ede);
        assert_eq!(told, (Rcode::NOERROR, vec!["x. 9 CNAME b.".to_owned()], None), "{said:?}");
        assert_eq!(reply.storable, said == Ok(Rcode::NXDOMAIN), "that it failed is no proof that nothing is there");
    }
    let there = Zone::saying("", Err(memorised(false)));
    let failure = follow("rewrite cname a b", &query("x", RecordType::A), "$ 9 CNAME a", &there).await.unwrap_err();
    assert_eq!(failure, memorised(false), "nobody replied, as when it was asked for");
}
