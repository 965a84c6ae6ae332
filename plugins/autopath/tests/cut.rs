//! The NXDOMAIN cut seen from the server blocks: what is asked when, what it proves, and how it is given up.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap like tests")]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use autopath::{Autopath, CutRules, Pod, PodIndex};
use contract::limits::{CUT_CHECK_EVERY, CUT_LOOKS_APART_MAX, CUT_LOOKS_MAX, CUTS_MAX, STALE_RECHECK};
use contract::metrics::Metrics;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Age, Answer, Blocks, Boxed, Client, Clock, Context, Failure, Moment, Next, Plugin, Query, Reply, RuntimeClock,
    Scope, Served, Source, Transport,
};
use futures_util::future::join_all;
use tokio::time::sleep;

const A: RecordType = RecordType::A;
const TXT: RecordType = RecordType::TXT;
const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 7));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 8));
/// What a question to a server takes.
const WAIT: Duration = Duration::from_millis(20);
/// How long a denial holds.
const DENIAL: Duration = Duration::from_secs(5);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// What the server says of a name.
#[derive(Clone, Copy, Debug)]
enum Says {
    Address,
    NoData,
    /// An alias whose target does not exist: NXDOMAIN behind a CNAME.
    DeadAlias,
    Nothing,
    /// The same, with a denial of this life.
    NothingFor(Duration),
    ServFail,
}

/// Server blocks with memory, before servers that deny what they do not know: that of the cluster, `d.e`, with AutoPath, and
/// one below it.
struct House {
    this: Weak<House>,
    plugin: Arc<Autopath>,
    clock: Arc<dyn Clock>,
    says: Mutex<HashMap<Name, Says>>,
    memory: Mutex<HashMap<(Scope, Name, RecordType), Memorised>>,
    asked: Mutex<Vec<String>>,
    metrics: Arc<Metrics>,
    work: tokio::task::AbortHandle,
}

impl Drop for House {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// A reply, since when and until when.
type Memorised = (Reply, Moment, Moment);

/// The block's way to its server.
#[derive(Debug)]
struct Server;

impl Plugin for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    fn serve<'a>(&'a self, query: &'a Query, next: Next<'a>) -> Boxed<'a, Served> {
        next.blocks().ask_anew(query.clone())
    }
}

fn house(state_dir: Option<PathBuf>, cut: bool) -> Arc<House> {
    let context = Context {
        clock: Arc::new(RuntimeClock::start()),
        metrics: Arc::new(Metrics::default()),
        lists: Arc::default(),
        server: "dns://d.e.:53".to_owned(),
        state_dir,
    };
    let index = Arc::new(PodIndex::new(&context));
    let search = ["shop.svc.d.e", "svc.d.e", "d.e", "corp.example"].map(name).to_vec();
    index.replace(vec![Pod { name: "shop/web".to_owned(), addresses: vec![POD], search, ndots: 5 }]);
    let plugin = Autopath::new(vec![name("d.e")], index, None, &context);
    let plugin = Arc::new(if cut { plugin.with_cut(CutRules::default(), &context) } else { plugin });
    let work = tokio::spawn(Arc::clone(&plugin).run()).abort_handle();
    Arc::new_cyclic(|this| House {
        this: Weak::clone(this),
        plugin,
        clock: context.clock,
        says: Mutex::default(),
        memory: Mutex::default(),
        asked: Mutex::default(),
        metrics: context.metrics,
        work,
    })
}

impl House {
    /// The zone of the block that a name enters.
    fn block(of: &Name) -> Option<Name> {
        ["y.com.svc.d.e", "d.e"].map(name).into_iter().find(|zone| zone.encloses(of))
    }

    fn says(&self, owner: &str, what: Says) {
        self.says.lock().unwrap().insert(name(owner), what);
    }

    fn query(&self, client: IpAddr, asked: &str, rtype: RecordType) -> Query {
        let name = name(asked);
        let scope = self.plugin.scoper().unwrap().scope(client, name.as_wire(), rtype, false);
        Query {
            name,
            rtype,
            class: Class::IN,
            dnssec_ok: false,
            checking_disabled: false,
            scope,
            client: Client {
                address: SocketAddr::new(client, 40_000),
                local: SocketAddr::from(([169, 254, 20, 10], 53)),
                transport: Transport::Udp,
            },
            edns: None,
            header: (1, 0x0100),
            arrived: self.clock.now(),
            reentries: 0,
            refresh: false,
        }
    }

    /// A pod's look-up of a name, which must not come from memory as a whole.
    async fn look_up(&self, typed: &str, rtype: RecordType) -> Served {
        let query = self.query(POD, &format!("{typed}.shop.svc.d.e"), rtype);
        assert_ne!(query.scope, Scope::Shared);
        let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Server)];
        self.plugin.serve(&query, Next::new(&chain, self)).await
    }

    /// The name behind the CNAME of a look-up.
    async fn leads_to(&self, typed: &str, rtype: RecordType) -> Name {
        let reply = self.look_up(typed, rtype).await.unwrap();
        let message = reply.answer.message();
        let cname = message.section(Section::Answer).next().unwrap();
        message.name(cname.rdata).unwrap()
    }

    async fn finds(&self, typed: &str, rtype: RecordType) -> bool {
        self.look_up(typed, rtype).await.unwrap().answer.rcode() == Rcode::NOERROR
    }

    /// What went to the servers since the last time, without outside names.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.retain(|one| one.contains(".d.e. "));
        asked.sort();
        asked
    }

    fn counted(&self, metric: &str) -> u64 {
        let text = self.metrics.text();
        let number = text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let (series, number) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(metric)).then(|| number.parse().unwrap())
        });
        number.unwrap_or_else(|| panic!("no {metric}"))
    }

    fn answer(&self, query: &Query) -> Answer {
        let outside = !name("d.e").encloses(&query.name) && query.name.label_count() == 3;
        let says = self.says.lock().unwrap().get(&query.name).copied();
        let says = says.unwrap_or(if outside { Says::Address } else { Says::Nothing });
        let mut composer = Composer::new(&query.name, query.rtype, Class::IN);
        match says {
            Says::Address => {
                let octets = if query.rtype == A { vec![192, 0, 2, 1] } else { vec![0xfd; 16] };
                composer.record(Section::Answer, &query.name, query.rtype, 30, |to| to.octets(&octets)).unwrap();
                return Answer::composed(composer.finish(), Rcode::NOERROR);
            }
            Says::DeadAlias => composer.cname(&query.name, &name("nowhere.example"), 30).unwrap(),
            Says::ServFail => return Answer::empty(&query.name, query.rtype, Class::IN, Rcode::SERVFAIL),
            Says::NoData | Says::Nothing | Says::NothingFor(_) => {}
        }
        let rcode = if matches!(says, Says::NoData) { Rcode::NOERROR } else { Rcode::NXDOMAIN };
        let life = if let Says::NothingFor(life) = says { life } else { DENIAL };
        let seconds = u32::try_from(life.as_secs()).unwrap();
        composer.rcode(rcode);
        composer
            .record(Section::Authority, &name("d.e"), RecordType::SOA, seconds, |to| {
                to.octets(&[0; 18]);
                to.octets(&seconds.to_be_bytes());
            })
            .unwrap();
        Answer::composed(composer.finish(), rcode)
    }
}

impl Blocks for House {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            if let Some(memorised) = self.stored(&query).filter(|_| !query.refresh) {
                return memorised;
            }
            let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Server)];
            let reply = match House::block(&query.name) == Some(name("d.e")) {
                true => self.plugin.serve(&query, Next::new(&chain, self)).await,
                false => Next::new(&chain, self).serve(&query).await,
            }?;
            let since = self.clock.now();
            let Some(life) = reply.true_for() else { return Ok(reply) };
            let until = since.after(life);
            self.memory.lock().unwrap().insert((query.scope, query.name, query.rtype), (reply.clone(), since, until));
            Ok(reply)
        })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        let now = self.clock.now();
        let memory = self.memory.lock().unwrap();
        let (reply, since, until) = memory.get(&(query.scope, query.name.clone(), query.rtype)).cloned()?;
        let age = Age::Fresh(now.seconds_since(since));
        (now < until).then(|| Ok(Reply { age, lifetime: Some(until.since(now)), source: Source::Store, ..reply }))
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(format!("{} {}", query.name, query.rtype));
            sleep(WAIT).await;
            Ok(Reply::fresh(self.answer(&query), Source::Plugin("server")))
        })
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        House::block(one) == House::block(other)
    }

    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        Some(Arc::new(Handle(Weak::clone(&self.this))))
    }
}

struct Handle(Weak<House>);

impl Blocks for Handle {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.house()?.resolve(query).await })
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        self.0.upgrade()?.stored(query)
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move { self.house()?.ask_anew(query).await })
    }
}

impl Handle {
    fn house(&self) -> Result<Arc<House>, Failure> {
        self.0.upgrade().ok_or(Failure::NotReady { what: "house" })
    }
}

/// The cuts of `com` are learned, and memory has their proofs.
async fn learned(house: &House) {
    for typed in ["one.x.com", "two.x.com"] {
        assert!(house.finds(typed, TXT).await);
    }
    sleep(Duration::from_millis(100)).await;
    house.asked();
}

const FULL: [&str; 3] = ["www.x.com.d.e. TXT", "www.x.com.shop.svc.d.e. TXT", "www.x.com.svc.d.e. TXT"];
const CUTS: [&str; 3] = ["com.d.e. TXT", "com.shop.svc.d.e. TXT", "com.svc.d.e. TXT"];

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_in_full_once_and_then_its_cuts() {
    let house = house(None, true);
    assert!(house.finds("www.x.com", TXT).await);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(house.asked(), FULL, "a look-up that nobody repeats costs nothing more");
    assert!(house.finds("www.x.com", TXT).await);
    sleep(WAIT * 2).await;
    let mut both = [FULL, CUTS].concat();
    both.sort_unstable();
    assert_eq!(house.asked(), both, "repeated: the cuts are learned beside it");
    for _ in 0..3 {
        sleep(Duration::from_secs(60)).await; // the cuts are let go meanwhile
        house.asked();
        assert!(house.finds("www.x.com", TXT).await);
        assert_eq!(house.asked(), CUTS, "known, though not cared for");
    }
    assert_eq!(house.counted("nearpath_autopath_cut_saved_total"), 9);
    assert_eq!(house.counted("nearpath_autopath_cuts"), 3);
}

#[tokio::test(start_paused = true)]
async fn the_outside_question_goes_out_beside_candidates_that_are_proven_missing() {
    let house = house(None, true);
    let rounds = async |typed: &str| {
        let begun = house.clock.now();
        assert!(house.finds(typed, A).await);
        house.clock.now().since(begun).as_millis() / WAIT.as_millis()
    };
    // inside, the host's domain, the name itself
    assert_eq!(rounds("one.x.com").await, 3);
    assert_eq!(rounds("two.x.com").await, 3);
    sleep(WAIT * 2).await;
    assert_eq!(rounds("three.x.com").await, 2, "inside and the host's domain together");
    assert_eq!(rounds("three.x.com").await, 0, "proven and memorised");
    for gone in ["com.shop.svc.d.e", "com.svc.d.e", "com.d.e"] {
        let learned = house.memory.lock().unwrap().clone();
        house.memory.lock().unwrap().retain(|(_, owner, _), _| *owner != name(gone));
        assert_eq!(rounds(&format!("{}.x.com", gone.replace('.', "-"))).await, 3, "memory does not know of {gone}");
        *house.memory.lock().unwrap() = learned;
    }

    // all are judged in order: a candidate inside that exists wins
    house.says("four.x.com.svc.d.e", Says::Address);
    assert_eq!(house.leads_to("four.x.com", A).await, name("four.x.com.svc.d.e"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_lives_no_longer_than_the_cuts_it_rests_on() {
    let house = house(None, true);
    learned(&house).await;
    house.work.abort(); // nobody renews them
    assert!(house.finds("www.x.com", TXT).await);
    sleep(Duration::from_secs(3)).await;
    let reply = house.look_up("one.x.com", TXT).await.unwrap();
    assert!(house.asked().iter().all(|asked| FULL.contains(&asked.as_str())), "the cuts are memorised");
    let left = DENIAL - Duration::from_secs(3);
    assert!(reply.lifetime.unwrap() < left && reply.lifetime.unwrap() > left / 2, "{:?}", reply.lifetime);

    // all missing: the SOA of the first candidate's proof, under the name that was asked
    house.says("a.b.c.x.com", Says::Nothing);
    for _ in 0..3 {
        let reply = house.look_up("a.b.c.x.com", TXT).await.unwrap();
        assert_eq!(reply.answer.rcode(), Rcode::NXDOMAIN);
        let message = reply.answer.message();
        assert!(message.asks(&name("a.b.c.x.com.shop.svc.d.e"), TXT, Class::IN));
        assert_eq!(message.section(Section::Authority).count(), 1);
        sleep(Duration::from_secs(6)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_exists_proves_nothing() {
    for says in [Says::NoData, Says::Address, Says::DeadAlias] {
        let house = house(None, true);
        house.says("com.svc.d.e", says);
        learned(&house).await;
        assert!(house.finds("www.x.com", TXT).await);
        sleep(Duration::from_secs(6)).await;
        house.asked();
        assert!(house.finds("www.x.com", TXT).await);
        let asked = house.asked();
        assert!(asked.contains(&"www.x.com.svc.d.e. TXT".to_owned()), "{says:?}: {asked:?}");
        assert!(!asked.contains(&"www.x.com.shop.svc.d.e. TXT".to_owned()), "{says:?}: {asked:?}");
        assert!(!asked.iter().any(|one| one.starts_with("com.svc")), "tried again only after a while: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_comes_with_its_namespace_is_found_when_the_proof_ends() {
    let house = house(None, true);
    house.says("web.com", Says::Address);
    for _ in 0..3 {
        assert!(house.finds("web.com", A).await);
        sleep(Duration::from_secs(1)).await;
    }
    // the namespace `com` is made, with a service `web`
    house.says("web.com.svc.d.e", Says::Address);
    house.says("com.svc.d.e", Says::NoData);
    sleep(DENIAL).await;
    assert_eq!(house.leads_to("web.com", A).await, name("web.com.svc.d.e"));
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
}

/// A namespace and a name in it are made while memory tells the denial of the namespace: the name is found at once.
#[tokio::test(start_paused = true)]
async fn a_cut_that_came_to_exist_is_not_believed_again() {
    for rtype in [A, TXT] {
        let house = house(None, true);
        for typed in ["one.x.com", "two.x.com"] {
            for rtype in [A, TXT] {
                assert!(house.finds(typed, rtype).await);
            }
        }
        sleep(Duration::from_secs(6)).await;
        for rtype in [A, TXT] {
            assert!(house.finds("one.x.com", rtype).await, "by cuts, which memory knows for some time");
        }
        house.says("com.svc.d.e", Says::NoData);
        house.says("one.x.com.svc.d.e", Says::Address);
        house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
        sleep(WAIT * 10).await;
        assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0, "looked into");
        let old = house.stored(&house.query(STRANGER, "com.svc.d.e", rtype)).unwrap().unwrap();
        assert_eq!(old.answer.rcode(), Rcode::NXDOMAIN, "memory tells the old denial");
        assert_eq!(house.leads_to("one.x.com", rtype).await, name("one.x.com.svc.d.e"));
        assert_eq!(house.counted("nearpath_autopath_cut_off"), 0);
    }
}

/// A suspicion that nobody answers.
#[tokio::test(start_paused = true)]
async fn a_suspicion_that_stays_unclear_is_given_up() {
    let house = house(None, true);
    learned(&house).await;
    house.says("one.x.com.svc.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    house.says("one.x.com.svc.d.e", Says::ServFail);
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 1);
    sleep(STALE_RECHECK * (CUT_LOOKS_MAX - 1)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 1, "it may come back");
    sleep(STALE_RECHECK * 3).await;
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
    house.asked();
    sleep(STALE_RECHECK * 3).await;
    assert!(house.asked().is_empty());
}

/// The second look comes after the denial's end, or not at all.
#[tokio::test(start_paused = true)]
async fn a_contradiction_is_certain_when_the_denial_has_ended() {
    let hour = Duration::from_secs(3_600);
    for (denial, certain) in [(hour, true), (CUT_LOOKS_APART_MAX + hour, false)] {
        let house = house(None, true);
        learned(&house).await;
        house.says("one.x.com.svc.d.e", Says::Address);
        house.says("com.svc.d.e", Says::NothingFor(denial));
        house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
        sleep(denial).await;
        assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0, "a cache may have told it");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), u64::from(certain));
        assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_in_so_many_renewals_is_done_in_full() {
    let house = house(None, true);
    learned(&house).await;
    let (mut full, mut cuts) = (BTreeMap::<String, u32>::new(), 0);
    for _ in 0..400 {
        assert!(house.finds("one.x.com", TXT).await);
        for asked in house.asked() {
            match asked.starts_with("com.") {
                true => cuts += 1,
                false => *full.entry(asked).or_insert(0) += 1,
            }
        }
        sleep(Duration::from_secs(2)).await;
    }
    let expected = cuts / 3 / CUT_CHECK_EVERY;
    assert!(expected >= 2, "long enough: {cuts} renewals");
    assert_eq!(full.len(), 3, "{full:?}");
    assert!(full.values().all(|count| count.abs_diff(expected) <= 1), "{full:?}, {expected} expected");
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_turns_the_cut_off_for_its_domain_and_over_restarts() {
    let folder = std::env::temp_dir().join(format!("autopath-contradiction-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let house = house(Some(folder.clone()), true);
    learned(&house).await;
    sleep(Duration::from_secs(6)).await;
    house.says("one.x.com.svc.d.e", Says::Address);
    assert!(house.finds("one.x.com", TXT).await, "the outside name: nobody knows yet");
    // somebody else asks for it
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    house.asked();
    sleep(WAIT).await;
    house.look_up("one.x.com", TXT).await.unwrap();
    let asked = house.asked();
    assert!(asked.contains(&"one.x.com.svc.d.e. TXT".to_owned()), "on suspicion it is asked in full: {asked:?}");
    sleep(Duration::from_secs(8)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 1);
    assert_eq!(house.counted("nearpath_autopath_cut_off"), 1);
    for _ in 0..3 {
        assert_eq!(house.leads_to("one.x.com", TXT).await, name("one.x.com.svc.d.e"));
        sleep(Duration::from_secs(6)).await;
    }
    // the file is written by a thread of its own
    for _ in 0..1_000 {
        if folder.join("autopath-cut-off").exists() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        std::thread::yield_now();
    }
    let later = self::house(Some(folder.clone()), true);
    assert_eq!(later.counted("nearpath_autopath_cut_off"), 1);
    learned(&later).await;
    sleep(Duration::from_secs(6)).await;
    later.asked();
    assert!(later.finds("one.x.com", TXT).await);
    let asked = later.asked();
    assert!(asked.contains(&"one.x.com.svc.d.e. TXT".to_owned()), "{asked:?}");
    assert!(!asked.contains(&"one.x.com.shop.svc.d.e. TXT".to_owned()), "only below that domain: {asked:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_made_a_moment_ago_is_no_contradiction() {
    let house = house(None, true);
    learned(&house).await;
    // a cache before the centre tells the old denial of the namespace for a while, but knows nothing of the new name
    house.says("one.x.com.svc.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "one.x.com.svc.d.e", A)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    house.says("com.svc.d.e", Says::NoData);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(house.counted("nearpath_autopath_cut_contradictions_total"), 0);
}

/// A denial below a live cut, an alias that leads to nothing, and what memory says.
#[tokio::test(start_paused = true)]
async fn what_contradicts_nothing_is_not_looked_into() {
    for says in [Says::Nothing, Says::DeadAlias] {
        let house = house(None, true);
        learned(&house).await;
        house.says("two.x.com.d.e", says);
        house.resolve(house.query(STRANGER, "two.x.com.d.e", A)).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(house.asked(), ["two.x.com.d.e. A"], "{says:?}: nobody else asks");
        sleep(Duration::from_secs(6)).await;
        house.asked();
        assert!(house.finds("two.x.com", TXT).await);
        assert_eq!(house.asked(), CUTS, "{says:?}: they are leaned on");
    }

    let house = house(None, true);
    house.says("five.x.com.d.e", Says::Address);
    house.resolve(house.query(STRANGER, "five.x.com.d.e", TXT)).await.unwrap();
    learned(&house).await;
    house.says("five.x.com.d.e", Says::Nothing);
    assert_eq!(house.leads_to("five.x.com", TXT).await, name("five.x.com.d.e"), "as memory has it");
    sleep(Duration::from_secs(1)).await;
    let asked = house.asked();
    assert!(!asked.iter().any(|one| one.contains("five.x.com.d.e.")), "older than the denial: {asked:?}");
    assert_eq!(house.counted("nearpath_autopath_cut_suspicions"), 0);
}

/// A server block begins at `y.com.svc.d.e`, below the cut `com.svc.d.e`.
#[tokio::test(start_paused = true)]
async fn a_cut_says_nothing_of_names_in_another_block() {
    let house = house(None, true);
    for typed in ["one.y.com", "two.y.com", "one.y.com"] {
        assert!(house.finds(typed, TXT).await);
        sleep(Duration::from_secs(6)).await;
    }
    house.asked();
    assert!(house.finds("one.y.com", TXT).await);
    let mut asked = house.asked();
    asked.retain(|one| one.starts_with("one."));
    assert_eq!(asked, ["one.y.com.svc.d.e. TXT"], "the others lean on their cuts");
    house.says("one.y.com.svc.d.e", Says::Address);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(house.leads_to("one.y.com", TXT).await, name("one.y.com.svc.d.e"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_asked_for_the_cut() {
    // one label has no cut, and what is inside and exists needs none
    let house = self::house(None, true);
    house.says("web.shop.svc.d.e", Says::Address);
    house.says("web.pay.svc.d.e", Says::Address);
    for typed in ["web", "web.pay"] {
        for _ in 0..4 {
            assert!(house.finds(typed, TXT).await);
            sleep(Duration::from_secs(40)).await;
        }
    }
    let asked = house.asked();
    let cuts = asked.iter().filter(|one| one.split('.').count() == 6 && one.starts_with("pay.")).count();
    assert!(asked.iter().all(|one| one.starts_with("web.") || one.starts_with("pay.shop.")), "{asked:?}");
    assert!(cuts <= 6, "{asked:?}");

    // off by hand
    let house = self::house(None, false);
    for _ in 0..4 {
        assert!(house.finds("www.x.com", TXT).await);
        assert_eq!(house.asked(), FULL);
        sleep(Duration::from_secs(6)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_of_known_cuts_is_counted_and_harmless() {
    let house = house(None, true);
    let names: Vec<String> = (0..CUTS_MAX / 3 + 10).map(|number| format!("x.y.t{number}")).collect();
    let found = join_all(names.iter().map(|typed| house.finds(typed, TXT))).await;
    assert!(found.into_iter().all(|found| found));
    assert_eq!(house.counted("nearpath_autopath_cuts"), CUTS_MAX as u64);
    assert!(house.counted("nearpath_autopath_cuts_refused_total") > 0);
    // what nobody uses makes room
    sleep(Duration::from_secs(600)).await;
    learned(&house).await;
    assert!(house.counted("nearpath_autopath_cuts") < 10);
}
