//! A plan with everything in it opened and built, but nothing bound: certificates read, files loaded, plugins made, blocks
//! put before their listeners.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use cache::BlockId;
use contract::corefile::{Key, Scheme};
use contract::limits::UDP_REPLY_MAX;
use contract::{BuildError, Context, Plugin, SearchLists, Storing};
use rustls::ServerConfig;
use timeouts::TimeoutsSpec;

use crate::interfaces;
use crate::plan::{BlockPlan, Plan};
use crate::serve::block::Block;
use crate::serve::tally::Tally;
use crate::serve::zones::{Entrance, Shared, Zones};

/// What outlives a reload: numbers and counters that are given by name.
#[derive(Default)]
pub struct Register {
    lists: Arc<SearchLists>,
    numbers: Mutex<HashMap<String, u16>>,
    tallies: Mutex<BTreeMap<(String, String), Arc<Tally>>>,
}

/// Everything that is served, and by what.
pub struct Assembly {
    /// Where questions come in.
    pub listeners: Vec<Listener>,
    /// Every plugin, for its work beside the queries.
    pub plugins: Vec<Arc<dyn Plugin>>,
}

impl Assembly {
    /// A way into the blocks, to ask as a client would.
    pub fn entrances(&self) -> impl Iterator<Item = Entrance> {
        self.listeners.iter().map(|listener| Entrance(Arc::clone(&listener.zones)))
    }
}

/// An address with the blocks behind it.
pub struct Listener {
    /// Where.
    pub at: Endpoint,
    /// What answers there.
    pub zones: Arc<Zones>,
    /// Certificates, for TLS and HTTPS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Time-outs of its connections.
    pub timeouts: TimeoutsSpec,
}

/// A transport and an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// How questions come.
    pub scheme: Scheme,
    /// Where.
    pub address: SocketAddr,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

impl Register {
    /// The number of a fingerprint; never given to another one while the process lives.
    fn number(&self, fingerprint: String) -> BlockId {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let next = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
        BlockId(*numbers.entry(fingerprint).or_insert(next))
    }

    fn tally(&self, server: &str, zone: &str) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tallies.entry((server.to_owned(), zone.to_owned())).or_default())
    }

    /// Every (server, zone) with its counts.
    pub fn tallies(&self) -> Vec<(String, String, Arc<Tally>)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|((server, zone), tally)| (server.clone(), zone.clone(), Arc::clone(tally))).collect()
    }
}

/// A server block with its plugins made.
struct Built<'p> {
    plan: &'p BlockPlan,
    chain: Box<[Arc<dyn Plugin>]>,
}

/// Builds a plan. All that cannot be had is told in one run.
pub fn assemble(
    plan: &Plan,
    dns_port: u16,
    shared: &Arc<Shared>,
    register: &Register,
) -> Result<Assembly, Vec<BuildError>> {
    let mut errors = Vec::new();
    let mut built = Vec::new();
    let mut places: BTreeMap<Endpoint, Vec<usize>> = BTreeMap::new();
    for (index, block) in plan.blocks.iter().enumerate() {
        let context = Context {
            clock: Arc::clone(&shared.clock),
            metrics: Arc::clone(&shared.metrics),
            lists: Arc::clone(&register.lists),
            server: block.keys.first().map(|key| server_label(key, dns_port)).unwrap_or_default(),
        };
        let mut chain = Vec::new();
        for spec in &block.chain {
            match spec.build(&context) {
                Ok(plugin) => chain.push(plugin),
                Err(error) => errors.push(error),
            }
        }
        match endpoints(block, dns_port) {
            Ok(endpoints) => endpoints.into_iter().for_each(|at| places.entry(at).or_default().push(index)),
            Err(error) => errors.push(error),
        }
        built.push(Built { plan: block, chain: chain.into() });
    }
    let mut listeners = Vec::new();
    for (at, blocks) in places {
        let blocks: Vec<&Built<'_>> = blocks.into_iter().map(|index| &built[index]).collect();
        match listen(at, &blocks, shared, register) {
            Ok(listener) => listeners.push(listener),
            Err(error) => errors.push(error),
        }
    }
    match errors.is_empty() {
        true => Ok(Assembly { listeners, plugins: built.into_iter().flat_map(|block| block.chain).collect() }),
        false => Err(errors),
    }
}

/// The addresses that a block listens on: its ports on each bound address, or on all.
fn endpoints(block: &BlockPlan, dns_port: u16) -> Result<Vec<Endpoint>, BuildError> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for bind in &block.settings.bind {
        addresses.extend(bind.resolve(interfaces::addresses_of)?);
    }
    if block.settings.bind.is_empty() {
        addresses.push(Ipv6Addr::UNSPECIFIED.into());
    }
    let mut endpoints: Vec<Endpoint> = block
        .keys
        .iter()
        .flat_map(|key| {
            let port = key.port_or(dns_port);
            addresses.iter().map(move |&ip| Endpoint { scheme: key.scheme, address: SocketAddr::new(ip, port) })
        })
        .collect();
    endpoints.sort();
    endpoints.dedup();
    Ok(endpoints)
}

fn listen(
    at: Endpoint,
    built: &[&Built<'_>],
    shared: &Arc<Shared>,
    register: &Register,
) -> Result<Listener, BuildError> {
    // what AutoPath memorises rests on every block that its candidates can enter here
    let together: String = built.iter().map(|block| block.plan.fingerprint.as_str()).collect();
    let blocks: Vec<Arc<Block>> =
        built.iter().map(|built| Arc::new(open(at, built, &together, shared, register))).collect();
    let tls = built.iter().find_map(|built| built.plan.settings.tls.as_ref());
    let tls = match (at.scheme, tls) {
        (Scheme::Tls, Some(tls)) => Some(tls.load(&[b"dot"])?),
        (Scheme::Https, Some(tls)) => Some(tls.load(&[b"h2"])?),
        _ => None,
    };
    let timeouts = built.iter().find_map(|built| built.plan.settings.timeouts).unwrap_or_default();
    Ok(Listener { at, zones: Arc::new(Zones::new(&blocks, Arc::clone(shared))), tls, timeouts })
}

/// A block as it stands before one listener.
fn open(at: Endpoint, built: &Built<'_>, together: &str, shared: &Shared, register: &Register) -> Block {
    let plan = built.plan;
    let chain = built.chain.clone();
    let with = |has: fn(&dyn Plugin) -> bool| chain.iter().filter(|plugin| has(plugin.as_ref())).cloned().collect();
    let keyed = chain.iter().all(|plugin| plugin.storing() == Storing::Nothing);
    let server = format!("{}://{}", at.scheme, label_address(at.address));
    let keys = plan.keys.iter().filter(|key| key.scheme == at.scheme);
    let zone = keys.map(|key| key.zone.as_str()).next().unwrap_or(".");
    let id = register.number(plan.fingerprint.clone());
    let walk_id = register.number(format!("{}\n---\n{together}", plan.fingerprint));
    let store = plan.settings.cache.as_ref().filter(|_| keyed);
    if let Some(cache) = store {
        shared.store.register(id, cache.labels(&server, ""));
        shared.store.register(walk_id, cache.labels(&server, ""));
    }
    Block {
        zones: plan.zones.clone().into(),
        id,
        walk_id,
        gates: with(|plugin| plugin.gate().is_some()),
        observers: with(|plugin| plugin.observer().is_some()),
        scoper: chain.iter().find(|plugin| plugin.scoper().is_some()).cloned(),
        store: store.map(|cache| cache.policy.clone()),
        coalesce: keyed,
        udp_reply_max: plan.settings.bufsize.as_ref().map_or(UDP_REPLY_MAX, |bufsize| bufsize.size.into()),
        tally: register.tally(&server, zone),
        chain,
    }
}

/// The label `server` as CoreDNS writes it: a wildcard address is left out.
fn label_address(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!(":{}", address.port()),
        false => address.to_string(),
    }
}

fn server_label(key: &Key, dns_port: u16) -> String {
    format!("{}://:{}", key.scheme, key.port_or(dns_port))
}
