//! A memory and a resolver that a test scripts, and the watch that stands on them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contract::testing::{context, query};
use contract::wire::{Class, Composer, Ede, Name, Rcode, RecordType, Section, ede};
use contract::{
    Answer, Blocks, Bound, Boxed, Clock, Context, Failure, Kind, Moment, Object, Publication, Published, Query,
    Remembered, Reply, RuntimeClock, Served, Source,
};
use tokio::time::sleep;

use crate::follow::Follow;
use crate::follow::data::{Data, targets};
use crate::follow::pursuits::is_wildcard;

/// How long the resolver takes.
pub(in crate::follow) const LATENCY: Duration = Duration::from_millis(20);

pub(in crate::follow) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(in crate::follow) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(in crate::follow) fn object(text: &str) -> Object {
    Object { kind: Kind::Service, namespace: "shop".into(), name: text.into() }
}

pub(in crate::follow) fn publication(owner: &str, rtype: RecordType, targets: &[&str]) -> Publication {
    let targets = targets.iter().map(|target| (*target).into()).collect();
    Publication { name: name(owner), rtype: Some(rtype), targets, ttl: None, is_plain: true }
}

/// An answer with these records, NXDOMAIN if the zone has nothing of the name.
pub(in crate::follow) fn answer(
    asked: &Name,
    rtype: RecordType,
    records: &[(RecordType, &str)],
    exists: bool,
) -> Answer {
    let mut composer = Composer::new(asked, rtype, Class::IN);
    for (held, target) in records {
        let data = Data::of_target(*held, target).unwrap();
        composer.record(Section::Answer, asked, *held, 300, |to| data.write(to)).unwrap();
    }
    let rcode = if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN };
    composer.rcode(rcode);
    Answer::composed(composer.finish(), rcode)
}

/// What the resolver does instead of telling what the zone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::follow) enum Mood {
    Answers,
    /// Does not answer.
    Down,
    /// Clients have all that it may be sent.
    Busy,
    /// What is asked for has vanished, and the section tells the last answer for a while.
    Grace,
    /// Does not answer, and the section makes up what objects say.
    Made,
}

/// What identifies an answer in memory: name, type, DO and CD.
type Key = (Name, RecordType, bool, bool);

#[derive(Debug)]
pub(in crate::follow) struct Script {
    pub(in crate::follow) zone: BTreeMap<(Name, RecordType), Vec<String>>,
    pub(in crate::follow) memory: HashMap<Key, (Arc<Answer>, Moment)>,
    pub(in crate::follow) mood: Mood,
    pub(in crate::follow) asked: Vec<(Moment, Query)>,
    pub(in crate::follow) forgotten: Vec<(Vec<Name>, Moment)>,
}

/// Memory and resolver.
#[derive(Debug)]
pub(in crate::follow) struct World {
    pub(in crate::follow) clock: Arc<RuntimeClock>,
    script: Mutex<Script>,
    under_way: AtomicUsize,
    pub(in crate::follow) most_at_once: AtomicUsize,
}

impl World {
    pub(in crate::follow) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// The zone has these records from now on; none: they are gone.
    pub(in crate::follow) fn publish(&self, owner: &str, rtype: RecordType, targets: &[&str]) {
        let key = (name(owner), rtype);
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        let zone = &mut self.script().zone;
        if targets.is_empty() {
            zone.remove(&key)
        } else {
            zone.insert(key, targets)
        };
    }

    fn zone_says(script: &Script, asked: &Name, rtype: RecordType) -> Answer {
        let held = |rtype| script.zone.get(&(asked.clone(), rtype)).map(|targets| (rtype, targets));
        let found = held(RecordType::CNAME).or_else(|| held(rtype));
        let records = found.iter().flat_map(|(rtype, targets)| targets.iter().map(|target| (*rtype, target.as_str())));
        let mut of_name = script.zone.range((asked.clone(), RecordType(0))..=(asked.clone(), RecordType(u16::MAX)));
        let exists = of_name.next().is_some();
        answer(asked, rtype, &records.collect::<Vec<_>>(), exists)
    }

    /// The zone has an alias, and a pod here has asked for an address of it just now: memory has the whole chain under its name.
    pub(in crate::follow) fn pod_asks_alias(&self, follow: &Follow, alias: &str, target: &str) {
        let mut script = self.script();
        let held = script.zone.get(&(name(target), RecordType::A)).cloned().unwrap_or_default();
        let (alias, target) = (name(alias), name(target));
        let mut composer = Composer::new(&alias, RecordType::A, Class::IN);
        composer.cname(&alias, &target, 300).unwrap();
        for address in &held {
            let data = Data::of_target(RecordType::A, address).unwrap();
            composer.record(Section::Answer, &target, RecordType::A, 300, |to| data.write(to)).unwrap();
        }
        let said = Answer::composed(composer.finish(), Rcode::NOERROR);
        follow.saw(&query(&alias.to_string(), RecordType::A), &said);
        script.memory.insert((alias, RecordType::A, false, false), (Arc::new(said), self.clock.now()));
    }

    /// A pod here has asked for it just now, as (DO, CD) says.
    pub(in crate::follow) fn pod_asks(
        &self,
        asked: &str,
        rtype: RecordType,
        (dnssec_ok, checking_disabled): (bool, bool),
    ) {
        let mut script = self.script();
        let said = Self::zone_says(&script, &name(asked), rtype);
        let key = (name(asked), rtype, dnssec_ok, checking_disabled);
        script.memory.insert(key, (Arc::new(said), self.clock.now()));
    }

    /// What memory has of a name's addresses, in the variant that pods ask for.
    pub(in crate::follow) fn memory_has(&self, asked: &str, rtype: RecordType) -> Option<Arc<Answer>> {
        self.script().memory.get(&(name(asked), rtype, false, false)).map(|(answer, _)| Arc::clone(answer))
    }

    /// How many questions the resolver was asked.
    pub(in crate::follow) fn asked(&self) -> usize {
        self.script().asked.len()
    }

    /// Names that memory was told to forget.
    pub(in crate::follow) fn forgotten(&self) -> HashSet<Name> {
        self.script().forgotten.iter().flat_map(|(names, _)| names.iter().cloned()).collect()
    }
}

impl Blocks for World {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        panic!("{} is not to be resolved", query.name)
    }

    fn remembered(&self, query: &Query) -> Option<Remembered> {
        let key = (query.name.clone(), query.rtype, query.dnssec_ok, query.checking_disabled);
        let (answer, _) = self.script().memory.get(&key)?.clone();
        let reply = Reply::fresh(Answer::clone(&answer), Source::Store);
        Some(Remembered { reply, past_end: Duration::ZERO })
    }

    fn renew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(async move {
            assert!(query.refresh && query.client.ip().is_loopback() && query.chased.is_none());
            assert!(!query.dnssec_ok && !query.checking_disabled, "the plain question");
            let now_at_once = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now_at_once, Ordering::SeqCst);
            self.script().asked.push((self.clock.now(), query.clone()));
            sleep(LATENCY).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let mut script = self.script();
            let key = (query.name.clone(), query.rtype, false, false);
            let said = match script.mood {
                Mood::Answers => Self::zone_says(&script, &query.name, query.rtype),
                Mood::Down => return Err(Failure::AllDown { count: 2, longest: None }),
                Mood::Busy => return Err(Bound::UpstreamRate.reached()),
                Mood::Grace => {
                    let mut reply = Reply::fresh(Answer::clone(&script.memory[&key].0), Source::Plugin("privatezone"));
                    reply.ede = Some(Ede::new(ede::STALE_ANSWER, "vanished"));
                    return Ok(reply);
                }
                Mood::Made => answer(&query.name, query.rtype, &[(RecordType::A, "192.0.2.2")], true)
                    .with_ede(Ede::new(ede::SYNTHESIZED, "made")),
            };
            script.memory.insert(key, (Arc::new(said.clone()), self.clock.now()));
            Ok(Reply::fresh(said, Source::Upstream("192.0.2.53:53".parse().unwrap())))
        })
    }

    fn forget(&self, names: &[Name], before: Moment) {
        let exact: HashSet<&Name> = names.iter().collect();
        let parents: Vec<Name> = names.iter().filter(|name| is_wildcard(name)).filter_map(Name::parent).collect();
        let covers = |asked: &Name| {
            exact.contains(asked) || parents.iter().any(|parent| parent != asked && parent.encloses(asked))
        };
        let mut script = self.script();
        script.forgotten.push((names.to_vec(), before));
        let rests = |asked: &Name, rtype, known: &Answer| targets(known, asked, rtype).iter().any(covers);
        script.memory.retain(|(asked, rtype, ..), (known, stored)| {
            *stored >= before || !(covers(asked) || rests(asked, *rtype, known))
        });
    }
}

/// A watch at work on such a world.
pub(in crate::follow) struct House {
    pub(in crate::follow) world: Arc<World>,
    pub(in crate::follow) published: Arc<Published>,
    pub(in crate::follow) follow: Arc<Follow>,
    pub(in crate::follow) context: Context,
    work: tokio::task::JoinHandle<()>,
}

impl House {
    /// Nothing is published yet, the zone is empty, and so is memory.
    pub(in crate::follow) fn new() -> Self {
        let clock = Arc::new(RuntimeClock::start());
        let context = Context { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..context() };
        let published = Arc::new(Published::new(&[]));
        let follow = Arc::new(Follow::new(Arc::clone(&published), true, &name("corp.example"), &context));
        let script = Script {
            zone: BTreeMap::new(),
            memory: HashMap::new(),
            mood: Mood::Answers,
            asked: Vec::new(),
            forgotten: Vec::new(),
        };
        let (under_way, most_at_once) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let world = Arc::new(World { clock, script: Mutex::new(script), under_way, most_at_once });
        let (at_work, blocks) = (Arc::clone(&follow), Arc::clone(&world) as Arc<dyn Blocks>);
        let work = tokio::spawn(async move { at_work.run(blocks).await });
        Self { world, published, follow, context, work }
    }

    /// The configuration is read anew: another watch takes over what is published, and what memory has.
    pub(in crate::follow) fn reload(&mut self) {
        let published = Arc::clone(&self.published);
        self.follow = Arc::new(Follow::new(published, true, &name("corp.example"), &self.context));
        self.work.abort();
        let (at_work, blocks) = (Arc::clone(&self.follow), Arc::clone(&self.world) as Arc<dyn Blocks>);
        self.work = tokio::spawn(async move { at_work.run(blocks).await });
    }

    pub(in crate::follow) fn now(&self) -> Moment {
        self.world.clock.now()
    }

    /// An object says this from now on.
    pub(in crate::follow) fn says(&self, object: Object, publications: Vec<Publication>) {
        assert!(self.published.set(object, publications, self.now()));
    }

    /// Service shop/web says that the name has this address from now on; none: it is gone.
    pub(in crate::follow) fn web_says(&self, owner: &str, addresses: &[&str]) {
        let one = publication(owner, RecordType::A, addresses);
        self.says(object("web"), if addresses.is_empty() { Vec::new() } else { vec![one] });
    }

    /// A name that Service shop/web publishes with 192.0.2.1, that the zone shows, and that a pod has asked for. Nothing is
    /// left to do about it.
    pub(in crate::follow) async fn with_settled(owner: &str) -> Self {
        let house = Self::new();
        house.web_says(owner, &["192.0.2.1"]);
        house.world.publish(owner, RecordType::A, &["192.0.2.1"]);
        sleep(seconds(70.0)).await;
        house.world.pod_asks(owner, RecordType::A, (false, false));
        assert_eq!((house.world.asked(), house.count("changes")), (0, 1));
        house
    }

    /// A counter of the watch.
    pub(in crate::follow) fn count(&self, what: &str) -> u64 {
        let line = format!("nearpath_privatezone_{what}_total{{zone=\"corp.example.\"}} ");
        let text = self.context.metrics.text();
        text.lines().find_map(|one| one.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }

    /// The address that memory tells pods; empty: there is none.
    pub(in crate::follow) fn told(&self, owner: &str) -> Vec<String> {
        let Some(answer) = self.world.memory_has(owner, RecordType::A) else { return Vec::new() };
        let message = answer.message();
        let records = message.section(Section::Answer).filter(|record| record.rtype == RecordType::A);
        records.map(|record| message.rdata(&record).iter().map(u8::to_string).collect::<Vec<_>>().join(".")).collect()
    }

    /// What is answered to a question of a client while nobody else answers.
    pub(in crate::follow) fn makes(&self, asked: &str, rtype: RecordType) -> Option<Answer> {
        self.follow.answer(&query(asked, rtype))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.work.abort();
    }
}
