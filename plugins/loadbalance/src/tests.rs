//! Which records move, how often each comes first, and that a reply stays what it was.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::testing::{self, ask, built, client, context, query};
use contract::wire::{Class, Composer, Message, Name, Rcode, RecordType, Section};
use contract::{Answer, Boxed, Next, Plugin, Query, Reply, Served, Source};

use crate::{LoadBalanceSpec, PolicySpec, check};

fn checked(statement: &str) -> (Option<LoadBalanceSpec>, String) {
    testing::checked(statement, check)
}

fn plugin(statement: &str) -> Arc<dyn Plugin> {
    built(checked(statement), &context())
}

/// A file of weights of its own, removed at the end.
struct Weights(PathBuf);

impl Weights {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadbalance-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A record as a test writes it: section, owner, type, TTL and what its RDATA says.
type Line = (Section, &'static str, RecordType, u32, &'static str);

use RecordType as T;
use Section::{Additional, Answer as Answers, Authority};

fn message(name: &str, rtype: RecordType, rcode: Rcode, lines: &[Line]) -> Answer {
    let mut composer = Composer::new(&Name::parse(name).unwrap(), rtype, Class::IN);
    composer.rcode(rcode);
    for (section, owner, rtype, ttl, text) in lines {
        let owner = Name::parse(owner).unwrap();
        let rdata = |to: &mut Composer| match *rtype {
            T::A => to.octets(&text.parse::<Ipv4Addr>().unwrap().octets()),
            T::AAAA => to.octets(&text.parse::<Ipv6Addr>().unwrap().octets()),
            T::MX => {
                to.octets(&[0, 10]);
                to.rdata_name(&Name::parse(text).unwrap());
            }
            T::CNAME | T::NS => to.rdata_name(&Name::parse(text).unwrap()),
            _ => to.string(text.as_bytes()),
        };
        composer.record(*section, &owner, *rtype, *ttl, rdata).unwrap();
    }
    Answer::composed(composer.finish(), rcode)
}

/// The records of a message: section, owner, type, TTL, RDATA with names written out.
fn told(wire: &[u8]) -> Vec<(Section, String, RecordType, u32, String)> {
    let message = Message::parse(wire).unwrap();
    let told = |record: contract::wire::Record| {
        let rdata = message.rdata(&record);
        let text = match (record.rtype, rdata.len()) {
            (T::A, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(rdata).unwrap()).to_string(),
            (T::AAAA, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(rdata).unwrap()).to_string(),
            (T::MX, _) => message.name(record.rdata + 2).unwrap().to_string(),
            (T::CNAME | T::NS, _) => message.name(record.rdata).unwrap().to_string(),
            _ => String::from_utf8_lossy(rdata).into_owned(),
        };
        (record.section, message.name(record.owner).unwrap().to_string(), record.rtype, record.ttl, text)
    };
    message.records().map(Result::unwrap).map(told).collect()
}

/// The addresses of a section after the reply was arranged.
fn arranged(plugin: &Arc<dyn Plugin>, answer: &Answer, section: Section) -> Vec<String> {
    let mut wire = answer.message().wire().to_vec();
    plugin.arranger().unwrap().arrange(&mut wire);
    let (mut before, mut after) = (told(answer.message().wire()), told(&wire));
    let addresses = after.iter().filter(|record| record.0 == section && matches!(record.2, T::A | T::AAAA));
    let addresses = addresses.map(|record| record.4.clone()).collect();
    // whole records have moved: which they are is the same
    before.sort_by_key(|record| format!("{record:?}"));
    after.sort_by_key(|record| format!("{record:?}"));
    assert_eq!(before, after);
    addresses
}

/// How often each order was seen in a number of replies.
fn orders(plugin: &Arc<dyn Plugin>, answer: &Answer, section: Section, times: usize) -> BTreeMap<Vec<String>, usize> {
    let mut orders = BTreeMap::new();
    for _ in 0..times {
        *orders.entry(arranged(plugin, answer, section)).or_insert(0) += 1;
    }
    orders
}

const THREE: [Line; 3] = [
    (Answers, "www.example", T::A, 10, "192.0.2.1"),
    (Answers, "www.example", T::A, 20, "192.0.2.2"),
    (Answers, "www.example", T::A, 30, "192.0.2.3"),
];

#[test]
fn every_order_comes_about_as_often() {
    let answer = message("www.example", T::A, Rcode::NOERROR, &THREE);
    for statement in ["loadbalance", "loadbalance round_robin", "loadbalance {\n}"] {
        let orders = orders(&plugin(statement), &answer, Answers, 6_000);
        assert_eq!(orders.len(), 6, "{orders:?}");
        assert!(orders.values().all(|count| (800..1_200).contains(count)), "{orders:?}");
    }
}

#[test]
fn records_keep_owner_and_ttl_wherever_they_stand() {
    let mixed = [
        (Answers, "www.example", T::CNAME, 5, "web.other"),
        (Answers, "web.other", T::A, 10, "192.0.2.1"),
        (Answers, "web.other", T::AAAA, 20, "2001:db8::1"),
        (Answers, "web.other", T::A, 30, "192.0.2.2"),
        (Authority, "other", T::NS, 1, "ns1.other"),
        (Authority, "other", T::NS, 1, "ns2.other"),
        (Additional, "ns1.other", T::A, 40, "192.0.2.3"),
        (Additional, "ns1.other", T::AAAA, 50, "2001:db8::3"),
        (Additional, "ns2.other", T::A, 60, "192.0.2.4"),
    ];
    let answer = message("www.example", T::ANY, Rcode::NOERROR, &mixed);
    let plugin = plugin("loadbalance");
    assert_eq!(orders(&plugin, &answer, Answers, 600).len(), 6);
    assert_eq!(orders(&plugin, &answer, Additional, 600).len(), 6);
    // owners that are spelled keep their place: what points to them stays right
    let spelled = [
        (Additional, "a.b.other", T::A, 40, "192.0.2.3"),
        (Additional, "a.b.other", T::A, 50, "192.0.2.4"),
        (Additional, "c.b.other", T::A, 60, "192.0.2.5"),
    ];
    let answer = message("www.example", T::A, Rcode::NOERROR, &spelled);
    assert_eq!(orders(&plugin, &answer, Additional, 100).len(), 2, "the two of one owner");
}

#[test]
fn what_is_no_success_stays() {
    for (rtype, rcode) in [(T::A, Rcode::NXDOMAIN), (T::A, Rcode::SERVFAIL)] {
        let answer = message("www.example", rtype, rcode, &THREE);
        assert_eq!(orders(&plugin("loadbalance"), &answer, Answers, 50).len(), 1, "{rcode}");
    }
    for broken in [&b""[..], &[0; 11], &[0; 12], &[0, 0, 0x80, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0xc0]] {
        let mut wire = broken.to_vec();
        plugin("loadbalance").arranger().unwrap().arrange(&mut wire);
        assert_eq!(wire, broken);
    }
}

#[test]
fn more_addresses_than_are_moved_stay_whole() {
    let many: Vec<_> = (0..300).map(|_| (Answers, "www.example", T::A, 1, "192.0.2.1")).collect();
    let answer = message("www.example", T::A, Rcode::NOERROR, &many);
    assert_eq!(arranged(&plugin("loadbalance {\n prefer 192.0.2.0/24\n}"), &answer, Answers).len(), 300);
}

#[test]
fn preferred_prefixes_come_first_in_their_order() {
    let lines = [
        (Answers, "www.example", T::A, 1, "192.0.2.1"),
        (Answers, "www.example", T::AAAA, 2, "2001:db8::1"),
        (Answers, "www.example", T::A, 3, "10.1.0.1"),
        (Answers, "www.example", T::A, 4, "10.2.0.1"),
        (Answers, "www.example", T::A, 5, "10.1.0.2"),
    ];
    let answer = message("www.example", T::ANY, Rcode::NOERROR, &lines);
    let plugin = plugin("loadbalance round_robin {\n prefer 10.2.0.0/16 2001:db8::/32\n prefer 10.0.0.0/8\n}");
    let mut last = std::collections::BTreeSet::new();
    for (order, _) in orders(&plugin, &answer, Answers, 200) {
        assert_eq!(order[..2], ["10.2.0.1", "2001:db8::1"]);
        assert!(order[4] == "192.0.2.1");
        last.insert(order);
    }
    assert_eq!(last.len(), 2, "those of one prefix are shuffled");
}

#[test]
fn the_first_one_comes_by_its_weight() {
    let file = Weights::new("weights", "www.example\n192.0.2.1 3\n192.0.2.2 1\n192.0.2.3 2\n");
    let plugin = plugin(&format!("loadbalance weighted {}", file.0.display()));
    let answer = message("www.example", T::A, Rcode::NOERROR, &THREE);
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (order, count) in orders(&plugin, &answer, Answers, 6_000) {
        *first.entry(order[0].clone()).or_insert(0) += count;
    }
    for (address, expected) in [("192.0.2.1", 3_000), ("192.0.2.2", 1_000), ("192.0.2.3", 2_000)] {
        assert!(first[address].abs_diff(expected) < 200, "{first:?}");
    }
    assert_eq!(orders(&plugin, &answer, Answers, 300).len(), 3, "the others do not move but to make room");
    let other = message("www.example", T::ANY, Rcode::NOERROR, &THREE);
    assert_eq!(orders(&plugin, &other, Answers, 50).len(), 1, "weights are for A, AAAA and SRV");
    let lines = THREE.map(|(_, owner, rtype, ttl, text)| (Additional, owner, rtype, ttl, text));
    let other = message("_x._tcp.example", T::SRV, Rcode::NOERROR, &lines);
    assert_eq!(orders(&plugin, &other, Additional, 300).len(), 3, "the addresses of services too");
}

#[test]
fn a_file_is_read_again_and_kept_while_it_is_wrong() {
    let file = Weights::new("reload", "www.example\n192.0.2.1 255\n");
    let context = context();
    let open = |path: &PathBuf, reload| crate::file::WeightFile::open(path, reload, &context);
    let read = open(&file.0, Some(Duration::from_secs(1))).unwrap();
    let owner = Name::parse("www.example").unwrap();
    let weight = || read.weights().of(owner.as_wire(), "192.0.2.1".parse().unwrap());
    assert_eq!(weight(), 255);
    std::fs::write(&file.0, "www.example\n192.0.2.1 0\n").unwrap();
    read.look();
    assert_eq!(weight(), 255);
    let series = format!("nearpath_loadbalance_reload_failures_total{{weightfile=\"{}\"}} ", file.0.display());
    assert!(context.metrics.text().contains(&format!("{series}1\n")));
    read.look();
    assert!(context.metrics.text().contains(&format!("{series}1\n")), "the same text is judged once");
    std::fs::write(&file.0, "www.example\n192.0.2.1 7\n").unwrap();
    read.look();
    assert_eq!(weight(), 7);
    let missing = file.0.with_extension("missing");
    assert!(open(&missing, None).unwrap_err().to_string().contains("missing"));
    assert!(open(&missing, Some(Duration::from_secs(1))).is_ok(), "it is awaited");
    std::fs::write(&file.0, "www.example\n192.0.2.1\n").unwrap();
    let error = open(&file.0, Some(Duration::from_secs(1))).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("weight may be missing"), "{error}");
    assert!(open(&std::env::temp_dir(), Some(Duration::from_secs(1))).unwrap_err().to_string().contains("no file"));
}

/// Says the same to every question.
#[derive(Debug)]
struct End(Vec<Line>, Rcode);

impl Plugin for End {
    fn name(&self) -> &'static str {
        "end"
    }

    fn serve<'a>(&'a self, query: &'a Query, _next: Next<'a>) -> Boxed<'a, Served> {
        let name = query.name.to_string();
        let answer = message(&name, query.rtype, self.1, &self.0);
        Box::pin(std::future::ready(Ok(Reply::fresh(answer, Source::Plugin("end")))))
    }
}

const MAIL: [Line; 6] = [
    (Answers, "example", T::MX, 10, "a.example"),
    (Answers, "example", T::A, 20, "192.0.2.1"),
    (Answers, "example", T::MX, 30, "b.a.example"),
    (Answers, "example", T::TXT, 40, "text"),
    (Answers, "example", T::CNAME, 50, "x.b.a.example"),
    (Additional, "a.example", T::A, 60, "192.0.2.2"),
];

#[tokio::test]
async fn replies_with_mx_are_composed_anew_in_order() {
    let chain = [plugin("loadbalance"), Arc::new(End(MAIL.to_vec(), Rcode::NOERROR)) as Arc<dyn Plugin>];
    let ahead = chain[0].ahead().unwrap();
    let always = |rtype| ahead.always(&client("192.0.2.7"), rtype);
    assert!(always(T::MX) && always(T::ANY) && !always(T::A) && !ahead.is_personal());
    let mut seen = BTreeMap::new();
    for _ in 0..60 {
        let reply = ask(&chain, &query("example", T::ANY)).await.unwrap();
        let records = told(reply.answer.message().wire());
        let types: Vec<_> = records.iter().map(|record| record.2).collect();
        assert_eq!(types, [T::CNAME, T::TXT, T::A, T::MX, T::MX, T::A]);
        let mail: Vec<_> =
            records.iter().filter(|record| record.2 == T::MX).map(|one| (one.3, one.4.clone())).collect();
        *seen.entry(mail).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.keys().all(|mail| mail.contains(&(10, "a.example.".to_owned()))));
    let reply = ask(&chain, &query("example", T::TXT)).await.unwrap();
    let same: Vec<_> = told(reply.answer.message().wire()).iter().map(|record| record.2).collect();
    assert_eq!(same, MAIL.map(|line| line.2), "what is not asked for MX passes");
    let chain = [plugin("loadbalance"), Arc::new(End(MAIL.to_vec(), Rcode::NXDOMAIN)) as Arc<dyn Plugin>];
    let reply = ask(&chain, &query("example", T::MX)).await.unwrap();
    let same: Vec<_> = told(reply.answer.message().wire()).iter().map(|record| record.2).collect();
    assert_eq!(same, MAIL.map(|line| line.2));
}

#[test]
fn statements_of_one_block_add_up() {
    let joined = |text: &str| {
        let (specs, report) = testing::all_checked(text, &[Name::root()], check);
        assert_eq!(report, "");
        specs.into_iter().map(Option::unwrap).reduce(LoadBalanceSpec::then).unwrap()
    };
    let two = joined("loadbalance {\n prefer 10.0.0.0/8\n}\nloadbalance {\n prefer 11.0.0.0/8 12.0.0.0/8\n}");
    assert_eq!((two.policy, two.prefer.len()), (PolicySpec::RoundRobin, 3));
    let last = joined("loadbalance {\n prefer 10.0.0.0/8\n}\nloadbalance weighted w {\n reload 0s\n}");
    assert!(matches!(last.policy, PolicySpec::Weighted(weighted) if weighted.reload.is_none()));
    assert_eq!(joined("loadbalance weighted w\nloadbalance").policy, PolicySpec::RoundRobin);
}

#[test]
fn mistakes_have_a_place() {
    for (wrong, place, word) in [
        ("loadbalance round_robbin", "Corefile:2:13: error", "`round_robin`?"),
        ("loadbalance round_robin x", "Corefile:2:25: error", "unexpected"),
        ("loadbalance weighted", "Corefile:2:21: error", "file of weights"),
        ("loadbalance weighted a b", "Corefile:2:24: error", "unexpected"),
        ("loadbalance weighted a {\n relod 1s\n}", "Corefile:3:2: error", "`reload`?"),
        ("loadbalance weighted a {\n reload\n}", "Corefile:3:8: error", "duration"),
        ("loadbalance weighted a {\n reload 1s 2s\n}", "Corefile:3:12: error", "unexpected"),
        ("loadbalance weighted a {\n reload 5\n}", "Corefile:3:9: error", "duration"),
        ("loadbalance weighted a {\n prefer 10.0.0.0/8\n}", "Corefile:3:2: error", "`weighted`"),
        ("loadbalance {\n reload 1s\n}", "Corefile:3:2: error", "`weighted`"),
        ("loadbalance {\n prefer 10.0.0.1\n}", "Corefile:3:9: error", "10.0.0.0/8"),
        ("loadbalance {\n prefer 10.0.0.0/8 10.0.0.0/33\n}", "Corefile:3:20: error", "out of range"),
        ("loadbalance {\n preferr\n}", "Corefile:3:2: error", "`prefer`?"),
    ] {
        let (spec, report) = checked(wrong);
        assert!(spec.is_none() && report.contains(place) && report.contains(word), "{wrong}\n{report}");
    }
    let (spec, report) = checked("loadbalance weighted a {\n reload 1ms\n}");
    assert!(spec.is_some() && report.contains("Corefile:3:9: warning"), "{report}");
    assert!(checked("loadbalance {\n prefer\n}").0.is_some(), "as in CoreDNS");
}
