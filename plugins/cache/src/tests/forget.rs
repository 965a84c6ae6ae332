//! Names that changed, and zones whose resolver is back: what memory lets go.

use super::*;

#[test]
fn what_rests_on_a_name_is_forgotten_and_nothing_else() {
    let given = Given::new(Policy::default());
    let old = given.now();
    given.wait(10);
    let (own, other) = (shared("db.corp.example"), shared("db2.corp.example"));
    let found = search("db.corp.example.shop.svc.cluster.local");
    let missing = search("db.corp.example.web.svc.cluster.local");
    let alike = search("mydb.corp.example.shop.svc.cluster.local");
    given.insert(&own, addresses("db.corp.example", &[60]));
    given.insert(&other, addresses("db2.corp.example", &[60]));
    given.insert(&found, addresses("db.corp.example.shop.svc.cluster.local", &[60]));
    given.insert(&missing, nxdomain("db.corp.example.web.svc.cluster.local", 60, 60));
    given.insert(&alike, addresses("mydb.corp.example.shop.svc.cluster.local", &[60]));
    // an alias whose chain leads to link0.example
    let alias = shared("alias.corp.example");
    let chain =
        Records { name: "alias.corp.example", rcode: Rcode::NOERROR, links: &[60], addresses: &[60], soa: None };
    given.insert(&alias, chain.reply());

    given.store.forget(&[name("db.corp.example")], old);
    assert_eq!(given.told(&own), "fresh", "it was stored after that moment");
    assert_eq!((given.told(&found), given.told(&missing)), ("miss", "miss"), "what AutoPath made of it");
    assert_eq!((given.told(&other), given.told(&alike), given.told(&alias)), ("fresh", "fresh", "fresh"));

    given.wait(10);
    given.store.forget(&[name("db.corp.example"), name("link0.example")], given.now());
    assert_eq!((given.told(&own), given.told(&alias)), ("miss", "miss"));
    assert_eq!((given.told(&other), given.told(&alike)), ("fresh", "fresh"));
}

#[test]
fn a_wildcard_stands_for_all_below_it() {
    let given = Given::new(Policy::default());
    let names = ["x.apps.example", "y.x.apps.example", "apps.example", "x.other.example"];
    for text in names {
        given.insert(&shared(text), addresses(text, &[60]));
    }
    let walked = search("x.apps.example.shop.svc.cluster.local");
    given.insert(&walked, addresses("x.apps.example.shop.svc.cluster.local", &[60]));
    given.wait(10);
    given.store.forget(&[name("*.apps.example")], given.now());
    let told: Vec<_> = names.iter().map(|text| given.told(&shared(text))).collect();
    assert_eq!(told, ["miss", "miss", "fresh", "fresh"]);
    assert_eq!(given.told(&walked), "miss");
}

#[test]
fn a_resolver_that_is_back_is_asked_again_at_once() {
    let given = Given::new(Policy::default());
    let (stale, failed, made) = (shared("a.corp.example"), shared("b.corp.example"), shared("c.corp.example"));
    let (walked, foreign) = (search("b.corp.example.shop.svc.cluster.local"), shared("b.other.example"));
    given.insert(&stale, addresses("a.corp.example", &[5]));
    given.wait(6_000);
    for key in [&stale, &failed, &walked, &foreign] {
        given.failed(key, &timeout());
    }
    let by_plugin = Reply { source: Source::Plugin("privatezone"), ..addresses("c.corp.example", &[30]) };
    given.insert(&made, by_plugin);
    let told = |given: &Given| [&stale, &failed, &walked, &made, &foreign].map(|key| given.told(key));
    assert_eq!(told(&given), ["stale now", "failed", "failed", "fresh", "failed"]);
    given.store.forgive(&[name("corp.example")]);
    assert_eq!(told(&given), ["stale later", "miss", "miss", "miss", "failed"]);
}

#[test]
fn what_was_known_last_is_told_with_who_said_it() {
    let given = Given::new(Policy::default());
    let (key, failed) = (shared("a.corp.example"), shared("b.corp.example"));
    given.failed(&failed, &timeout());
    given.insert(&key, addresses("a.corp.example", &[5]));
    let remembered = |key: &KeyBuffer| given.store.remembered(key, &given.policy, given.now());
    let source = Source::Upstream("192.0.2.53:53".parse().unwrap());
    assert!(remembered(&key).is_some_and(|known| known.reply.source == source && known.past_end.is_zero()));
    given.wait(6_000);
    let stale = remembered(&key).unwrap();
    assert_eq!((stale.reply.source, stale.reply.is_stale(), stale.past_end), (source, true, Duration::from_secs(1)));
    assert!(remembered(&failed).is_none(), "a failure is no answer");
    given.wait(3_601_000);
    assert!(remembered(&key).is_none(), "gone");
}
