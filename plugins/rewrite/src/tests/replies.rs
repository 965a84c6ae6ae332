//! What becomes of a reply.

use contract::limits::STALE_TTL;
use contract::testing::query;
use contract::wire::{Ede, Flags, Rcode, RecordType, ede};
use contract::{Age, Bound, Failure, Next, Plugin, Reply};

use super::{Zone, ask, lines, plugin};

/// The reply to `asked`, line by line; the TTL of all records is 60 at first.
async fn told(rules: &str, asked: &str, records: &str) -> Vec<String> {
    lines(&ask(rules, &Zone::new(records), &query(asked, RecordType::A)).await.unwrap())
}

#[tokio::test]
async fn names_come_back_as_the_rule_says() {
    for (rules, asked, records, becomes) in [
        // exact: always
        ("name a.test b.test", "a.test", "$ 60 A 10.0.0.1", &["a.test. 60 A 10.0.0.1"][..]),
        ("name a.test b.test", "a.test", "b.test 60 CNAME x.b.test", &["a.test. 60 CNAME x.a.test."]),
        ("name a.test b.test", "a.test", "xb.test 60 CNAME c.test", &["xb.test. 60 CNAME c.test."]),
        // others: only where it is wanted
        ("name prefix a b", "a.test", "$ 60 A 10.0.0.1", &["b.test. 60 A 10.0.0.1"]),
        ("name suffix test org", "a.test", "$ 60 A 10.0.0.1", &["a.org. 60 A 10.0.0.1"]),
        ("name prefix a b answer auto", "a.test", "$ 60 A 10.0.0.1", &["a.test. 60 A 10.0.0.1"]),
        ("name substring a. b. answer auto", "a.test", "x.$ 60 PTR $", &["x.a.test. 60 PTR a.test."]),
        (
            r"name regex (.*)-(w)\.test {1}.s.{2}.consul answer auto",
            "ftp-w.test",
            "$ 60 CNAME y.s.w.consul",
            &["ftp-w.test. 60 CNAME y.s.w.consul."],
        ),
        // suffix: any name with it
        ("name suffix .test .org answer auto", "a.test", "$ 60 CNAME c.d.org", &["a.test. 60 CNAME c.d.test."]),
        // patterns of their own
        (
            r"name regex (.*)-(w)\.rocks {1}.s.{2}.consul answer name (.*)\.s\.(w)\.consul {1}-{2}.rocks",
            "ftp-w.rocks",
            "$ 60 CNAME x.s.w.consul",
            &["ftp-w.rocks. 60 CNAME x.s.w.consul."],
        ),
        (
            r"name suffix .arpa .arpa answer auto answer value (.*)\.s\.consul\. {1}.rocks.",
            "30.in-addr.arpa",
            "$ 60 PTR ftp.s.consul",
            &["30.in-addr.arpa. 60 PTR ftp.rocks."],
        ),
        (
            r"name exact a.test b.test answer value (.*)\.x {1}.y name (q).* {1}.z",
            "a.test",
            "$ 60 CNAME c.x\nqq.test 60 CNAME d",
            &["a.test. 60 CNAME c.y.", "q.z. 60 CNAME d."],
        ),
        // the last rule's first
        (
            "continue name suffix a b answer auto\nrewrite name suffix b c answer auto",
            "x.a",
            "$ 60 CNAME y.c",
            &["x.a. 60 CNAME y.a."],
        ),
        ("continue name suffix a b", "x.a", "$ 60 A 10.0.0.1", &["x.b. 60 A 10.0.0.1"]),
    ] {
        assert_eq!(told(&format!("rewrite {rules}"), asked, records).await, becomes, "{rules}");
    }
}

#[tokio::test]
async fn values_of_coredns_types_change_in_all_sections() {
    let rules = "rewrite name exact a.test b.test answer value old new";
    let records = "$ 60 SRV old.b.test\n$ 60 MX old\n$ 60 NS old\n$ 60 DNAME old\n$ 60 NAPTR old\n$ 60 HTTPS old
        --\n$ 60 SOA old\n$ 60 NS ns.b.test\n--\nns.b.test 60 A 10.0.0.1\n$ 60 PTR old";
    let becomes = "a.test. 60 SRV new.\na.test. 60 MX new.\na.test. 60 NS new.\na.test. 60 DNAME new.\na.test. 60 NAPTR new.
        a.test. 60 HTTPS old.\n--\na.test. 60 SOA new.\na.test. 60 NS ns.a.test.\n--\nns.a.test. 60 A 10.0.0.1\na.test. 60 PTR new.";
    let becomes: Vec<_> = becomes.lines().map(str::trim).collect();
    assert_eq!(told(rules, "a.test", records).await, becomes);
}

#[tokio::test]
async fn spelling_counts_in_answers() {
    let records = "$ 60 CNAME X.Old\n$ 60 PTR x.old";
    let rules = "rewrite name exact a.test b.test answer value old new";
    assert_eq!(told(rules, "a.test", records).await, ["a.test. 60 CNAME x.old.", "a.test. 60 PTR new."]);
}

#[tokio::test]
async fn a_rule_that_makes_no_name_of_a_record_is_answered_servfail() {
    let rules = "rewrite name exact a.test b.test answer value (old) {1}..x";
    let reply = ask(rules, &Zone::new("$ 60 CNAME old"), &query("a.test", RecordType::A)).await.unwrap();
    assert_eq!((reply.answer.rcode(), reply.storable, lines(&reply).len()), (Rcode::SERVFAIL, false, 0));
}

#[tokio::test]
async fn ttls_are_brought_into_their_range() {
    for (rule, becomes) in [
        ("ttl a.test 15", [15, 15, 15]),
        ("ttl exact a.test. 30-300", [30, 60, 300]),
        ("ttl prefix a -30", [5, 30, 30]),
        ("ttl suffix test 30-", [30, 60, 900]),
        ("ttl substring . 0", [0, 0, 0]),
        (r"ttl regex ^a\. 60", [60, 60, 60]),
        ("ttl b.test 15", [5, 60, 900]),
        ("continue ttl a.test 10-20\nrewrite ttl a.test 30-40", [20, 20, 20]),
        ("continue name a.test b.test\nrewrite ttl b.test 15", [15, 15, 15]),
    ] {
        let records = "$ 5 A 10.0.0.1\n--\n$ 60 NS x\n--\nx 900 A 10.0.0.2";
        let expected = ["a.test. {} A 10.0.0.1", "--", "a.test. {} NS x.", "--", "x. {} A 10.0.0.2"];
        let mut ttls = becomes.iter();
        let expected = expected.map(|line| match line {
            "--" => line.to_owned(),
            line => line.replace("{}", &ttls.next().unwrap().to_string()),
        });
        assert_eq!(told(&format!("rewrite {rule}"), "a.test", records).await, expected, "{rule}");
    }
}

#[tokio::test]
async fn rcodes_of_replies_and_failures_become_others() {
    for (rule, zone, becomes) in [
        ("rcode a.test SERVFAIL NOERROR", Ok(Rcode::SERVFAIL), Some(Rcode::NOERROR)),
        ("rcode exact a.test 2 0", Err(Failure::NotReady { what: "it" }), Some(Rcode::NOERROR)),
        ("rcode prefix a nxdomain refused", Ok(Rcode::NXDOMAIN), Some(Rcode::REFUSED)),
        ("rcode suffix test NXDOMAIN 23", Ok(Rcode::NXDOMAIN), Some(Rcode(23))),
        ("rcode substring . NOERROR DSOTYPENI", Ok(Rcode::NOERROR), Some(Rcode(11))),
        (r"rcode regex (.*)\.test 5 BADSIG", Err(Failure::Prohibited), Some(Rcode(16))),
        ("rcode a.test SERVFAIL NOERROR", Ok(Rcode::NXDOMAIN), Some(Rcode::NXDOMAIN)),
        ("rcode b.test SERVFAIL NOERROR", Err(Failure::Panicked), None),
        ("rcode a.test REFUSED NOERROR", Err(Failure::Silent), None),
        ("rcode a.test SERVFAIL NOERROR", Err(Bound::Misses.reached()), None),
        ("continue rcode a.test 3 0\nrewrite rcode a.test 2 3", Ok(Rcode::SERVFAIL), Some(Rcode::NOERROR)),
        ("continue rcode a.test 2 3\nrewrite rcode a.test 3 0", Ok(Rcode::SERVFAIL), Some(Rcode::NXDOMAIN)),
    ] {
        let said = zone.clone();
        let reply = ask(&format!("rewrite {rule}"), &Zone::saying("", zone), &query("a.test", RecordType::A)).await;
        assert_eq!(reply.as_ref().ok().map(|reply| reply.answer.rcode()), becomes, "{rule}");
        if let (Err(failure), Ok(reply)) = (said, &reply) {
            assert_eq!((reply.answer.ede(), reply.storable), (Some(&failure.told().1), false), "it says what happened");
        }
    }
}

/// What is told is not how long it is true: whoever memorises the reply elsewhere goes by that.
#[tokio::test]
async fn other_ttls_make_a_reply_true_no_longer() {
    for (rule, ttl, true_for) in [("ttl a.test 300", 300, 60), ("ttl a.test 0", 0, 0), ("ttl a.test 15", 15, 15)] {
        let asked = query("a.test", RecordType::A);
        let reply = ask(&format!("rewrite {rule}"), &Zone::new("$ 60 A 10.0.0.1"), &asked).await.unwrap();
        assert_eq!(lines(&reply), [format!("a.test. {ttl} A 10.0.0.1")]);
        assert_eq!(reply.true_for().unwrap().as_secs(), true_for);
        assert_eq!(reply.lifetime.unwrap().as_secs(), 60, "as it was without the rule");
    }
}

/// Replies as memory gives them: of this age, with what the daemon has to say of them.
#[derive(Debug)]
struct Memory(Age);

impl Plugin for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn serve<'a>(&'a self, query: &'a contract::Query, _next: Next<'a>) -> contract::Boxed<'a, contract::Served> {
        Box::pin(async move {
            let reply = Zone::new("$ 60 A 10.0.0.1").answer(query)?;
            let answer = contract::Answer::clone(&reply.answer).with_ede(Ede::new(ede::STALE_ANSWER, "old"));
            let answer = std::sync::Arc::new(answer.with_flags(Flags::AA, Flags::RA));
            Ok(Reply { answer, age: self.0, ..reply })
        })
    }
}

#[tokio::test]
async fn an_aged_reply_keeps_its_age_and_what_is_said_of_it() {
    let asked = query("a.test", RecordType::A);
    for (rules, ttl) in [("rewrite name a.test b.test", 10), ("rewrite ttl a.test 30-", 30)] {
        let reply = contract::testing::ask(&[plugin(rules), std::sync::Arc::new(Memory(Age::Fresh(50)))], &asked)
            .await
            .unwrap();
        assert_eq!(lines(&reply), [format!("a.test. {ttl} A 10.0.0.1")]);
        assert_eq!(reply.age, Age::Fresh(0));
        assert_eq!(reply.true_for().unwrap().as_secs(), 10, "it is true no longer than it was");
        assert_eq!(reply.answer.ede().unwrap().code, ede::STALE_ANSWER);
        assert_eq!(reply.answer.forced_flags(), (Flags::AA, Flags::RA));
    }
}

#[tokio::test]
async fn a_stale_reply_stays_stale_with_the_ttl_that_the_rules_make() {
    let asked = query("a.test", RecordType::A);
    for (rules, age, ttl) in [
        ("rewrite name a.test b.test", Age::Stale, STALE_TTL),
        ("rewrite name a.test b.test", Age::StaleWith(7), 7),
        ("rewrite ttl a.test 15", Age::StaleWith(7), 15),
        ("rewrite ttl a.test -5", Age::Stale, 5),
    ] {
        let reply = contract::testing::ask(&[plugin(rules), std::sync::Arc::new(Memory(age))], &asked).await.unwrap();
        assert_eq!((lines(&reply), reply.age), (vec![format!("a.test. {ttl} A 10.0.0.1")], Age::StaleWith(ttl)));
        assert_eq!(reply.true_for().unwrap().as_secs(), 0, "{rules}");
    }
}
