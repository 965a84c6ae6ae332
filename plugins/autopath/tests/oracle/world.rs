//! What exists: zones with names, wildcards, broken names and servers that deny a family, as a pure function from name
//! and type to a reply; and the server blocks in front of it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autopath::Autopath;
use contract::wire::{Class, Composer, Name, Rcode, RecordType, Section};
use contract::{
    Answer, Blocks, Boxed, Client, Failure, Moment, Next, Plugin, Query, Reply, Scope, Served, Source, Transport,
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
    nodes: HashMap<Name, Node>,
    wildcards: HashMap<Name, Node>,
    /// Its server says NXDOMAIN to every AAAA.
    pub(crate) denies_aaaa: bool,
}

impl Tree {
    pub(crate) fn new(apex: &Name) -> Self {
        let mut this = Self { apex: Some(apex.clone()), ..Self::default() };
        this.nodes.insert(apex.clone(), Node::default());
        this
    }

    pub(crate) fn add(&mut self, owner: &Name, node: Node) {
        self.add_above(owner);
        self.nodes.insert(owner.clone(), node);
    }

    pub(crate) fn add_wildcard(&mut self, above: &Name, node: Node) {
        self.add_above(above);
        self.nodes.entry(above.clone()).or_default();
        self.wildcards.insert(above.clone(), node);
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

pub(crate) struct World {
    /// The zones of the server blocks; the root is among them.
    pub(crate) trees: Vec<Tree>,
    pub(crate) broken: HashMap<(Name, Option<RecordType>), Broken>,
    pub(crate) plugin: Option<Arc<Autopath>>,
    /// The zone of the block that has `autopath`.
    pub(crate) expanded: Name,
    /// Answers are memorised by scope, name and type.
    pub(crate) memorises: bool,
    pub(crate) store: Mutex<HashMap<(Scope, Name, RecordType), Served>>,
    /// The pure function's values, so that they are composed once.
    pub(crate) values: Mutex<HashMap<(Name, RecordType), Served>>,
}

impl World {
    pub(crate) fn new(trees: Vec<Tree>, expanded: Name) -> Self {
        Self {
            trees,
            broken: HashMap::new(),
            plugin: None,
            expanded,
            memorises: false,
            store: Mutex::default(),
            values: Mutex::default(),
        }
    }

    fn tree(&self, of: &Name) -> &Tree {
        let zones = self.trees.iter().filter(|tree| tree.apex.as_ref().unwrap().encloses(of));
        zones.max_by_key(|tree| tree.apex.as_ref().unwrap().as_wire().len()).expect("the root is among them")
    }

    /// The reply of the block's server, whoever asks.
    pub(crate) fn data(&self, asked: &Name, rtype: RecordType) -> Served {
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
            let Some(node) = tree.node(&owner) else { return Rcode::NXDOMAIN };
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
            arrived: Moment(0),
            reentries: 0,
            refresh: false,
        };
        let searched = query.scope != Scope::Shared;
        (self.resolve(query).now_or_never().expect("nothing waits in this world"), searched)
    }

    fn scope(&self, client: IpAddr, asked: &Name, rtype: RecordType) -> Scope {
        let plugin = self.plugin.as_ref().filter(|_| self.expanded.encloses(asked));
        plugin.map_or(Scope::Shared, |plugin| plugin.scoper().unwrap().scope(client, asked.as_wire(), rtype, false))
    }

    async fn enter(&self, query: Query) -> Served {
        let plugin = self.plugin.as_ref().filter(|_| self.expanded.encloses(&query.name));
        let Some(plugin) = plugin else { return self.data(&query.name, query.rtype) };
        let chain: [Arc<dyn Plugin>; 1] = [Arc::new(Backend)];
        let key = (query.scope, query.name.clone(), query.rtype);
        if self.memorises
            && let Some(value) = self.store.lock().unwrap().get(&key)
        {
            return value.clone();
        }
        let served = match query.scope {
            Scope::Shared => self.data(&query.name, query.rtype),
            Scope::Search(_) => plugin.serve(&query, Next::new(&chain, self)).await,
        };
        if self.memorises && served.as_ref().is_ok_and(|reply| reply.storable) {
            self.store.lock().unwrap().insert(key, served.clone());
        }
        served
    }
}

impl Blocks for World {
    fn resolve<'a>(&'a self, query: Query) -> Boxed<'a, Served> {
        Box::pin(self.enter(query))
    }
}

/// Stands behind `autopath`; a walk enters the blocks anew and never comes here.
#[derive(Debug)]
struct Backend;

impl Plugin for Backend {
    fn name(&self) -> &'static str {
        "backend"
    }
}

fn fresh(answer: Answer) -> Reply {
    Reply::fresh(answer, Source::Plugin("world"))
}
