//! What proofs cost: the real blocks, store and AutoPath before a centre that counts, while paused time passes.
//!
//! `NEARPATH_PROOFS_FULL=1 cargo test --release --lib serve::proofs -- --nocapture` asks in the full size: 1,000 names, 20
//! namespaces, some ten minutes.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopath::{Autopath, CutRules};
use contract::testing;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Answer, Blocks as _, Boxed, Client, Context, Failure, Gate, Moment, Next, Plugin, Pod, PodIndex, Query, Reply,
    Scope, Served, Source, Verdict,
};
use tokio::task::AbortHandle;

use super::block::Block;
use super::entrance::Entrance;
use super::zones::{Shared, Zones};
use crate::daemon::{Options, shared_for_tests};

/// A zone with a server block of its own.
const INNER: &str = "inner.com.svc.cluster.local";

const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// How much is asked, by how many.
struct Load {
    names: usize,
    top_labels: usize,
    namespaces: usize,
}

impl Load {
    fn name(&self, number: usize) -> String {
        format!("www.n{number}.t{}", number % self.top_labels)
    }
}

/// The last plugin of a block: counts, waits for a while, answers.
#[derive(Debug)]
struct Centre {
    asked: AtomicU64,
    /// The names of these questions.
    names: Mutex<BTreeSet<Name>>,
    wait: Duration,
    /// Names that exist; the others are denied for 5 s, as CoreDNS's `kubernetes` does it.
    has: fn(&Name) -> bool,
    /// The last octet of every address.
    address: AtomicU8,
    /// How long it lives, seconds.
    ttl: AtomicU32,
    /// It does not answer.
    fails: AtomicBool,
    /// It denies what it has.
    denies: AtomicBool,
}

impl Centre {
    fn new(wait: Duration, has: fn(&Name) -> bool) -> Arc<Self> {
        Arc::new(Self {
            asked: AtomicU64::new(0),
            names: Mutex::default(),
            wait,
            has,
            address: AtomicU8::new(1),
            ttl: AtomicU32::new(300),
            fails: AtomicBool::new(false),
            denies: AtomicBool::new(false),
        })
    }

    /// Questions since it was last asked for them.
    fn count(&self) -> u64 {
        self.asked.swap(0, Ordering::Relaxed)
    }

    /// The names of questions since it was last asked for them.
    fn names(&self) -> BTreeSet<Name> {
        std::mem::take(&mut self.names.lock().unwrap())
    }

    fn answer(&self, query: &Query) -> Answer {
        let mut composer = Composer::new(&query.name, query.rtype, Class::IN);
        if (self.has)(&query.name) && !self.denies.load(Ordering::Relaxed) {
            let last = self.address.load(Ordering::Relaxed);
            let octets = if query.rtype == RecordType::AAAA { vec![last; 16] } else { vec![192, 0, 2, last] };
            let ttl = self.ttl.load(Ordering::Relaxed);
            composer.record(Section::Answer, &query.name, query.rtype, ttl, |to| to.octets(&octets)).unwrap();
            return Answer::composed(composer.finish(), Rcode::NOERROR);
        }
        let zone = Name::parse("cluster.local").unwrap();
        composer.rcode(Rcode::NXDOMAIN);
        composer
            .record(Section::Authority, &zone, RecordType::SOA, 5, |to| {
                to.octets(&[0; 18]);
                to.octets(&5u32.to_be_bytes());
            })
            .unwrap();
        Answer::composed(composer.finish(), Rcode::NXDOMAIN)
    }
}

impl Plugin for Centre {
    fn name(&self) -> &'static str {
        "centre"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.names.lock().unwrap().insert(query.name.clone());
            if !self.wait.is_zero() {
                tokio::time::sleep(self.wait).await;
            }
            if self.fails.load(Ordering::Relaxed) {
                let upstream = SocketAddr::from(([192, 0, 2, 53], 53));
                return Err(Failure::Timeout { upstream, waited: self.wait });
            }
            Ok(Reply::fresh(self.answer(query), Source::Plugin("centre")))
        })
    }
}

/// A node: the cluster's block with AutoPath, a block below it, and the block of all other names.
struct Node {
    entrance: Entrance,
    plugin: Arc<Autopath>,
    centre: Arc<Centre>,
    /// The server of all other names.
    outside: Arc<Centre>,
    /// The server of a block below the cluster's, see [`INNER`].
    inner: Arc<Centre>,
    work: AbortHandle,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.work.abort();
    }
}

fn pod_address(namespace: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, u8::try_from(namespace).unwrap()))
}

impl Node {
    fn new(namespaces: usize, cut: bool, wait: Duration) -> Self {
        let options = Options { cache_bytes: 1 << 30, ..Options::default() };
        let shared = shared_for_tests(&options, &tokio::runtime::Handle::current());
        let context = Context {
            clock: Arc::clone(&shared.clock),
            metrics: Arc::clone(&shared.metrics),
            lists: Arc::default(),
            server: "dns://cluster.local.:53".to_owned(),
            state_dir: None,
            cluster: Arc::new(contract::NoCluster),
            shelf: std::sync::Arc::default(),
            labels: Arc::default(),
            wiretap: None,
        };
        let zone = Name::parse("cluster.local").unwrap();
        let index = Arc::new(PodIndex::default());
        let pod = |namespace: usize| Pod {
            name: format!("ns{namespace}/pod").into(),
            addresses: vec![pod_address(namespace)],
            list: context.lists.intern(
                &[format!("ns{namespace}.svc.cluster.local"), "svc.cluster.local".into(), "cluster.local".into()]
                    .map(|text| Name::parse(&text).unwrap()),
            ),
            ndots: 5,
        };
        index.replace(&(0..namespaces).map(pod).collect::<Vec<_>>());
        let plugin = Autopath::new(vec![zone.clone()], index, None, &context);
        let plugin = Arc::new(if cut { plugin.with_cut(CutRules::default(), &context) } else { plugin });
        let centre = Centre::new(wait, |_| false);
        let outside = Centre::new(wait, |_| true);
        let cluster = block(1, zone, vec![plugin.clone(), centre.clone()]);
        let other = block(2, Name::root(), vec![outside.clone()]);
        let inner = Centre::new(wait, |_| true);
        let below = block(3, Name::parse(INNER).unwrap(), vec![inner.clone()]);
        let blocks = [cluster, other, below].map(Arc::new);
        let entrance = Entrance(Arc::new(Zones::new(&blocks, Arc::clone(&shared))));
        let work = tokio::spawn(Arc::clone(&plugin).run()).abort_handle();
        Self { entrance, plugin, centre, outside, inner, work }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.entrance.0.shared()
    }

    /// A look-up's first question, as a pod of the namespace asks it. True if it waited for anything.
    async fn ask(&self, namespace: usize, name: &str, rtype: RecordType) -> bool {
        let arrived = self.shared().clock.now();
        let reply = self.reply(namespace, name, rtype).await;
        assert_eq!(reply.answer.rcode(), Rcode::NOERROR);
        assert_eq!(reply.answer.message().section(Section::Answer).count(), 2, "a CNAME and an address");
        self.shared().clock.now() > arrived
    }

    /// What it is told.
    async fn reply(&self, namespace: usize, name: &str, rtype: RecordType) -> Reply {
        let client = pod_address(namespace);
        let name = Name::parse(&format!("{name}.ns{namespace}.svc.cluster.local")).unwrap();
        let scope = self.plugin.scoper().unwrap().scope(client, name.as_wire(), rtype, false);
        assert_ne!(scope, Scope::Shared);
        let query = question(client, &name.to_string(), rtype, scope, self.shared().clock.now());
        self.entrance.resolve(query).await.unwrap()
    }

    /// The last octet of the address that it is told; `None` if it is told none.
    async fn address(&self, namespace: usize, name: &str) -> Option<u8> {
        let reply = self.reply(namespace, name, RecordType::A).await;
        let message = reply.answer.message();
        let record = message.section(Section::Answer).find(|record| record.rtype == RecordType::A)?;
        message.rdata(&record).last().copied()
    }

    /// Asks for every name from every namespace about once a second. Questions that reached the centre, by minute.
    async fn minutes(&self, load: &Load, minutes: usize) -> Vec<u64> {
        let mut counts = Vec::new();
        for _ in 0..minutes {
            for _ in 0..60 {
                for namespace in 0..load.namespaces {
                    for number in 0..load.names {
                        for rtype in ADDRESSES {
                            self.ask(namespace, &load.name(number), rtype).await;
                        }
                    }
                    tokio::time::sleep(Duration::from_secs(1) / u32::try_from(load.namespaces).unwrap()).await;
                }
            }
            counts.push(self.centre.count());
        }
        counts
    }
}

fn question(client: IpAddr, name: &str, rtype: RecordType, scope: Scope, arrived: Moment) -> Query {
    Query { scope, client: testing::client(&client.to_string()), arrived, ..testing::query(name, rtype) }
}

/// A block with the directive `cache` and room enough.
fn block(id: u32, zone: Name, chain: Vec<Arc<dyn Plugin>>) -> Block {
    let scoper = chain.iter().find(|plugin| plugin.scoper().is_some()).cloned();
    Block { scoper, ..Block::bare(id, zone, "cache {\n success 1000000\n denial 1000000\n }", chain.into()) }
}

#[expect(clippy::print_stderr, reason = "the figures are the point")]
#[tokio::test(start_paused = true)]
async fn proofs_cost_by_top_level_labels_and_not_by_names() {
    // the short size has as few names for each top-level label as the bounds below allow
    let load = match std::env::var_os("NEARPATH_PROOFS_FULL").is_some() {
        true => Load { names: 1_000, top_labels: 5, namespaces: 20 },
        false => Load { names: 150, top_labels: 1, namespaces: 2 },
    };
    let without = Node::new(load.namespaces, false, Duration::ZERO).minutes(&load, 3).await;
    let with = Node::new(load.namespaces, true, Duration::ZERO).minutes(&load, 3).await;
    for (minute, (without, with)) in without.iter().zip(&with).enumerate() {
        let ratio = *without as f64 / *with as f64;
        eprintln!(
            "minute {}: {without} questions for proofs without the cut, {with} with it: 1/{ratio:.1}",
            minute + 1
        );
    }
    assert!(with[0] * 10 <= without[0], "the first minute");
    assert!((1..3).all(|minute| with[minute] * 100 <= without[minute]), "each later one");
    assert!(with[1] > 0, "proofs are renewed");
}

#[tokio::test(start_paused = true)]
async fn a_name_asked_all_day_never_waits_for_a_proof() {
    let node = Node::new(1, true, Duration::from_millis(20));
    let mut waited = Vec::new();
    for round in 0..60 {
        for rtype in ADDRESSES {
            waited.push((round, node.ask(0, "api.example.com", rtype).await));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let late: Vec<_> = waited.iter().filter(|(round, waited)| *round >= 20 && *waited).collect();
    assert!(late.is_empty(), "after the first minute nothing waits: {late:?}");
    let early = waited.iter().filter(|(_, waited)| *waited).count();
    assert!((1..=4).contains(&early), "the first look-up waits, and at most one renewal: {waited:?}");

    // and the cost ends when the use ends
    node.centre.count();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let after = node.centre.count();
    assert!(after <= 5 * 6, "what fits into three lives of three cuts, two types: {after}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(node.centre.count(), 0);
}

/// The proofs in full end an hour after they were last asked for; from then on cuts alone prove that the name is outside.
#[tokio::test(start_paused = true)]
async fn an_outside_name_in_use_lives_on_without_the_centre() {
    const NAME: &str = "api.example.com";
    const EVERY: Duration = Duration::from_secs(3);
    let node = Node::new(1, true, Duration::from_millis(20));
    node.outside.ttl.store(5, Ordering::Relaxed);
    for _ in 0..1_300 {
        assert_eq!(node.address(0, NAME).await, Some(1));
        tokio::time::sleep(EVERY).await;
    }
    node.centre.names();
    node.centre.fails.store(true, Ordering::Relaxed);
    node.outside.address.store(2, Ordering::Relaxed);
    let mut told = Vec::new();
    for _ in 0..10 {
        told.push(node.address(0, NAME).await);
        tokio::time::sleep(EVERY).await;
    }
    let full: Vec<_> = node.centre.names().into_iter().filter(|name| name.to_string().starts_with("api.")).collect();
    assert!(full.is_empty(), "the cuts say enough: {full:?}");
    assert!(told.iter().all(Option::is_some), "{told:?}");
    let new = told.iter().position(|one| *one == Some(2)).expect("the new address is told");
    assert!(new <= 2 && told[new..].iter().all(|one| *one == Some(2)), "and stays: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cold_name_takes_one_round_where_the_proofs_are_known() {
    let wait = Duration::from_millis(20);
    let node = Node::new(1, true, wait);
    let rounds = Mutex::new(Vec::new());
    let look_up = async |name: &str| {
        let begun = node.shared().clock.now();
        node.ask(0, name, RecordType::A).await;
        rounds.lock().unwrap().push(node.shared().clock.now().since(begun).as_millis() / wait.as_millis());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    for name in ["one.example.com", "two.example.com", "three.example.com", "four.example.com"] {
        look_up(name).await;
    }
    assert_eq!(*rounds.lock().unwrap(), [2, 2, 1, 1]);
    node.centre.count();
    look_up("web.pay").await;
    assert_eq!(node.centre.count(), 6, "a name of another kind costs what it did");
}

/// The cut `com.svc.cluster.local` is denied by one server, the names of the block below it by another one.
#[tokio::test(start_paused = true)]
async fn a_cut_says_nothing_of_names_in_another_block() {
    const NAME: &str = "api.inner.com";
    let node = Node::new(1, true, Duration::ZERO);
    node.inner.address.store(2, Ordering::Relaxed);
    node.inner.denies.store(true, Ordering::Relaxed);
    for _ in 0..4 {
        assert_eq!(node.address(0, NAME).await, Some(1), "the outside name");
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    node.centre.names();
    node.address(0, NAME).await;
    let full = node.centre.names().iter().any(|name| name.to_string().starts_with("api."));
    assert!(!full, "the other candidates lean on their cuts");
    node.inner.denies.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(node.address(0, NAME).await, Some(2));

    let handle = node.entrance.handle().unwrap();
    for (one, other, same) in [
        ("com.svc.cluster.local", "api.example.com.svc.cluster.local", true),
        ("com.svc.cluster.local", "api.inner.com.svc.cluster.local", false),
        ("inner.com.svc.cluster.local", "api.inner.com.svc.cluster.local", true),
        ("com.svc.cluster.local", "com", false),
    ] {
        let [one, other] = [one, other].map(|text| Name::parse(text).unwrap());
        assert_eq!(node.entrance.is_same_block(&one, &other), same, "{one} {other}");
        assert_eq!(handle.is_same_block(&one, &other), same, "{one} {other}");
    }
}

#[tokio::test(start_paused = true)]
async fn work_beside_the_queries_does_not_keep_the_blocks() {
    let node = Node::new(1, true, Duration::ZERO);
    for name in ["one.example.com", "two.example.com"] {
        node.ask(0, name, RecordType::A).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let handle = node.entrance.handle().unwrap();
    let zones = Arc::downgrade(&node.entrance.0);
    let plugin = Arc::downgrade(&node.plugin);
    drop(node);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(zones.upgrade().is_none() && plugin.upgrade().is_none());
    let query = |name: &str| Name::parse(name).unwrap();
    assert!(!handle.is_same_block(&query("a.cluster.local"), &query("b.cluster.local")));
}

/// A gate that one client does not pass.
#[derive(Debug)]
struct Closed(IpAddr);

impl Plugin for Closed {
    fn name(&self) -> &'static str {
        "closed"
    }

    fn gate(&self) -> Option<&dyn Gate> {
        Some(self)
    }
}

impl Gate for Closed {
    fn verdict(&self, client: &Client, _: &[u8], _: RecordType) -> Verdict {
        if client.ip() == self.0 { Verdict::Block } else { Verdict::Allow }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_told_while_it_is_true_and_to_whom_the_gates_let_know() {
    let shared = shared_for_tests(&Options::default(), &tokio::runtime::Handle::current());
    let centre = Centre::new(Duration::ZERO, |_| false);
    let closed: Arc<dyn Plugin> = Arc::new(Closed(pod_address(1)));
    let mut block = block(1, Name::root(), vec![closed.clone(), centre.clone()]);
    block.gates = [closed].into();
    let entrance = Entrance(Arc::new(Zones::new(&[Arc::new(block)], Arc::clone(&shared))));
    let query = |namespace| question(pod_address(namespace), "com.d", RecordType::A, Scope::Shared, shared.clock.now());
    assert!(entrance.stored(&query(0)).is_none() && centre.count() == 0, "nobody is asked");
    entrance.resolve(query(0)).await.unwrap();
    let stored = entrance.stored(&query(0)).unwrap().unwrap();
    assert_eq!((stored.answer.rcode(), stored.source), (Rcode::NXDOMAIN, Source::Store));
    assert!(entrance.stored(&query(1)).is_none(), "a gate is closed");
    assert_eq!(entrance.ask_anew(query(1)).await.unwrap_err(), Failure::Prohibited);
    centre.count();
    entrance.ask_anew(query(0)).await.unwrap();
    assert_eq!(centre.count(), 1, "past the store");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(entrance.stored(&query(0)).is_none(), "past its end");
}
