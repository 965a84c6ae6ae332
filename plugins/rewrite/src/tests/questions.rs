//! What is asked in place of a question.

use contract::Failure;
use contract::testing::query;
use contract::wire::{Class, Rcode, RecordType};

use super::{Zone, ask, plugin, touched};

/// Rules, a question, and what is asked then.
#[tokio::test]
async fn names_types_and_classes_become_others() {
    let two = "rewrite continue name exact a.test b.test\nrewrite name exact b.test c.test";
    for (rules, asked, becomes) in [
        ("rewrite name a.test b.test", "a.test", "b.test. A IN"),
        ("rewrite name A.Test. B.test", "a.test", "b.test. A IN"),
        ("rewrite name exact a.test b.test", "x.a.test", "x.a.test. A IN"),
        ("rewrite name prefix foo bar", "foo.example.com", "bar.example.com. A IN"),
        ("rewrite name prefix foo bar", "food.example.com", "food.example.com. A IN"),
        ("rewrite name suffix com org", "foo.example.com", "foo.example.org. A IN"),
        ("rewrite name suffix .schmoogle.com. .google.com.", "www.schmoogle.com", "www.google.com. A IN"),
        ("rewrite name suffix .ingress.test nginx.test", "a.ingress.test", "anginx.test. A IN"),
        ("rewrite name suffix com org", "com.test", "com.test. A IN"),
        ("rewrite name substring b. x.", "b.ab.test", "x.ax.test. A IN"),
        (
            r"rewrite name regex (.*)-(us-west-1)\.example\.org {1}.service.{2}.consul",
            "ftp-us-west-1.example.org",
            "ftp.service.us-west-1.consul. A IN",
        ),
        ("rewrite stop {\n name regex (A) b\n}", "a.test", "a.test. A IN"),
        ("rewrite type A AAAA", "a.test", "a.test. AAAA IN"),
        ("rewrite type any hinfo", "a.test", "a.test. A IN"),
        ("rewrite class IN ch", "a.test", "a.test. A CH"),
        (two, "a.test", "c.test. A IN"),
        ("rewrite name a.test b.test\nrewrite name b.test c.test", "a.test", "b.test. A IN"),
        ("rewrite continue type A AAAA\nrewrite type AAAA MX", "a.test", "a.test. MX IN"),
        ("rewrite edns0 local set 1 x\nrewrite name a.test b.test", "a.test", "a.test. A IN"),
        ("rewrite continue edns0 local set 1 x\nrewrite name a.test b.test", "a.test", "b.test. A IN"),
        ("rewrite edns0 local replace 1 x\nrewrite name a.test b.test", "a.test", "b.test. A IN"),
        ("rewrite cname x y\nrewrite name a.test b.test", "a.test", "a.test. A IN"),
        ("rewrite ttl a.test 3\nrewrite name a.test b.test", "a.test", "a.test. A IN"),
        ("rewrite ttl b.test 3\nrewrite name a.test b.test", "a.test", "b.test. A IN"),
        (r"rewrite name suffix \@x. y.test", r"a\@x", "ay.test. A IN"),
    ] {
        let zone = Zone::new("$ 60 A 10.0.0.1");
        ask(rules, &zone, &query(asked, RecordType::A)).await.unwrap();
        assert_eq!(zone.was_asked(), [becomes], "{rules}");
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_answered_servfail() {
    for rules in ["rewrite name example.org. example..org.", "rewrite name regex (.*)example(.*) {1}.a.{2}"] {
        let zone = Zone::new("");
        let reply = ask(rules, &zone, &query("example.org", RecordType::A)).await.unwrap();
        assert_eq!((reply.answer.rcode(), reply.storable), (Rcode::SERVFAIL, false), "{rules}");
        assert!(zone.was_asked().is_empty());
    }
}

#[tokio::test]
async fn a_failure_stays_one() {
    let failure = Failure::Prohibited;
    let zone = Zone::saying("", Err(failure.clone()));
    let asked = query("a.test", RecordType::A);
    assert_eq!(ask("rewrite name a.test b.test", &zone, &asked).await.unwrap_err(), failure);
}

#[test]
fn what_rules_find_is_touched_and_nothing_else() {
    let statements = [
        "rewrite name exact a.test b.test",
        "rewrite name prefix foo bar",
        "rewrite ttl suffix .com 30",
        "rewrite rcode substring mid SERVFAIL NOERROR",
        r"rewrite name regex ^x[0-9]+\.net\.$ y.net",
        "rewrite type ANY HINFO",
        "rewrite class CH IN",
        "rewrite edns0 local set 0xffee abcd",
    ];
    let rules = plugin(&statements.join("\n"));
    for (name, is_touched) in [
        ("a.test", true),
        ("b.test", false),
        ("foo.b.test", true),
        ("food.test", false),
        ("example.com", true),
        ("com", false),
        ("mid.b.test", true),
        ("x12.net", true),
        ("xy.net", false),
        (".", false),
    ] {
        assert_eq!(touched(&rules, name, RecordType::A), is_touched, "{name}");
    }
    assert!(touched(&rules, "b.test", RecordType::ANY));
    let asked = query("b.test", RecordType::A);
    assert!(rules.ahead().unwrap().touches(asked.name.as_wire(), asked.rtype, Class::CH));
    assert!(!rules.ahead().unwrap().always(&asked.client, asked.rtype));
    assert!(touched(&plugin("rewrite cname a b"), "b.test", RecordType::A), "each reply may have such a CNAME");
    let ends = plugin("rewrite edns0 nsid set\nrewrite cname a b");
    assert!(!touched(&ends, "b.test", RecordType::A), "no question gets behind the first rule");
}

/// Of many rules, the look before asks no more than is needed; and it never misses one.
#[tokio::test]
async fn what_is_not_touched_goes_on_as_it_is() {
    let rules: Vec<_> = (0..200)
        .flat_map(|number| {
            ["suffix", "prefix", "exact"]
                .map(|kind| format!("rewrite name {kind} n{}.t{number} other.test", number * 37))
        })
        .collect();
    let rules = plugin(&rules.join("\n"));
    let zone = Zone::new("");
    let mut touches = 0;
    for number in 0..1_000 {
        for name in [format!("n{}.t{number}", number * 37), format!("an{number}.t{number}"), format!("n{number}.t1.x")]
        {
            let asked = query(&name, RecordType::A);
            super::ask_plugin(&rules, &zone, &asked).await.unwrap();
            let is_changed = zone.asked.lock().unwrap().pop().unwrap().name != asked.name;
            assert_eq!(touched(&rules, &name, RecordType::A), is_changed, "{name}");
            touches += usize::from(is_changed);
        }
    }
    assert!(touches >= 200, "{touches}");
}
