//! Random worlds: sandboxes come, go, speak, flap and take each other's addresses; a kernel tells of it, forgets, and sometimes
//! tells too much at once. A listener trusts an address while it is confirmed and not in doubt. Whoever is trusted is the one who
//! speaks; and who was left alone is trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::event::{Event, Hop, LinkState, Mac, RouteKey, Testimony};
use super::super::traces::Traces;

const BRIDGE: u32 = 1;
const ADDRESSES: u8 = 12;
const STEPS: u32 = 20_000;
const SEEDS: u64 = 10;

/// Even addresses have host routes, odd ones are on the bridge.
type Pod = u8;

#[derive(Clone, Copy)]
struct Sandbox {
    id: u32,
    link: u32,
    mac: Mac,
}

/// What the kernel has in its tables.
#[derive(Default)]
struct Tables {
    links: BTreeMap<u32, LinkState>,
    routes: BTreeMap<Pod, u32>,
    neighbours: BTreeMap<Pod, Mac>,
    forwarding: BTreeMap<Mac, u32>,
}

/// What a listener makes of testimonies.
#[derive(Default)]
struct Listener {
    /// Whom it takes the address for.
    confirmed: BTreeMap<Pod, u32>,
    /// The first change since then.
    doubted: BTreeMap<Pod, u64>,
    traced: BTreeSet<Pod>,
}

struct World {
    random: SmallRng,
    kernel: Tables,
    traces: Traces,
    listener: Listener,
    living: BTreeMap<Pod, Sandbox>,
    /// Spoke, was confirmed after that, and nothing happened to it since.
    calm: BTreeSet<Pod>,
    /// Sandboxes that were traced while they lived.
    witnessed: BTreeSet<u32>,
    deaf: bool,
    /// Were traced when their sandbox ended, which nobody heard.
    unheard: BTreeSet<Pod>,
    links: u32,
    trusted: u64,
    doubted: u64,
    restored: u64,
}

fn address(pod: Pod) -> IpAddr {
    Ipv4Addr::new(10, 1, 0, pod).into()
}

fn pod(address: IpAddr) -> Pod {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => unreachable!("there are none"),
    }
}

fn is_routed(pod: Pod) -> bool {
    pod.is_multiple_of(2)
}

fn route(pod: Pod, over: Option<u32>) -> Event {
    let hop = over.map(|link| Hop { link, gateway: None });
    Event::Route { address: address(pod), key: RouteKey::default(), hop }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: SmallRng::seed_from_u64(seed),
            kernel: Tables::default(),
            traces: Traces::default(),
            listener: Listener::default(),
            living: BTreeMap::new(),
            calm: BTreeSet::new(),
            witnessed: BTreeSet::new(),
            deaf: false,
            unheard: BTreeSet::new(),
            links: 1,
            trusted: 0,
            doubted: 0,
            restored: 0,
        };
        world.link(BRIDGE, LinkState { enabled: true, bridge: true, ..LinkState::default() });
        world
    }

    fn tell(&mut self, event: Event) {
        if !self.deaf {
            let mut out = Vec::new();
            self.traces.hear(event, &mut out);
            self.listen(out);
        }
    }

    fn listen(&mut self, out: Vec<Testimony>) {
        for testimony in out {
            match testimony {
                Testimony::Traced(address) => assert!(self.listener.traced.insert(pod(address)), "traced twice"),
                Testimony::Untraced(address) => assert!(self.listener.traced.remove(&pod(address)), "untraced twice"),
                Testimony::Changed { address, change, .. } => {
                    self.listener.doubted.entry(pod(address)).or_insert(change);
                }
                Testimony::Restored { address, since } => {
                    if self.listener.doubted.get(&pod(address)).is_some_and(|first| *first >= since) {
                        self.listener.doubted.remove(&pod(address));
                        self.restored += 1;
                    }
                }
                Testimony::Blind { .. } => unreachable!("it is not"),
            }
        }
    }

    fn link(&mut self, index: u32, state: LinkState) {
        if self.kernel.links.insert(index, state) != Some(state) || self.random.random() {
            self.tell(Event::Link { index, state });
        }
    }

    /// A sandbox takes a free address.
    fn start(&mut self, pod: Pod) {
        if self.living.contains_key(&pod) {
            return;
        }
        self.links += 1;
        let link = self.links;
        // Some plugins make the one address from the other.
        let mac = if self.random.random() {
            [2, 1, 0, 0, 0, pod]
        } else {
            [2, 2, 0, 0, link.to_be_bytes()[2], link.to_be_bytes()[3]]
        };
        let off = LinkState { peer: Some((2, Some(link.cast_signed()))), ..LinkState::default() };
        let state = LinkState { enabled: true, carrier: true, master: (!is_routed(pod)).then_some(BRIDGE), ..off };
        self.link(link, off);
        self.link(link, state);
        if is_routed(pod) {
            self.kernel.routes.insert(pod, link);
            self.tell(route(pod, Some(link)));
        }
        self.living.insert(pod, Sandbox { id: link, link, mac });
    }

    /// A port or a link goes down: what the kernel drops with it.
    fn drop_behind(&mut self, link: u32, routes: bool) {
        let behind: Vec<_> =
            self.kernel.forwarding.iter().filter(|(_, port)| **port == link).map(|(mac, _)| *mac).collect();
        for mac in behind {
            self.kernel.forwarding.remove(&mac);
            self.tell(Event::ForwardingGone { bridge: BRIDGE, mac, port: link });
        }
        let over: Vec<_> =
            self.kernel.routes.iter().filter(|(_, over)| **over == link && routes).map(|(pod, _)| *pod).collect();
        for pod in over {
            self.kernel.routes.remove(&pod);
            // IPv6 tells, IPv4 does not.
            if self.random.random() {
                self.tell(route(pod, None));
            }
        }
    }

    fn end(&mut self, pod: Pod) {
        let Some(sandbox) = self.living.remove(&pod) else { return };
        self.calm.remove(&pod);
        let traced = self.listener.traced.contains(&pod);
        self.drop_behind(sandbox.link, true);
        if self.random.random() {
            let state = LinkState { enabled: false, carrier: false, ..self.kernel.links[&sandbox.link] };
            self.link(sandbox.link, state);
        }
        self.kernel.links.remove(&sandbox.link);
        self.tell(Event::LinkGone { index: sandbox.link });
        // Before anybody else can have the address.
        if traced {
            if self.deaf {
                // One that lived unseen all along is no matter for a witness.
                self.unheard.extend(self.witnessed.contains(&sandbox.id).then_some(pod));
            } else {
                assert!(self.listener.doubted.contains_key(&pod), "{pod} has gone unseen");
            }
        }
    }

    /// It sends a question: the bridge sees the port, and the kernel resolves the address, before the question arrives.
    fn speak(&mut self, pod: Pod) {
        let Some(sandbox) = self.living.get(&pod).copied() else { return };
        if !is_routed(pod) {
            if self.kernel.forwarding.insert(sandbox.mac, sandbox.link) != Some(sandbox.link) {
                self.tell(Event::Forwarding { bridge: BRIDGE, mac: sandbox.mac, port: sandbox.link });
            }
            let known = self.kernel.neighbours.insert(pod, sandbox.mac) == Some(sandbox.mac);
            if !known || self.random.random() {
                self.tell(Event::Neighbour { address: address(pod), link: BRIDGE, mac: Some(sandbox.mac) });
            }
        }
        if self.deaf {
            return;
        }
        if self.listener.traced.contains(&pod) {
            self.witnessed.insert(sandbox.id);
        }
        let doubted = self.listener.doubted.contains_key(&pod);
        assert!(!(doubted && self.calm.contains(&pod)), "doubted without a reason: {pod}");
        match self.listener.confirmed.get(&pod).filter(|_| !doubted) {
            Some(id) if *id == sandbox.id => self.trusted += 1,
            Some(id) => assert!(!self.witnessed.contains(id), "{pod} is taken for {id} and is {}", sandbox.id),
            None => self.doubted += 1,
        }
    }

    /// The API server says who has the address.
    fn confirm(&mut self, pod: Pod) {
        let Some(sandbox) = self.living.get(&pod).copied() else { return };
        self.listener.confirmed.insert(pod, sandbox.id);
        self.listener.doubted.remove(&pod);
        let routed = self.kernel.routes.get(&pod) == Some(&sandbox.link);
        let bridged = self.kernel.forwarding.get(&sandbox.mac) == Some(&sandbox.link)
            && self.kernel.neighbours.get(&pod) == Some(&sandbox.mac);
        if (routed || bridged) && !self.deaf {
            self.calm.insert(pod);
        }
    }

    /// Its link is down for a moment, or its route is gone for a moment; then it is as before.
    fn flap(&mut self, pod: Pod) {
        let Some(sandbox) = self.living.get(&pod).copied() else { return };
        let state = self.kernel.links[&sandbox.link];
        let enabled: bool = self.random.random();
        match self.random.random_range(0..2) {
            0 if is_routed(pod) => {
                self.tell(route(pod, None));
                self.tell(route(pod, Some(sandbox.link)));
            }
            _ => {
                self.drop_behind(sandbox.link, !enabled);
                self.link(sandbox.link, LinkState { enabled, carrier: false, ..state });
                self.link(sandbox.link, state);
                if is_routed(pod) && self.kernel.routes.insert(pod, sandbox.link).is_none() {
                    self.tell(route(pod, Some(sandbox.link)));
                }
            }
        }
        self.speak(pod);
    }

    /// The kernel forgets what it has not seen for long.
    fn forget(&mut self) {
        let pod = self.random.random_range(1..=ADDRESSES);
        if self.kernel.neighbours.remove(&pod).is_some() {
            self.tell(Event::Neighbour { address: address(pod), link: BRIDGE, mac: None });
        }
        let nth = self.random.random_range(0..8);
        if let Some((mac, port)) = self.kernel.forwarding.iter().nth(nth).map(|(mac, port)| (*mac, *port)) {
            self.kernel.forwarding.remove(&mac);
            self.tell(Event::ForwardingGone { bridge: BRIDGE, mac, port });
        }
    }

    /// Everything is dumped.
    fn compare(&mut self) {
        self.deaf = false;
        self.traces.begin();
        let Tables { links, routes, neighbours, forwarding } = &self.kernel;
        let links = links.iter().map(|(index, state)| Event::Link { index: *index, state: *state });
        let routes = routes.iter().map(|(pod, over)| route(*pod, Some(*over)));
        let forwarding =
            forwarding.iter().map(|(mac, port)| Event::Forwarding { bridge: BRIDGE, mac: *mac, port: *port });
        let neighbours = neighbours.iter().map(|(pod, mac)| Event::Neighbour {
            address: address(*pod),
            link: BRIDGE,
            mac: Some(*mac),
        });
        let all: Vec<_> = links.chain(forwarding).chain(routes).chain(neighbours).collect();
        all.into_iter().for_each(|event| self.tell(event));
        let mut out = Vec::new();
        self.traces.end(&mut out);
        self.listen(out);
        for pod in std::mem::take(&mut self.unheard) {
            assert!(self.listener.doubted.contains_key(&pod), "{pod} has gone unseen");
        }
    }

    fn step(&mut self) {
        let pod = self.random.random_range(1..=ADDRESSES);
        match self.random.random_range(0..100) {
            0..8 => self.start(pod),
            8..14 => self.end(pod),
            14..60 => self.speak(pod),
            60..75 => self.confirm(pod),
            75..80 => self.flap(pod),
            80..90 => self.forget(),
            90..92 => self.deaf = true,
            _ if self.deaf => self.compare(),
            _ => self.speak(pod),
        }
    }
}

#[test]
fn whoever_is_trusted_is_the_one_who_speaks() {
    let (mut trusted, mut doubted, mut restored) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        (0..STEPS).for_each(|_| world.step());
        trusted += world.trusted;
        doubted += world.doubted;
        restored += world.restored;
    }
    // The worlds are such that all of it happens, often.
    assert!(trusted > 10_000 && doubted > 1_000 && restored > 500, "{trusted} {doubted} {restored}");
}
