//! How long answers are memorised, and which TTLs clients see.

use std::time::Duration;

use contract::limits::{MESSAGE_MAX, STALE_TTL};
use contract::wire::{Class as QueryClass, Flags, Message, Rcode, RecordType};
use contract::{Age, Answer, Asker, Bound, Failure, Reply};

use super::*;

/// The TTLs of a reply as a client reads them.
fn written(answer: &Answer, age: Age) -> Vec<u32> {
    let question = answer.message();
    let end = question.wire().len().min(12 + question.question_name().unwrap().as_wire().len() + 4);
    let asker = Asker {
        id: 1,
        flags: 0,
        question: &question.wire()[12..end],
        edns: None,
        nsid: None,
        way: None,
        limit: MESSAGE_MAX,
    };
    let mut out = vec![0; MESSAGE_MAX];
    let length = answer.write(&asker, age, None, &mut out);
    Message::parse(&out[..length]).unwrap().records().map(|record| record.unwrap().ttl).collect()
}

fn ttls_of_hit(given: &Given, key: &KeyBuffer) -> Vec<u32> {
    match given.lookup(&given.store.read(), key) {
        Lookup::Fresh { entry, age, .. } => written(entry.answer(), age),
        Lookup::Stale { entry, .. } => written(entry.answer(), given.policy.stale_age()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_record_ages_by_itself_and_the_shortest_ends_the_entry() {
    let given = Given::new(Policy::default());
    let www = shared("www.example");
    let reply = Records { name: "www.example", rcode: Rcode::NOERROR, links: &[300], addresses: &[60, 90], soa: None };
    let told = given.insert(&www, reply.reply());
    assert_eq!((written(&told.answer, told.age), told.lifetime), (vec![300, 60, 90], Some(Duration::from_secs(60))));
    for (milliseconds, expected) in
        [(0, [300, 60, 90]), (999, [300, 60, 90]), (1, [299, 59, 89]), (58_999, [241, 1, 31])]
    {
        given.wait(milliseconds);
        assert_eq!(ttls_of_hit(&given, &www), expected);
    }
    assert_eq!(given.told(&www), "fresh");
    given.wait(1); // exactly 60 s
    assert_eq!(given.told(&www), "stale later");
    assert_eq!(ttls_of_hit(&given, &www), [STALE_TTL; 3]);
}

#[test]
fn lives_are_bounded_by_class() {
    let soa = |ttl, minimum, links| Records {
        name: "x.example",
        rcode: Rcode::NXDOMAIN,
        links,
        addresses: &[],
        soa: Some((ttl, minimum)),
    };
    let positive = |ttls| Records { name: "x.example", rcode: Rcode::NOERROR, links: &[], addresses: ttls, soa: None };
    let nodata = |links, soa| Records { name: "x.example", rcode: Rcode::NOERROR, links, addresses: &[], soa };
    // given the directive and a reply, then it lives for so many seconds, with these TTLs
    let table: [(&str, Records<'_>, u64, &[u32]); 18] = [
        ("cache", positive(&[30]), 30, &[30]),
        ("cache", positive(&[0]), 5, &[5]),
        ("cache", positive(&[86_400, 7_200]), 3_600, &[3_600, 3_600]),
        ("cache 10", positive(&[30, 5]), 5, &[10, 5]),
        ("cache 10", soa(600, 600, &[]), 10, &[10]),
        ("cache 2", positive(&[30]), 2, &[2]),
        ("cache {\nsuccess 2000 100 50\n}", positive(&[1, 70, 200]), 50, &[50, 70, 100]),
        ("cache {\nsuccess 2000 100 0\n}", positive(&[0]), 0, &[0]),
        ("cache {\ndenial 2000 100 50\n}", positive(&[1]), 5, &[5]),
        ("cache {\ndenial 2000 100 50\n}", soa(10, 900, &[]), 50, &[50]),
        ("cache {\ndenial 2000 100 50\n}", soa(900, 900, &[]), 100, &[100]),
        ("cache", soa(900, 60, &[]), 60, &[60]),
        ("cache", soa(60, 900, &[]), 60, &[60]),
        ("cache", soa(900, 900, &[20]), 20, &[20, 20]),
        ("cache", soa(86_400, 86_400, &[]), 1_800, &[1_800]),
        ("cache", nodata(&[300], Some((900, 60))), 60, &[300, 60]),
        ("cache", nodata(&[], None), 5, &[]),
        ("cache", nodata(&[300], None), 0, &[300]),
    ];
    for (index, (text, records, seconds, ttls)) in table.into_iter().enumerate() {
        let given = Given::corefile(text);
        let asked = shared("x.example");
        let told = given.insert(&asked, records.reply());
        assert_eq!(written(&told.answer, told.age), ttls, "{index}: {text}");
        if seconds == 0 {
            assert_eq!(given.told(&asked), "miss", "{index}: {text}");
            continue;
        }
        assert_eq!(ttls_of_hit(&given, &asked), ttls, "{index}: {text}");
        given.wait(seconds * 1_000 - 1);
        assert_eq!(given.told(&asked), "fresh", "{index}: {text}");
        given.wait(1);
        assert_eq!(given.told(&asked), "stale later", "{index}: {text}");
    }
}

#[test]
fn an_answer_lives_no_longer_than_what_it_rests_on() {
    let given = Given::new(Policy::default());
    // AutoPath: fresh records, but a denial of an earlier candidate ends in 2.5 s
    let walk = Reply { lifetime: Some(Duration::from_millis(2_500)), ..addresses("a.example", &[300, 1]) };
    let told = given.insert(&search("a.example"), walk);
    assert_eq!(told.lifetime, Some(Duration::from_secs(2)));
    assert_eq!(written(&told.answer, told.age), [300, 2], "the minimum does not outlive the facts");
    given.wait(1_999);
    assert!(given.told(&search("a.example")).starts_with("fresh"));
    given.wait(1);
    assert_eq!(given.told(&search("a.example")), "stale later");

    // a reply out of the store keeps its age when it is stored under another name
    let old =
        Reply { age: Age::Fresh(58), lifetime: Some(Duration::from_secs(2)), ..addresses("b.example", &[60, 90]) };
    given.insert(&shared("b.example"), old);
    assert_eq!(ttls_of_hit(&given, &shared("b.example")), [2, 32]);

    let ended = Reply { lifetime: Some(Duration::ZERO), ..addresses("c.example", &[60]) };
    given.insert(&shared("c.example"), ended);
    assert_eq!(given.told(&shared("c.example")), "miss");
}

#[test]
fn a_reply_from_the_store_is_true_as_long_as_its_entry() {
    let given = Given::new(Policy::default());
    given.insert(&shared("a.example"), nxdomain("a.example", 60, 0));
    let reader = given.store.read();
    let Lookup::Fresh { entry, age, .. } = given.lookup(&reader, &shared("a.example")) else { panic!("just stored") };
    assert_eq!(entry.reply(age, given.now()).lifetime, Some(Duration::from_secs(5)));
    given.wait(2_400);
    assert_eq!(entry.reply(age, given.now()).lifetime, Some(Duration::from_millis(2_600)));
    assert!(entry.is_in_first_half(given.now()) && entry.is_denial());
    given.wait(100);
    assert!(!entry.is_in_first_half(given.now()));
    let stale = entry.reply(Age::Stale, given.now());
    assert!(!stale.storable && stale.is_stale());
    assert_eq!(stale.ede.as_ref(), Some(entry.stale_ede()));
}

#[test]
fn what_is_never_memorised() {
    let truncated = || {
        let mut composer = Composer::new(&name("x.example"), RecordType::A, QueryClass::IN);
        composer.flags(Flags::TC);
        Reply::fresh(Answer::composed(composer.finish(), Rcode::NOERROR), Source::Store)
    };
    let table = [
        ("truncated", truncated()),
        ("not storable", addresses("x.example", &[60]).unstored()),
        ("stale", Reply { age: Age::Stale, ..addresses("x.example", &[60]) }),
        ("stale with a TTL", Reply { age: Age::StaleWith(9), ..addresses("x.example", &[60]) }),
        ("NXDOMAIN without SOA (RFC 2308 5)", empty("x.example", Rcode::NXDOMAIN)),
        ("REFUSED", empty("x.example", Rcode::REFUSED)),
        ("FORMERR", empty("x.example", Rcode::FORMERR)),
        ("another name", addresses("y.example", &[60])),
    ];
    for (why, reply) in table {
        let given = Given::new(Policy::default());
        let (answer, age) = (Arc::clone(&reply.answer), reply.age);
        let told = given.insert(&shared("x.example"), reply);
        assert_eq!(told.answer, answer, "{why}");
        assert_eq!(told.age, age, "{why}");
        assert_eq!(given.told(&shared("x.example")), "miss", "{why}");
    }
    let given = Given::new(Policy::default());
    given.store.register(BLOCK, crate::BlockLabels { server: "dns://.:53".to_owned(), ..Default::default() });
    given.insert(&shared("x.example"), addresses("y.example", &[60]));
    let dropped = "coredns_cache_drops_total{server=\"dns://.:53\",zones=\"\",view=\"\"} 1\n";
    assert!(given.text().contains(dropped), "{}", given.text());
}

#[test]
fn failures_are_memorised_for_a_while_if_they_are_upstreams() {
    let too_late = Failure::TooLate { waited: Duration::from_secs(4) };
    let bound = Bound::Misses.reached();
    let known = Failure::Memorised { text: "memorised elsewhere".into(), replied: true };
    let unready = Failure::NotReady { what: "the index" };
    let table = [
        ("cache", &timeout(), 5_000),
        ("cache", &too_late, 0),
        ("cache {\nservfail 90s\n}", &timeout(), 5_000),
        ("cache {\nservfail 2s\n}", &timeout(), 2_000),
        ("cache {\nservfail 0\n}", &timeout(), 0),
        ("cache {\ndisable denial\n}", &timeout(), 0),
        ("cache other.example", &timeout(), 0),
        ("cache", &bound, 0),
        ("cache", &unready, 0),
        ("cache", &known, 0),
        ("cache", &Failure::Prohibited, 0),
    ];
    for (text, failure, milliseconds) in table {
        let given = Given::corefile(text);
        let x = shared("x.example");
        given.failed(&x, failure);
        if milliseconds == 0 {
            assert_eq!(given.told(&x), "miss", "{text}: {failure}");
            continue;
        }
        given.wait(milliseconds - 1);
        assert_eq!(given.told(&x), "failed", "{text}: {failure}");
        let reader = given.store.read();
        let Lookup::Failed { failure: memorised, .. } = given.lookup(&reader, &x) else { panic!("just seen") };
        assert_eq!(memorised, Failure::Memorised { text: failure.told().1.text, replied: false });
        given.failed(&x, &timeout()); // does not prolong it
        given.wait(1);
        assert_eq!(given.told(&x), "miss", "{text}: {failure}");
    }
}

#[test]
fn a_servfail_of_upstream_is_a_failure_and_notimp_is_kept_as_it_is() {
    let given = Given::new(Policy::default());
    let told = given.insert(&shared("x.example"), empty("x.example", Rcode::SERVFAIL));
    assert_eq!(told.answer.rcode(), Rcode::SERVFAIL);
    assert_eq!(given.told(&shared("x.example")), "failed");
    given.insert(&shared("y.example"), empty("y.example", Rcode::NOTIMP));
    assert_eq!(given.told(&shared("y.example")), "fresh");
    given.wait(5_000);
    assert_eq!(given.told(&shared("x.example")), "miss");
    assert_eq!(given.told(&shared("y.example")), "miss", "never stale");
    given.failed(&shared("z.example"), &timeout());
    given.insert(&shared("z.example"), addresses("z.example", &[60]));
    assert_eq!(given.told(&shared("z.example")), "fresh", "an answer replaces a failure");
}

#[test]
fn a_servfail_is_memorised_as_long_as_it_holds_and_servfail_says() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    // the directive, how long the reply says that it is true, and how long it is memorised
    let table = [
        ("cache", None, 5_000),
        ("cache {\nservfail 90s\n}", None, 90_000),
        ("cache {\nservfail 90s\n}", seconds(5), 5_000),
        ("cache {\nservfail 90s\n}", seconds(2), 2_000),
        ("cache {\nservfail 90s\n}", seconds(600), 90_000),
        ("cache", seconds(0), 0),
        ("cache {\nservfail 0\n}", seconds(5), 0),
    ];
    for (text, lifetime, milliseconds) in table {
        let given = Given::corefile(text);
        let x = shared("x.example");
        given.insert(&x, Reply { lifetime, source: Source::Plugin("hosts"), ..empty("x.example", Rcode::SERVFAIL) });
        if milliseconds > 0 {
            given.wait(milliseconds - 1);
            let reader = given.store.read();
            let Lookup::Failed { failure, .. } = given.lookup(&reader, &x) else { panic!("{text} {lifetime:?}") };
            assert!(matches!(failure, Failure::Memorised { replied: true, .. }), "{failure:?}");
            given.wait(1);
        }
        assert_eq!(given.told(&x), "miss", "{text} {lifetime:?}");
    }
}

#[test]
fn what_is_not_memorised_is_bounded_all_the_same() {
    let soa = || nxdomain("x.example", 900, 900);
    let cut = |reply: Reply| {
        let (message, rcode) = (reply.answer.message(), reply.answer.rcode());
        let mut composer = Composer::new(&name("x.example"), RecordType::A, QueryClass::IN);
        composer.rcode(rcode).flags(Flags::TC);
        for record in message.records().flatten() {
            composer.copy(&message, &record, record.ttl).unwrap();
        }
        Reply::fresh(Answer::composed(composer.finish(), rcode), Source::Store)
    };
    let open = Records { name: "x.example", rcode: Rcode::NOERROR, links: &[900], addresses: &[], soa: None };
    let refused = Records { name: "x.example", rcode: Rcode::REFUSED, links: &[], addresses: &[900], soa: None };
    let aged = Reply { age: Age::Fresh(880), ..addresses("x.example", &[900, 2_000]) };
    let table: [(&str, Reply, &[u32]); 16] = [
        ("cache 30 {\ndisable success\n}", addresses("x.example", &[900, 1]), &[30, 5]),
        ("cache 30 {\ndisable success x.example\n}", addresses("x.example", &[900]), &[30]),
        ("cache 30 {\ndisable denial\n}", soa(), &[30]),
        ("cache {\ndisable denial\n}", nxdomain("x.example", 900, 60), &[60]),
        ("cache {\ndenial 1024 20\ndisable success\n}", addresses("x.example", &[900]), &[900]),
        ("cache {\nsuccess 1024 20\ndisable denial\n}", soa(), &[900]),
        ("cache 30 {\nkeepttl\ndisable success\n}", aged.clone(), &[20, 30]),
        ("cache 30", addresses("x.example", &[900]).unstored(), &[30]),
        ("cache 30", Reply { personal: true, ..addresses("x.example", &[900]) }, &[30]),
        ("cache 30", Reply { personal: true, ..aged }, &[20, 30]),
        ("cache 30", cut(addresses("x.example", &[900])), &[30]),
        ("cache 30", cut(soa()), &[30]),
        ("cache 30", open.reply(), &[30]),
        ("cache 30", refused.reply(), &[30]),
        // what rests on something for 2 s is not told for 5
        (
            "cache {\ndisable success\n}",
            Reply { lifetime: Some(Duration::from_secs(2)), ..addresses("x.example", &[1]) },
            &[2],
        ),
        ("cache 30 other.example", addresses("x.example", &[900]), &[900]),
    ];
    for (index, (text, reply, ttls)) in table.into_iter().enumerate() {
        let given = Given::corefile(text);
        let x = shared("x.example");
        let beside = given.policy.bounded(x.name(), reply.clone());
        assert_eq!(written(&beside.answer, beside.age), ttls, "{index}: {text}, past the store");
        let told = given.insert(&x, reply);
        assert_eq!(written(&told.answer, told.age), ttls, "{index}: {text}");
        assert_eq!(given.told(&x), "miss", "{index}: {text}");
    }
}

#[test]
fn zones_disable_and_keepttl() {
    let given = Given::corefile("cache example.org {\ndisable success b.example.org\ndisable denial a.example.org\n}");
    let table = [
        ("example.com", "miss", "miss"),
        ("xexample.org", "miss", "miss"),
        ("example.org", "fresh", "fresh"),
        ("x.a.example.org", "fresh", "miss"),
        ("x.b.example.org", "miss", "fresh"),
    ];
    for (text, success, denial) in table {
        given.insert(&shared(text), addresses(text, &[60]));
        assert_eq!(given.told(&shared(text)), success, "{text}");
        let other = key(text, Scope::Search(ListId(1)), RecordType::A);
        given.insert(&other, nxdomain(text, 60, 60));
        assert_eq!(given.told(&other), denial, "{text}");
    }
    let given = Given::corefile("cache {\nkeepttl\n}");
    let told = given.insert(&shared("a.example"), addresses("a.example", &[60]));
    assert_eq!(told.age, Age::Kept);
    given.wait(59_999);
    assert_eq!(ttls_of_hit(&given, &shared("a.example")), [60]);
    given.wait(1);
    assert_eq!(given.told(&shared("a.example")), "stale later");
}

#[test]
fn a_good_reply_that_is_not_memorised_ends_what_was() {
    let given = Given::new(Policy::default());
    given.insert(&shared("a.example"), addresses("a.example", &[60]));
    given.insert(&shared("a.example"), addresses("a.example", &[60]).unstored());
    assert_eq!(given.told(&shared("a.example")), "miss");
}

#[test]
fn an_answer_within_its_bounds_is_not_copied() {
    let given = Given::new(Policy::default());
    let reply = addresses("a.example", &[60]);
    let answer = Arc::clone(&reply.answer);
    assert!(Arc::ptr_eq(&given.insert(&shared("a.example"), reply).answer, &answer));
    let reader = given.store.read();
    let Lookup::Fresh { entry, .. } = given.lookup(&reader, &shared("a.example")) else { panic!("just stored") };
    assert_eq!(entry.answer(), &*answer);
    assert_eq!(entry.stored(), given.now());
    assert!(matches!(given.store.source(entry), Source::Upstream(_)));
}

#[test]
fn a_peek_tells_what_is_fresh_and_leaves_no_mark() {
    let given = Given::corefile("cache {\nprefetch 1\n}");
    let (key, failed) = (shared("a.example"), shared("b.example"));
    given.insert(&key, addresses("a.example", &[60]));
    given.failed(&failed, &timeout());
    let peek = |key: &KeyBuffer| given.store.read().peek(key, &given.policy, given.now());
    assert!(peek(&failed).is_none() && peek(&shared("c.example")).is_none());
    given.wait(59_000);
    assert_eq!(peek(&key).unwrap().lifetime, Some(Duration::from_secs(1)));
    assert_eq!(given.told(&key), "fresh, refresh", "the refresh is still there to be claimed");
    given.wait(1_000);
    assert!(peek(&key).is_none(), "past its end");
}
