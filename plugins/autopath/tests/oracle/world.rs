//! What exists: zones with names, wildcards, broken names and servers that deny a family, as a function from name and type
//! to a reply; and the server blocks in front of it. What exists may change while time passes.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};
use std::time::Duration;

use autopath::Autopath;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Age, Answer, Blocks, Boxed, Client, Clock, Failure, Moment, Next, Plugin, Query, Reply, Scope, Served, Source,
    Transport,
};
use futures_util::FutureExt as _;

pub(crate) fn name(text: impl AsRef<str>) -> Name {
    Name::parse(text.as_ref()).unwrap()
}

/// What a name has.
#[derive(Clone, Default, Debug)]
pub(crate) struct Node {
    pub(crate) a: Option<u8>,
    pub(crate) aaaa: Option<u8>,
    pub(crate) txt: Option<u8>,
    pub(crate) srv: Option<u8>,
    pub(crate) cname: Option<Name>,
}

/// A zone with its server: names, those between them and the apex included, and wildcards by the name above them.
#[derive(Default, Debug)]
pub(crate) struct Tree {
    pub(crate) apex: Option<Name>,
    owners: BTreeMap<Name, Node>,
    wildcards: BTreeMap<Name, Node>,
    /// The owners, and the names between them and the apex.
    nodes: HashMap<Name, Node>,
    /// Its server says NXDOMAIN to every AAAA.
    pub(crate) denies_aaaa: bool,
    /// Its server denies names that have nothing but others below them (it breaks RFC 8020).
    pub(crate) denies_between: bool,
}

impl Tree {
    pub(crate) fn new(apex: &Name) -> Self {
        let mut this = Self { apex: Some(apex.clone()), ..Self::default() };
        this.add(apex, Node::default());
        this
    }

    pub(crate) fn add(&mut self, owner: &Name, node: Node) {
        self.owners.insert(owner.clone(), node.clone());
        self.nodes.insert(owner.clone(), node);
        self.add_above(owner);
    }

    pub(crate) fn add_wildcard(&mut self, above: &Name, node: Node) {
        self.wildcards.insert(above.clone(), node);
        self.nodes.entry(above.clone()).or_default();
        self.add_above(above);
    }

    /// Removes a name and all below it. The apex stays.
    pub(crate) fn remove(&mut self, above: &Name) {
        let apex = self.apex.clone().unwrap();
        self.owners.retain(|owner, _| *owner == apex || !above.encloses(owner));
        self.nodes = self.owners.clone().into_iter().collect();
        for owner in self.owners() {
            self.add_above(&owner);
        }
        for above in self.wildcards.keys().cloned().collect::<Vec<_>>() {
            self.nodes.entry(above.clone()).or_default();
            self.add_above(&above);
        }
    }

    pub(crate) fn owners(&self) -> Vec<Name> {
        self.owners.keys().cloned().collect()
    }

    /// Empty non-terminals exist (RFC 8020).
    fn add_above(&mut self, owner: &Name) {
        let mut above = owner.parent();
        while let Some(name) = above.filter(|name| self.apex.as_ref().unwrap().encloses(name)) {
            self.nodes.entry(name.clone()).or_default();
            above = name.parent();
        }
    }

    /// The node of a name, by wildcard below the closest encloser if need be (RFC 4592).
    fn node(&self, owner: &Name) -> Option<&Node> {
        if self.denies_between && !self.owners.contains_key(owner) && self.nodes.contains_key(owner) {
            return None;
        }
        if let Some(node) = self.nodes.get(owner) {
            return Some(node);
        }
        let mut encloser = owner.parent()?;
        while !self.nodes.contains_key(&encloser) {
            encloser = encloser.parent()?;
        }
        self.wildcards.get(&encloser)
    }
}

/// How a name is broken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broken {
    ServFail,
    Refused,
    Timeout,
    Prohibited,
}

/// What is there at a moment.
#[derive(Default)]
pub(crate) struct Data {
    /// The zones of the server blocks; the root is among them.
    pub(crate) trees: Vec<Tree>,
    pub(crate) broken: HashMap<(Name, Option<RecordType>), Broken>,
    /// Single names put before a zone, as `hosts` does it: whatever the zone says of the names above them.
    pub(crate) overlay: HashMap<Name, Node>,
    /// Names under which every name exists, put before a zone as `template` does it: whatever the zone says of themselves.
    pub(crate) templates: HashMap<Name, Node>,
    /// The function's values, so that they are composed once.
    values: Mutex<HashMap<(Name, RecordType), Served>>,
}

pub(crate) struct World {
    data: RwLock<Data>,
    plugin: OnceLock<Arc<Autopath>>,
    /// The zone of the block that has `autopath`.
    pub(crate) expanded: Name,
    /// Answers are memorised by scope, name and type until they end.
    memorises: bool,
    clock: Arc<dyn Clock>,
    store: Mutex<HashMap<(Scope, Name, RecordType), Stored>>,
    this: Weak<World>,
}

#[derive(Clone)]
struct Stored {
    served: Served,
    since: Moment,
    until: Moment,
}

impl World {
    pub(crate) fn new(trees: Vec<Tree>, expanded: Name, memorises: bool, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            data: RwLock::new(Data { trees, ..Data::default() }),
            plugin: OnceLock::new(),
            expanded,
            memorises,
            clock,
            store: Mutex::default(),
            this: Weak::clone(this),
        })
    }

    pub(crate) fn install(&self, plugin: Autopath) {
        assert!(self.plugin.set(Arc::new(plugin)).is_ok());
    }

    pub(crate) fn plugin(&self) -> &Arc<Autopath> {
        self.plugin.get().unwrap()
    }

    /// Changes what is there. What is memorised stays.
    pub(crate) fn change(&self, how: impl FnOnce(&mut Data)) {
        let mut data = self.data.write().unwrap();
        how(&mut data);
        data.values.lock().unwrap().clear();
    }

    pub(crate) fn is_broken(&self, owner: &Name) -> bool {
        self.data.read().unwrap().broken.keys().any(|(broken, _)| broken == owner)
    }

    /// The reply of the block's server, whoever asks.
    pub(crate) fn data(&self, asked: &Name, rtype: RecordType) -> Served {
        self.data.read().unwrap().reply(asked, rtype)
    }

    /// What a pod is told, with AutoPath in front, and whether its question was taken for the first step of a search.
    pub(crate) fn expanded(&self, client: IpAddr, asked: &Name, rtype: RecordType) -> (Served, bool) {
        let address = SocketAddr::new(client, 40_000);
        let client = Client { address, local: SocketAddr::from(([169, 254, 20, 10], 53)), transport: Transport::Udp };
        let query = Query {
            name: asked.clone(),
            rtype,
            class: Class::IN,
            dnssec_ok: false,
            checking_disabled: false,
            scope: self.scope(address.ip(), asked, rtype),
            client,
            edns: None,
            header: (0, 0x0100),
            arrived: self.clock.now(),
            reentries: 0,
            refresh: false,
            chased: None,
            past: contract::Past::Not,
            options: contract::Options::default(),
            story: None,
        };
        let searched = query.scope != Scope::Shared;
        (self.resolve(query).now_or_never().expect("nothing waits in this world"), searched)
    }

    fn scope(&self, client: IpAddr, asked: &Name, rtype: RecordType) -> Scope {
        let plugin = self.plugin.get().filter(|_| self.expanded.encloses(asked));
        plugin.map_or(Scope::Shared, |plugin| plugin.scoper().unwrap().scope(client, asked.as_wire(), rtype, false))
    }

    async fn enter(&self, query: Query, anew: bool) -> Served {
        if !anew && let Some(memorised) = self.stored(&query) {
            return memorised;
        }
        let this = self.this.upgrade().expect("somebody asks it");
        let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Backend(this))];
        let next = Next::new(&chain, self);
        let served = match self.plugin.get().filter(|_| self.expanded.encloses(&query.name)) {
            Some(plugin) => plugin.serve(&query, next).await,
            None => next.serve(&query).await,
        };
        if self.memorises
            && !anew
            && let Ok(reply) = &served
            && let Some(life) = reply.true_for().filter(|life| reply.storable && !life.is_zero())
        {
            let since = self.clock.now();
            let stored = Stored { served: served.clone(), since, until: since.after(life) };
            self.store.lock().unwrap().insert((query.scope, query.name, query.rtype), stored);
        }
        served
    }
}

impl Blocks for World {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(self.enter(query, false))
    }

    fn stored(&self, query: &Query) -> Option<Served> {
        let now = self.clock.now();
        let store = self.store.lock().unwrap();
        let stored = store.get(&(query.scope, query.name.clone(), query.rtype)).filter(|stored| now < stored.until)?;
        if query.refresh && now.since(stored.since) > stored.until.since(stored.since) / 2 {
            return None;
        }
        let age = Age::Fresh(now.seconds_since(stored.since));
        let lifetime = Some(stored.until.since(now));
        Some(stored.served.clone().map(|reply| Reply { age, lifetime, source: Source::Store, ..reply }))
    }

    fn ask_anew<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(self.enter(query, true))
    }

    fn is_same_block(&self, one: &Name, other: &Name) -> bool {
        let data = self.data.read().unwrap();
        data.tree(one).apex == data.tree(other).apex
    }

    fn handle(&self) -> Option<Arc<dyn Blocks>> {
        Some(self.this.upgrade()?)
    }
}

impl Data {
    fn tree(&self, of: &Name) -> &Tree {
        let zones = self.trees.iter().filter(|tree| tree.apex.as_ref().unwrap().encloses(of));
        zones.max_by_key(|tree| tree.apex.as_ref().unwrap().as_wire().len()).expect("the root is among them")
    }

    /// What a name has: what is put before its zone counts first.
    fn node(&self, owner: &Name) -> Option<&Node> {
        if let Some(node) = self.overlay.get(owner) {
            return Some(node);
        }
        let below = |above: &&Name| above.encloses(owner) && **above != *owner;
        if let Some(above) = self.templates.keys().find(below) {
            return self.templates.get(above);
        }
        self.tree(owner).node(owner)
    }

    fn reply(&self, asked: &Name, rtype: RecordType) -> Served {
        let key = (asked.clone(), rtype);
        if let Some(value) = self.values.lock().unwrap().get(&key) {
            return value.clone();
        }
        let value = self.compose(asked, rtype);
        self.values.lock().unwrap().insert(key, value.clone());
        value
    }

    fn compose(&self, asked: &Name, rtype: RecordType) -> Served {
        let broken = self.broken.get(&(asked.clone(), None)).or(self.broken.get(&(asked.clone(), Some(rtype))));
        match broken {
            Some(Broken::ServFail) => return Ok(fresh(Answer::empty(asked, rtype, Class::IN, Rcode::SERVFAIL))),
            Some(Broken::Refused) => return Ok(fresh(Answer::empty(asked, rtype, Class::IN, Rcode::REFUSED))),
            Some(Broken::Timeout) => {
                let upstream = SocketAddr::from(([192, 0, 2, 53], 53));
                return Err(Failure::Timeout { upstream, waited: Duration::from_secs(2) });
            }
            Some(Broken::Prohibited) => return Err(Failure::Prohibited),
            None => {}
        }
        let mut composer = Composer::new(asked, rtype, Class::IN);
        let rcode = self.follow(asked, rtype, &mut composer);
        composer.rcode(rcode);
        let soa = composer.count(Section::Answer) == 0 || rcode == Rcode::NXDOMAIN;
        if soa {
            let apex = self.tree(asked).apex.clone().unwrap();
            let numbers = [[0; 16].as_slice(), &5u32.to_be_bytes()].concat();
            composer
                .record(Section::Authority, &apex, RecordType::SOA, 5, |to| {
                    to.octets(&[0, 0]);
                    to.octets(&numbers);
                })
                .unwrap();
        }
        Ok(fresh(Answer::composed(composer.finish(), rcode)))
    }

    /// Writes the chain of a name and returns the RCODE, which is that of its last name (RFC 6604).
    fn follow(&self, asked: &Name, rtype: RecordType, composer: &mut Composer) -> Rcode {
        let mut owner = asked.clone();
        for _ in 0..8 {
            let tree = self.tree(&owner);
            let Some(node) = self.node(&owner) else { return Rcode::NXDOMAIN };
            if tree.denies_aaaa && rtype == RecordType::AAAA {
                return Rcode::NXDOMAIN;
            }
            if let Some(target) = &node.cname {
                composer.cname(&owner, target, 30).unwrap();
                owner = target.clone();
                continue;
            }
            let rdata = match rtype {
                RecordType::A => node.a.map(|x| vec![10, 0, 0, x]),
                RecordType::AAAA => node.aaaa.map(|x| [[0xfd; 15].as_slice(), &[x]].concat()),
                RecordType::TXT => node.txt.map(|x| vec![1, x]),
                RecordType::SRV => node.srv.map(|x| vec![0, 0, 0, 0, 0, x, 1, b't', 0]),
                _ => None,
            };
            if let Some(rdata) = rdata {
                composer.record(Section::Answer, &owner, rtype, 30, |to| to.octets(&rdata)).unwrap();
            }
            return Rcode::NOERROR;
        }
        Rcode::SERVFAIL
    }
}

/// Stands behind `autopath`, and alone in the other blocks.
struct Backend(Arc<World>);

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl Plugin for Backend {
    fn name(&self) -> &'static str {
        "backend"
    }

    fn serve<'a>(&'a self, query: &'a Query, _: Next<'a>) -> Boxed<'a, Served> {
        Box::pin(async { self.0.data(&query.name, query.rtype) })
    }
}

fn fresh(answer: Answer) -> Reply {
    Reply::fresh(answer, Source::Plugin("world"))
}
