//! The walk seen from the server blocks: what is asked when, and what the pod is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopath::Autopath;
use contract::metrics::Metrics;
use contract::testing;
use contract::wire::{Class, Composer, Flags, Message, Name, Rcode, RecordType, Section, ede};
use contract::{
    Age, Answer, Blocks, Boxed, Context, Failure, FakeClock, Next, Plugin, Pod, PodIndex, Query, Reply, Scope, Served,
    Source,
};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 7));
const STOCK: [&str; 4] = ["shop.svc.d.e", "svc.d.e", "d.e", "corp.example"];

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Server blocks that answer from a script, after a while of paused time, and note what is asked and what is answered.
#[derive(Default)]
struct Script {
    answers: HashMap<(Name, RecordType), Served>,
    /// Milliseconds; others take 10.
    delays: HashMap<(Name, RecordType), u64>,
    log: Mutex<Vec<Event>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Asked(Name, RecordType),
    Answered(Name, RecordType),
}

impl Script {
    fn with(mut self, owner: &str, rtype: RecordType, served: Served) -> Self {
        self.answers.insert((name(owner), rtype), served);
        self
    }

    fn asked(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter_map(|event| match event {
                Event::Asked(name, rtype) => Some(format!("{name} {rtype}")),
                Event::Answered(..) => None,
            })
            .collect()
    }
}

impl Blocks for Script {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            assert_eq!(
                (query.scope, query.client.ip(), query.reentries),
                (Scope::Shared, POD, 1),
                "as if the pod had asked"
            );
            let key = (query.name.clone(), query.rtype);
            self.log.lock().unwrap().push(Event::Asked(key.0.clone(), key.1));
            tokio::time::sleep(Duration::from_millis(self.delays.get(&key).copied().unwrap_or(10))).await;
            self.log.lock().unwrap().push(Event::Answered(key.0.clone(), key.1));
            self.answers.get(&key).cloned().unwrap_or_else(|| denied(&query.name, query.rtype, Rcode::NXDOMAIN, 60))
        })
    }
}

/// A denial with an SOA whose TTL is `ttl`, the MINIMUM too.
fn denied(asked: &Name, rtype: RecordType, rcode: Rcode, ttl: u32) -> Served {
    let mut composer = Composer::new(asked, rtype, Class::IN);
    composer.rcode(rcode).flags(Flags::AA);
    composer
        .record(Section::Authority, &asked.parent().unwrap(), RecordType::SOA, ttl, |to| {
            to.octets(&[0; 18]);
            to.octets(&ttl.to_be_bytes());
        })
        .unwrap();
    Ok(Reply::fresh(Answer::composed(composer.finish(), rcode), Source::Plugin("script")))
}

fn nodata(owner: &str, rtype: RecordType, ttl: u32) -> Served {
    denied(&name(owner), rtype, Rcode::NOERROR, ttl)
}

fn found(owner: &str, rtype: RecordType, ttl: u32) -> Served {
    let owner = name(owner);
    let mut composer = Composer::new(&owner, rtype, Class::IN);
    composer.flags(Flags::AA | Flags::AD);
    let rdata: &[u8] = if rtype == AAAA { &[0xfd; 16] } else { &[192, 0, 2, 1] };
    composer.record(Section::Answer, &owner, rtype, ttl, |to| to.octets(rdata)).unwrap();
    Ok(Reply::fresh(Answer::composed(composer.finish(), Rcode::NOERROR), Source::Plugin("script")))
}

fn rcode(owner: &str, rtype: RecordType, rcode: Rcode) -> Served {
    Ok(Reply::fresh(Answer::empty(&name(owner), rtype, Class::IN, rcode), Source::Plugin("script")))
}

fn aged(served: Served, age: Age) -> Served {
    served.map(|reply| Reply { age, ..reply })
}

struct Fixture {
    plugin: Arc<Autopath>,
    metrics: Arc<Metrics>,
}

fn fixture(search: &[&str], zones: &[&str]) -> Fixture {
    let metrics = Arc::new(Metrics::default());
    let context = Context {
        clock: Arc::new(FakeClock::new()),
        metrics: Arc::clone(&metrics),
        lists: Arc::default(),
        server: "dns://d.e.:53".to_owned(),
        state_dir: None,
        cluster: Arc::new(contract::NoCluster),
        shelf: std::sync::Arc::default(),
        labels: Arc::default(),
        wiretap: None,
    };
    let index = Arc::new(PodIndex::default());
    let search: Vec<Name> = search.iter().map(|text| name(text)).collect();
    index.replace(&[Pod {
        name: "shop/web".into(),
        addresses: vec![POD],
        list: context.lists.intern(&search),
        ndots: 5,
    }]);
    let zones = zones.iter().map(|text| name(text)).collect();
    Fixture { plugin: Arc::new(Autopath::new(zones, index, None, &context)), metrics }
}

impl Fixture {
    fn query(&self, asked: &str, rtype: RecordType) -> Query {
        let name = name(asked);
        let scope = self.plugin.scoper().unwrap().scope(POD, name.as_wire(), rtype, false);
        Query { scope, client: testing::client(&POD.to_string()), ..testing::query(asked, rtype) }
    }

    async fn ask(&self, asked: &str, rtype: RecordType, script: &Script) -> Served {
        let query = self.query(asked, rtype);
        assert_ne!(query.scope, Scope::Shared, "{asked} is the first step of a search");
        self.plugin.serve(&query, Next::new(&[], script)).await
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.text().lines().any(|one| one == line)
    }
}

fn stock() -> Fixture {
    fixture(&STOCK, &["d.e"])
}

/// The records of a section as text, and the RCODE.
fn told(reply: &Reply) -> (Rcode, Vec<String>, Vec<String>) {
    let message = reply.answer.message();
    let section = |section| {
        let text = |message: &Message<'_>, record: &contract::wire::Record| {
            let owner = message.name(record.owner).unwrap();
            let target = (record.rtype == RecordType::CNAME).then(|| message.name(record.rdata).unwrap().to_string());
            format!("{owner} {} {} {}", record.ttl, record.rtype, target.unwrap_or_default()).trim_end().to_owned()
        };
        message.section(section).map(|record| text(&message, &record)).collect()
    };
    (reply.answer.rcode(), section(Section::Answer), section(Section::Authority))
}

#[tokio::test(start_paused = true)]
async fn a_name_of_one_label_asks_its_first_candidate_alone() {
    let fixture = stock();
    let script = Script::default().with("web.shop.svc.d.e", A, found("web.shop.svc.d.e", A, 30));
    let reply = fixture.ask("web.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(script.asked(), ["web.shop.svc.d.e. A"]);
    assert_eq!(told(&reply).1, ["web.shop.svc.d.e. 30 A"], "no CNAME where the asked name itself is found");
    assert_eq!(reply.lifetime, None, "it is the asked name's own answer");
    assert!(fixture.counted("nearpath_autopath_results_total{position=\"1\"} 1"));
    assert!(fixture.counted("coredns_autopath_success_total{server=\"dns://d.e.:53\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn longer_names_ask_all_candidates_inside_the_cluster_together() {
    let script = Script::default().with("web.pay.svc.d.e", A, found("web.pay.svc.d.e", A, 30));
    let fixture = stock();
    let reply = fixture.ask("web.pay.shop.svc.d.e", A, &script).await.unwrap();
    let log = script.log.lock().unwrap().clone();
    let before_any_answer = log.iter().take_while(|event| matches!(event, Event::Asked(..))).count();
    assert_eq!(before_any_answer, 6, "three names, two families: {log:?}");
    assert!(!log.iter().any(|event| matches!(event, Event::Asked(name, _) if name.to_string().contains("corp"))));
    assert_eq!(
        told(&reply).1,
        ["web.pay.shop.svc.d.e. 30 CNAME web.pay.svc.d.e.", "web.pay.svc.d.e. 30 A"],
        "found behind a CNAME"
    );
    assert!(fixture.counted("nearpath_autopath_results_total{position=\"2\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn no_name_leaves_the_cluster_before_every_candidate_before_it_is_denied() {
    let inside = ["www.x.shop.svc.d.e.", "www.x.svc.d.e.", "www.x.d.e."];
    let order = [inside[0], inside[1], inside[2], "www.x.corp.example.", "www.x."];
    for round in 0..64_u64 {
        let mut script = Script::default();
        for (number, owner) in order.iter().enumerate() {
            for (family, rtype) in [A, AAAA].into_iter().enumerate() {
                // all kinds of orders in which answers come
                let delay = 1 + (round * 7 + number as u64 * 13 * (round % 5) + family as u64 * 29 * (round % 3)) % 97;
                script.delays.insert((name(owner), rtype), delay);
            }
        }
        script = script.with("www.x", A, found("www.x", A, 30));
        let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
        assert_eq!(told(&reply).1[0], "www.x.shop.svc.d.e. 30 CNAME www.x.");
        let log = script.log.lock().unwrap();
        for (number, owner) in order.iter().enumerate().skip(3) {
            let asked =
                log.iter().position(|event| matches!(event, Event::Asked(one, _) if *one == name(owner))).unwrap();
            for earlier in &order[..number] {
                for rtype in [A, AAAA] {
                    let answered = Event::Answered(name(earlier), rtype);
                    let place = log.iter().position(|event| *event == answered);
                    assert!(
                        place.is_some_and(|place| place < asked),
                        "round {round}: {owner} before {earlier} {rtype}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_candidate_that_answers_first_does_not_win() {
    let mut script = Script::default().with("w.x.shop.svc.d.e", A, found("w.x.shop.svc.d.e", A, 7)).with(
        "w.x.d.e",
        A,
        found("w.x.d.e", A, 9),
    );
    script.delays.insert((name("w.x.shop.svc.d.e"), A), 500);
    let reply = stock().ask("w.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(told(&reply).1, ["w.x.shop.svc.d.e. 7 A"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_in_sight_names_are_asked_one_after_another() {
    let script = Script::default();
    let fixture = fixture(&["a.example", "b.example"], &["."]);
    let reply = fixture.ask("w.x.a.example", RecordType::TXT, &script).await.unwrap();
    assert_eq!(script.asked(), ["w.x.a.example. TXT", "w.x.b.example. TXT", "w.x. TXT"]);
    let log = script.log.lock().unwrap();
    let asked_first = |event: &Event| matches!(event, Event::Asked(..));
    assert_eq!(log.iter().map(asked_first).collect::<Vec<_>>(), [true, false, true, false, true, false]);
    assert_eq!(told(&reply).0, Rcode::NXDOMAIN);
    assert!(fixture.counted("nearpath_autopath_results_total{position=\"none\"} 1"));
    assert!(fixture.counted("coredns_autopath_success_total{server=\"dns://d.e.:53\"} 0"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_lives_as_long_as_the_shortest_lived_fact() {
    let mut script = Script::default().with("www.x", A, found("www.x", A, 300));
    for (owner, ttl) in
        [("www.x.shop.svc.d.e", 50), ("www.x.svc.d.e", 20), ("www.x.d.e", 60), ("www.x.corp.example", 90)]
    {
        let denial = aged(denied(&name(owner), A, Rcode::NXDOMAIN, ttl), Age::Fresh(5));
        script = script.with(owner, A, denial);
    }
    let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(reply.lifetime, Some(Duration::from_secs(15)), "20 s, 5 of them gone");
    assert!(reply.storable && reply.age == Age::Fresh(0));
    assert_eq!(told(&reply).1, ["www.x.shop.svc.d.e. 15 CNAME www.x.", "www.x. 300 A"]);

    // the sibling's denial is a fact too
    let script = script.with("www.x.d.e", AAAA, denied(&name("www.x.d.e"), AAAA, Rcode::NXDOMAIN, 4));
    let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(reply.lifetime, Some(Duration::from_secs(4)));

    // the answer itself, its age counted
    let script = script.with("www.x", A, aged(found("www.x", A, 300), Age::Fresh(298)));
    let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(reply.lifetime, Some(Duration::from_secs(2)));
    assert_eq!(told(&reply).1, ["www.x.shop.svc.d.e. 2 CNAME www.x.", "www.x. 2 A"]);

    // a fact that must not be memorised, and one of which nobody says how long it is true
    let unstored = found("www.x", A, 300).map(Reply::unstored);
    assert!(!stock().ask("www.x.shop.svc.d.e", A, &script.with("www.x", A, unstored)).await.unwrap().storable);
    let bare = Script::default().with("www.x", A, found("www.x", A, 300)).with(
        "www.x.d.e",
        A,
        rcode("www.x.d.e", A, Rcode::NXDOMAIN),
    );
    let reply = stock().ask("www.x.shop.svc.d.e", A, &bare).await.unwrap();
    assert!(!reply.storable);
    assert_eq!(told(&reply).1[0], "www.x.shop.svc.d.e. 0 CNAME www.x.");
}

#[tokio::test(start_paused = true)]
async fn expired_proofs_are_used_and_told() {
    let stale = |owner: &str, rtype| aged(denied(&name(owner), rtype, Rcode::NXDOMAIN, 60), Age::Stale);
    let script =
        Script::default().with("www.x.svc.d.e", A, stale("www.x.svc.d.e", A)).with("www.x", A, found("www.x", A, 300));
    let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
    assert!(reply.is_stale() && !reply.storable);
    assert_eq!(reply.lifetime, Some(Duration::ZERO));
    assert_eq!(reply.ede.as_ref().unwrap().code, ede::STALE_NXDOMAIN);
    assert_eq!(told(&reply).1.len(), 2);

    // all denied, one of them long ago
    let script = Script::default().with("www.x.d.e", AAAA, stale("www.x.d.e", AAAA));
    let reply = stock().ask("www.x.shop.svc.d.e", A, &script).await.unwrap();
    assert!(reply.is_stale() && told(&reply).0 == Rcode::NXDOMAIN);
    assert_eq!(reply.ede.unwrap().code, ede::STALE_NXDOMAIN);

    // a stale answer behind fresh proofs tells its own story
    let old = aged(found("www.x", A, 300), Age::StaleWith(7))
        .map(|reply| Reply { ede: Some(contract::wire::Ede::new(ede::STALE_ANSWER, "old")), ..reply });
    let reply = stock().ask("www.x.shop.svc.d.e", A, &Script::default().with("www.x", A, old)).await.unwrap();
    assert_eq!((reply.age, reply.ede.unwrap().code), (Age::StaleWith(7), ede::STALE_ANSWER));
}

#[tokio::test(start_paused = true)]
async fn a_name_without_the_type_ends_the_walk_without_cname() {
    let fixture = stock();
    let script = Script::default().with("w.x.svc.d.e", A, nodata("w.x.svc.d.e", A, 12));
    let reply = fixture.ask("w.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(told(&reply), (Rcode::NOERROR, vec![], vec!["x.svc.d.e. 12 SOA".to_owned()]));
    assert_eq!(reply.lifetime, Some(Duration::from_secs(12)));
    assert!(reply.answer.message().asks(&name("w.x.shop.svc.d.e"), A, Class::IN));
    assert!(fixture.counted("nearpath_autopath_results_total{position=\"2\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn a_and_aaaa_decide_alike() {
    // a server that denies AAAA of the names that it has
    let script =
        Script::default().with("w.x.svc.d.e", A, found("w.x.svc.d.e", A, 30)).with("w.x", AAAA, found("w.x", AAAA, 30));
    let reply = stock().ask("w.x.shop.svc.d.e", AAAA, &script).await.unwrap();
    assert_eq!(told(&reply), (Rcode::NOERROR, vec![], vec!["x.svc.d.e. 30 SOA".to_owned()]), "the name exists");
    assert_eq!(reply.lifetime, Some(Duration::from_secs(30)), "the address that shows it is a fact");
    // at the asked name itself
    let script = Script::default().with("web.shop.svc.d.e", A, found("web.shop.svc.d.e", A, 30));
    let reply = stock().ask("web.shop.svc.d.e", AAAA, &script).await.unwrap();
    assert_eq!(told(&reply).0, Rcode::NOERROR);
    // other types have no sibling
    let script = Script::default().with("w.x.svc.d.e", A, found("w.x.svc.d.e", A, 30));
    let reply = stock().ask("w.x.shop.svc.d.e", RecordType::TXT, &script).await.unwrap();
    assert_eq!(told(&reply).0, Rcode::NXDOMAIN);
    assert!(script.asked().iter().all(|asked| asked.ends_with(" TXT")));
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_behind_a_failure() {
    let upstream = SocketAddr::from(([192, 0, 2, 53], 53));
    let timeout = Failure::Timeout { upstream, waited: Duration::from_secs(2) };
    let fixture = stock();
    let positive = || Script::default().with("w.x", A, found("w.x", A, 30));

    let script = positive().with("w.x.d.e", A, Err(timeout.clone()));
    assert_eq!(fixture.ask("w.x.shop.svc.d.e", A, &script).await.unwrap_err(), timeout, "its EDE tells");
    assert!(!script.asked().iter().any(|asked| asked.contains("corp.example")));

    // the sibling's failure is one as well: whether the name exists nobody knows
    let script = positive().with("w.x.d.e", AAAA, Err(timeout.clone()));
    assert_eq!(fixture.ask("w.x.shop.svc.d.e", A, &script).await.unwrap_err(), timeout);

    for (failure, text) in [
        (rcode("w.x.corp.example", A, Rcode::REFUSED), "search stopped at w.x.corp.example. A: REFUSED"),
        (rcode("w.x.corp.example", A, Rcode::NOTIMP), "search stopped at w.x.corp.example. A: NOTIMP"),
        (
            Err(Failure::Prohibited),
            "search stopped at w.x.corp.example. A: REFUSED, refused by acl: a rule of the server block blocks this client, name or type",
        ),
    ] {
        let reply = fixture.ask("w.x.shop.svc.d.e", A, &positive().with("w.x.corp.example", A, failure)).await.unwrap();
        assert_eq!((told(&reply).0, reply.storable), (Rcode::SERVFAIL, false));
        assert_eq!(reply.answer.ede().unwrap().text, text);
    }
    assert!(fixture.counted("nearpath_autopath_results_total{position=\"failed\"} 5"));

    // at the asked name itself the stub is told what it asked: glibc does not go on after REFUSED
    let script = positive().with("w.x.shop.svc.d.e", A, rcode("w.x.shop.svc.d.e", A, Rcode::REFUSED));
    let reply = fixture.ask("w.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!((told(&reply).0, reply.storable), (Rcode::REFUSED, false));
}

#[tokio::test(start_paused = true)]
async fn all_denied_is_nxdomain_with_the_first_soa() {
    let script = Script::default().with("w.x.svc.d.e", A, denied(&name("w.x.svc.d.e"), A, Rcode::NXDOMAIN, 8));
    let reply = stock().ask("w.x.shop.svc.d.e", A, &script).await.unwrap();
    let expected = vec!["x.shop.svc.d.e. 8 SOA".to_owned()];
    assert_eq!(told(&reply), (Rcode::NXDOMAIN, vec![], expected), "its TTL cut to the shortest-lived denial");
    assert_eq!(reply.lifetime, Some(Duration::from_secs(8)));
    assert!(reply.answer.message().flags() & Flags::AA != 0);
}

#[tokio::test(start_paused = true)]
async fn flags_are_the_candidates_but_nothing_is_authenticated() {
    let script = Script::default().with("w.x.d.e", A, found("w.x.d.e", A, 30));
    let reply = stock().ask("w.x.shop.svc.d.e", A, &script).await.unwrap();
    assert_eq!(reply.answer.message().flags() & (Flags::AA | Flags::AD | Flags::TC), Flags::AA);
    // cut short: the client asks again over TCP
    let mut composer = Composer::new(&name("w.x.d.e"), A, Class::IN);
    composer.flags(Flags::TC);
    let cut = Ok(Reply::fresh(Answer::composed(composer.finish(), Rcode::NOERROR), Source::Plugin("script")));
    let reply = stock().ask("w.x.shop.svc.d.e", A, &Script::default().with("w.x.d.e", A, cut)).await.unwrap();
    assert!(reply.answer.is_truncated() && !reply.storable);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_searched_goes_to_the_next_plugin() {
    #[derive(Debug)]
    struct Backend;
    impl Plugin for Backend {
        fn name(&self) -> &'static str {
            "backend"
        }
        fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
            Box::pin(async { denied(&query.name, query.rtype, Rcode::NXDOMAIN, 30) })
        }
    }
    let fixture = stock();
    let script = Script::default();
    let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Backend)];
    let mut query = fixture.query("w.shop.svc.d.e", A);
    let search = query.scope;
    query.scope = Scope::Shared;
    let reply = fixture.plugin.serve(&query, Next::new(&chain, &script)).await.unwrap();
    assert!(reply.storable && script.asked().is_empty());
    // the pods with the list are gone: as if the name had been asked so, and not memorised for the list
    query.scope = search;
    fixture.plugin.index().replace(&[]);
    let reply = fixture.plugin.serve(&query, Next::new(&chain, &script)).await.unwrap();
    assert!(!reply.storable);
    assert_eq!(script.asked().len(), 1, "the server blocks are entered anew: {:?}", script.asked());
}

#[test]
fn a_question_qualifies() {
    let fixture = stock();
    let scope = |asked: &str, rtype, dnssec_ok, client: IpAddr| {
        fixture.plugin.scoper().unwrap().scope(client, name(asked).as_wire(), rtype, dnssec_ok)
    };
    let Scope::Search(id) = scope("w.shop.svc.d.e", A, false, POD) else { panic!("it is a first step") };
    assert_eq!(fixture.plugin.scoper().unwrap().list(id).unwrap().domains.len(), STOCK.len());
    let stranger = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 8));
    for (asked, rtype, dnssec_ok, client) in [
        ("w.shop.svc.d.e", A, true, POD),
        ("w.shop.svc.d.e", RecordType::ANY, false, POD),
        ("w.shop.svc.d.e", RecordType::DNSKEY, false, POD),
        ("w.shop.svc.d.e", RecordType::CNAME, false, POD),
        ("w.shop.svc.d.e", A, false, stranger),
        ("shop.svc.d.e", A, false, POD),
        ("w.svc.d.e", A, false, POD),
        ("a.b.c.d.e.f.shop.svc.d.e", A, false, POD),
    ] {
        assert_eq!(scope(asked, rtype, dnssec_ok, client), Scope::Shared, "{asked} {rtype} {dnssec_ok} {client}");
    }
    // not below the directive's zones
    let elsewhere = self::fixture(&["corp.example"], &["d.e"]);
    let scope = elsewhere.plugin.scoper().unwrap().scope(POD, name("w.corp.example").as_wire(), A, false);
    assert_eq!(scope, Scope::Shared);
}
