//! A plan with everything in it opened and built, but nothing bound: certificates read, files loaded, plugins made, blocks
//! put before their listeners.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cache::{BlockId, Store};
use contract::corefile::Scheme;
use contract::limits::{ANSWER_WITHIN, UDP_REPLY_MAX};
use contract::metrics::Metrics;
use contract::wire::Name;
use contract::{Blocks as _, BuildError, Context, LabelBook, Plugin, Storing};
use proxyproto::ProxyprotoSpec;
use rustls::ServerConfig;
use shed::Shed;
use timeouts::TimeoutsSpec;

use crate::interfaces;
use crate::listening::Opening;
use crate::plan::{BlockPlan, Plan};
use crate::serve::ahead::AheadOf;
use crate::serve::block::Block;
use crate::serve::entrance::Entrance;
use crate::serve::tally::Tally;
use crate::serve::zones::{Shared, Zones};
use crate::wiring;

/// What outlives a reload: numbers and counters that are given by name.
#[derive(Default)]
pub struct Register {
    numbers: Mutex<Numbers>,
    tallies: Mutex<BTreeMap<[String; 3], Arc<Tally>>>,
}

#[derive(Default)]
struct Numbers {
    next: u32,
    /// By fingerprint; alive as long as a block has it.
    given: HashMap<String, (BlockId, Weak<BlockId>)>,
    /// Blocks whose answers can go.
    gone: Vec<BlockId>,
}

/// Everything that is served, and by what.
pub struct Assembly {
    /// Where questions come in.
    pub listeners: Vec<Listener>,
    /// Every plugin, for its work beside the queries.
    pub plugins: Vec<Arc<dyn Plugin>>,
    /// Which directives stand where: server, zone, view, name.
    pub enabled: Vec<[String; 4]>,
}

impl Assembly {
    /// Tells which directives stand where, and no longer those before.
    pub fn tell_enabled(&self, metrics: &Metrics) {
        let sets: Vec<_> = self.enabled.iter().map(enabled_labels).collect();
        metrics.info("coredns_plugin_enabled", "1 for each directive of each server block.", &sets);
    }

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
    /// How its sockets are opened.
    pub opening: Opening,
}

/// What CoreDNS calls the zone of queries that enter no block: it has no closing dot, so no zone is called so.
pub(crate) const OUTSIDE: &str = "dropped";

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
    fn number(&self, fingerprint: String) -> Arc<BlockId> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.given.get(&fingerprint).and_then(|(_, alive)| alive.upgrade()) {
            return number;
        }
        numbers.next += 1;
        let number = Arc::new(BlockId(numbers.next));
        let before = numbers.given.insert(fingerprint, (*number, Arc::downgrade(&number)));
        numbers.gone.extend(before.map(|(gone, _)| gone)); // its last block went before anybody swept
        number
    }

    /// Every block that is served, or was a moment ago, with what shapes its answers.
    pub fn fingerprints(&self) -> Vec<(BlockId, String)> {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.given.iter().map(|(fingerprint, (id, _))| (*id, fingerprint.clone())).collect()
    }

    /// Forgets blocks that are no longer served, and removes their answers.
    pub fn sweep(&self, store: &Store) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let Numbers { given, gone, .. } = &mut *numbers;
        given.retain(|_, (id, alive)| {
            let served = alive.strong_count() > 0;
            gone.extend((!served).then_some(*id));
            served
        });
        numbers.gone.drain(..).for_each(|id| store.purge(id));
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.retain(|_, tally| Arc::strong_count(tally) > 1);
    }

    fn tally(&self, server: &str, zone: &str, view: &str) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tallies.entry([server, zone, view].map(str::to_owned)).or_default())
    }

    /// The counts of every server, zone and view.
    pub fn tallies(&self) -> Vec<([String; 3], Arc<Tally>)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|(of, tally)| (of.clone(), Arc::clone(tally))).collect()
    }
}

/// A server block with its plugins made.
struct Built<'p> {
    plan: &'p BlockPlan,
    chain: Box<[Arc<dyn Plugin>]>,
    labels: Arc<LabelBook>,
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
        let view = block.settings.view.as_ref().map(|view| view.name.clone());
        let labels =
            Arc::new(LabelBook::new(view, block.settings.metadata.as_ref().map(|metadata| metadata.zones.clone())));
        let mut context = Context {
            clock: Arc::clone(&shared.clock),
            metrics: Arc::clone(&shared.metrics),
            lists: Arc::clone(&shared.lists),
            server: server_label(block, dns_port),
            state_dir: shared.state_dir.clone(),
            cluster: Arc::clone(&shared.cluster),
            shelf: Arc::clone(&shared.shelf),
            labels: Arc::clone(&labels),
            wiretap: None,
        };
        let mut chain = Vec::new();
        for spec in &block.chain {
            match spec.build(&context) {
                Ok(plugin) => {
                    context.wiretap = Arc::clone(&plugin).wiretap().or(context.wiretap);
                    chain.push(plugin);
                }
                Err(error) => errors.push(error),
            }
        }
        // a certificate that is named and cannot be read is told even where no key needs it
        errors.extend(block.settings.tls.as_ref().and_then(|tls| tls.load(&[]).err()));
        match endpoints(block, dns_port) {
            Ok(endpoints) => endpoints.into_iter().for_each(|at| places.entry(at).or_default().push(index)),
            Err(error) => errors.push(error),
        }
        labels.enlist(&chain);
        built.push(Built { plan: block, chain: chain.into(), labels });
    }
    let (mut listeners, mut enabled) = (Vec::new(), Vec::new());
    for (at, blocks) in places {
        let blocks: Vec<&Built<'_>> = blocks.into_iter().map(|index| &built[index]).collect();
        blocks.iter().for_each(|built| enabled.extend(directives(built.plan, at, dns_port)));
        match listen(at, &blocks, dns_port, shared, register) {
            Ok(listener) => listeners.push(listener),
            Err(error) => errors.push(error),
        }
    }
    match errors.is_empty() {
        true => Ok(Assembly { listeners, plugins: built.into_iter().flat_map(|block| block.chain).collect(), enabled }),
        false => Err(errors),
    }
}

/// The addresses that a block listens on: its ports on each bound address, or on all.
pub(crate) fn endpoints(block: &BlockPlan, dns_port: u16) -> Result<Vec<Endpoint>, BuildError> {
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
    dns_port: u16,
    shared: &Arc<Shared>,
    register: &Register,
) -> Result<Listener, BuildError> {
    // what AutoPath memorises rests on every block that its candidates can enter here
    let together: String = built
        .iter()
        .map(|block| format!("{:?} {}", zones_at(block.plan, at, dns_port), block.plan.fingerprint))
        .collect();
    // two that ask the same walk at once may share it only if no candidate's answer depends on who asks
    let keyed = built.iter().all(|block| is_keyed(&block.chain));
    let blocks: Vec<Arc<Block>> = built
        .iter()
        .map(|built| Arc::new(open(at, built, &Place { together: &together, keyed, dns_port }, shared, register)))
        .collect();
    let tls = built.iter().find_map(|built| built.plan.settings.tls.as_ref());
    let tls = match (at.scheme, tls) {
        (Scheme::Tls, Some(tls)) => Some(tls.load(&[b"dot"])?),
        (Scheme::Https, Some(tls)) => Some(tls.load(&[b"h2"])?),
        _ => None,
    };
    let timeouts = built.iter().find_map(|built| built.plan.settings.timeouts).unwrap_or_default();
    let server = format!("{}://{}", at.scheme, label_address(at.address));
    let outside = register.tally(&server, OUTSIDE, "");
    let zones = Arc::new(Zones::new(&blocks, Arc::clone(shared)).counting_outside(outside));
    if let Some(handle) = Entrance(Arc::clone(&zones)).handle() {
        built.iter().flat_map(|built| &built.chain).for_each(|plugin| plugin.attach(Arc::clone(&handle)));
    }
    Ok(Listener { at, zones, tls, timeouts, opening: opening(built) })
}

/// How the sockets of a listener are opened: so many as the first of its blocks says that says something, behind a proxy as the
/// last one says, each setting for itself (as CoreDNS has it).
fn opening(built: &[&Built<'_>]) -> Opening {
    let settings = || built.iter().map(|built| &built.plan.settings);
    Opening {
        sockets: settings().find_map(|settings| settings.multisocket.as_ref()).and_then(|spec| spec.sockets),
        proxy: settings()
            .filter_map(|settings| settings.proxyproto.clone())
            .reduce(ProxyprotoSpec::beside)
            .map(Arc::new),
    }
}

/// What the blocks of one listener have in common.
struct Place<'p> {
    /// What shapes the answers of all of them.
    together: &'p str,
    /// True if all their replies depend on nothing but the question.
    keyed: bool,
    dns_port: u16,
}

fn is_keyed(chain: &[Arc<dyn Plugin>]) -> bool {
    chain.iter().all(|plugin| plugin.storing() == Storing::Nothing)
}

/// The zones that a block answers for at one listener: those of its keys with this transport and port.
fn zones_at(plan: &BlockPlan, at: Endpoint, dns_port: u16) -> Vec<Name> {
    let here = plan.keys.iter().filter(|key| key.scheme == at.scheme && key.port_or(dns_port) == at.address.port());
    let mut zones: Vec<Name> = here.map(|key| key.zone.as_str().parse().expect("a zone is a valid name")).collect();
    zones.sort();
    zones.dedup();
    zones
}

fn enabled_labels([server, zone, view, name]: &[String; 4]) -> Vec<(&str, &str)> {
    vec![("server", server), ("zone", zone), ("view", view), ("name", name)]
}

/// What stands in a block before one listener: server, zone, view, directive.
fn directives(plan: &BlockPlan, at: Endpoint, dns_port: u16) -> Vec<[String; 4]> {
    let server = format!("{}://{}", at.scheme, label_address(at.address));
    let of_zone = |zone: &Name| {
        let (server, zone) = (server.clone(), zone.to_string());
        plan.directives
            .iter()
            .map(move |name| [server.clone(), zone.clone(), plan.view().to_owned(), (*name).to_owned()])
    };
    zones_at(plan, at, dns_port).iter().flat_map(of_zone).collect()
}

/// A block as it stands before one listener.
fn open(at: Endpoint, built: &Built<'_>, place: &Place<'_>, shared: &Shared, register: &Register) -> Block {
    let plan = built.plan;
    let chain = built.chain.clone();
    let with = |has: fn(&dyn Plugin) -> bool| chain.iter().filter(|plugin| has(plugin.as_ref())).cloned().collect();
    let keyed = is_keyed(&chain);
    let dns_port = place.dns_port;
    let server = format!("{}://{}", at.scheme, label_address(at.address));
    let zones = zones_at(plan, at, dns_port);
    let zone = zones.first().map_or_else(|| ".".to_owned(), Name::to_string);
    let id = register.number(plan.fingerprint.clone());
    let walk_id = register.number(format!("{}\n---\n{}", plan.fingerprint, place.together));
    let ahead = ahead(built, register);
    let store = plan.settings.cache.as_ref().filter(|_| keyed);
    if let Some(cache) = store {
        shared.store.register(*id, cache.labels(&server, plan.view()));
        shared.store.register(*walk_id, cache.labels(&server, plan.view()));
        if let Some(ahead) = &ahead {
            shared.store.register(*ahead.own_id, cache.labels(&server, plan.view()));
        }
    }
    Block {
        zones: zones.into(),
        id,
        walk_id,
        ahead,
        reads_options: chain.iter().any(|plugin| plugin.reads_options()),
        arrangers: with(|plugin| plugin.arranger().is_some()),
        view: plan.settings.view.as_ref().map(|view| view.selector(Arc::clone(&built.labels))),
        answer_within: plan.settings.cancel.as_ref().map_or(ANSWER_WITHIN, |cancel| cancel.within()),
        nsid: plan
            .settings
            .nsid
            .as_ref()
            .map_or(shared.node_name.as_bytes(), |nsid| nsid.octets(&shared.node_name))
            .into(),
        chaos: plan.settings.chaos.clone(),
        shed: plan.settings.shed.as_ref().map(|_| Shed::new(&shared.metrics, &server)),
        gates: with(|plugin| plugin.gate().is_some()),
        tracers: with(|plugin| plugin.tracer().is_some()),
        observers: with(|plugin| plugin.observer().is_some()),
        onlookers: shared.taps.enlist(&chain),
        scoper: chain.iter().find(|plugin| plugin.scoper().is_some()).cloned(),
        store: store.map(|cache| cache.policy.clone()),
        coalesce: keyed,
        coalesce_walks: place.keyed,
        udp_reply_max: plan
            .settings
            .bufsize
            .as_ref()
            .map_or(UDP_REPLY_MAX, |bufsize| usize::from(bufsize.size).min(UDP_REPLY_MAX)),
        tally: register.tally(&server, &zone, plan.view()),
        chain,
    }
}

/// What of a block's chain stands ahead of memory.
fn ahead(built: &Built<'_>, register: &Register) -> Option<AheadOf> {
    let count = built.plan.chain.iter().filter(|spec| wiring::stands_ahead_of_memory(spec.name())).count();
    AheadOf::new(&built.chain, count, || register.number(format!("{}\n--- ahead", built.plan.fingerprint)))
}

/// The label `server` as CoreDNS writes it: a wildcard address is left out.
fn label_address(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!(":{}", address.port()),
        false => address.to_string(),
    }
}

/// The label of what a block counts by itself: that of its first listener. A block that cannot listen fails elsewhere.
fn server_label(block: &BlockPlan, dns_port: u16) -> String {
    let at = endpoints(block, dns_port).ok().and_then(|all| all.into_iter().next());
    at.map(|at| format!("{}://{}", at.scheme, label_address(at.address))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
