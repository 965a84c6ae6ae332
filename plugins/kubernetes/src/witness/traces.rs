//! How the kernel reaches each address, and what it means when that changes. No I/O: events in, testimonies out.
//!
//! ```text
//!  Event --> links ------------+
//!            routes -----------+--> Shown --> step from the last one --> Changed, Restored
//!            neighbour, port --+                      vouched for? ----> Traced, Untraced
//! ```
//!
//! - A neighbour, and the bridge port behind which its link-layer address was seen, are remembered after the kernel forgot
//!   them: entries age out although nothing changed. They are given up when their link goes.
//! - A neighbour that stays silent (FAILED) is one that the kernel does not know at present, no more. A sandbox that goes takes
//!   its link or port along, which is said at once; FAILED comes seconds later, and also for one that is there: a paused
//!   virtual machine, a lost probe.
//! - A link counts as down without IFF_UP or without carrier. A veth pair loses carrier when its other end is switched off, and
//!   so when that is moved to another namespace; whether it went back into the same one shows by [`LinkState::peer`].
//! - When IFF_UP goes, the kernel drops routes, those of IPv4 without a word; so they are dropped here as well.
//! - A bridge is not down for its neighbours when it has no carrier: it has none while its last port is being replaced.

use std::collections::HashMap;
use std::net::IpAddr;

use contract::limits::{TRACE_ROUTES_MAX, TRACES_MAX};

use super::event::{Event, Hop, LinkState, Mac, RouteKey, Testimony};
use super::shown::{Shown, Step, Via};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Everything that the kernel said and that matters.
#[derive(Debug, Default)]
pub(super) struct Traces {
    links: Map<u32, Link>,
    /// Behind which port a bridge sees a link-layer address at present. VLANs of one bridge are not told apart.
    forwarding: Map<(u32, Mac), Forwarding>,
    traces: Map<IpAddr, Trace>,
    /// Whose neighbour entries have this link-layer address.
    holders: Map<Mac, Vec<IpAddr>>,
    /// The round of dumps; what a finished round did not see is gone.
    round: u32,
    /// A round is under way: losses are told, what is shown is not trusted yet.
    comparing: bool,
    /// Links so far.
    births: u32,
    /// Changes so far.
    changes: u64,
    /// Addresses, links and forwarding entries that found no room.
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    state: LinkState,
    born: u32,
    round: u32,
}

#[derive(Clone, Copy, Debug)]
struct Forwarding {
    port: u32,
    round: u32,
}

#[derive(Debug, Default)]
struct Trace {
    routes: Vec<Route>,
    neighbour: Option<Neighbour>,
    port: Option<Via>,
    doubts: u32,
    /// What was shown last.
    last: Shown,
    /// While in doubt, and as long as nothing contradicted it: what was shown before the change of this number.
    before: Option<(Shown, u64)>,
    traced: bool,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    key: RouteKey,
    hop: Hop,
    round: u32,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    via: Via,
    mac: Mac,
    /// The kernel has it at present.
    live: bool,
    round: u32,
}

impl Link {
    fn is_up(&self) -> bool {
        self.state.enabled && self.state.carrier
    }

    /// The bridge that it is a working port of.
    fn port_of(&self) -> Option<u32> {
        self.state.master.filter(|_| self.is_up())
    }

    /// Whether a neighbour can be on it.
    fn reaches(&self) -> bool {
        self.state.bridge || self.is_up()
    }
}

impl Traces {
    /// Takes in what the kernel says; what follows from it is appended to `out`.
    pub(super) fn hear(&mut self, event: Event, out: &mut Vec<Testimony>) {
        match event {
            Event::Link { index, state } => self.link(index, state, out),
            Event::LinkGone { index } => self.link_gone(index, out),
            Event::Route { address, key, hop: Some(hop) } => self.route(address, key, hop, out),
            Event::Route { address, key, hop: None } => self.route_gone(address, key, out),
            Event::Neighbour { address, link, mac: Some(mac) } => self.neighbour(address, link, mac, out),
            Event::Neighbour { address, link, mac: None } => {
                let neighbour = self.traces.get_mut(&address).and_then(|trace| trace.neighbour.as_mut());
                if let Some(neighbour) = neighbour.filter(|neighbour| neighbour.via.index == link) {
                    neighbour.live = false;
                }
            }
            Event::Forwarding { bridge, mac, port } => self.forwarding(bridge, mac, port, out),
            Event::ForwardingGone { bridge, mac, port } => {
                if self.forwarding.get(&(bridge, mac)).is_some_and(|known| known.port == port) {
                    self.forwarding.remove(&(bridge, mac));
                }
            }
        }
    }

    /// A round of dumps begins: its contents come by [`Traces::hear`] like any event.
    pub(super) fn begin(&mut self) {
        self.round += 1;
        self.comparing = true;
    }

    /// The round is complete: what it did not show is gone.
    pub(super) fn end(&mut self, out: &mut Vec<Testimony>) {
        let round = self.round;
        let gone: Vec<_> = self.links.iter().filter(|(_, link)| link.round != round).map(|(index, _)| *index).collect();
        for index in gone {
            self.link_gone(index, out);
        }
        self.forwarding.retain(|_, entry| entry.round == round);
        for trace in self.traces.values_mut() {
            trace.routes.retain(|route| route.round == round);
            if let Some(neighbour) = &mut trace.neighbour {
                neighbour.live &= neighbour.round == round;
            }
        }
        self.comparing = false;
        let all: Vec<_> = self.traces.keys().copied().collect();
        all.into_iter().for_each(|address| self.judge(address, out));
    }

    /// There is no sight: nothing is vouched for until a round of dumps is complete.
    pub(super) fn blinded(&mut self) {
        self.comparing = true;
        self.traces.values_mut().for_each(|trace| trace.traced = false);
    }

    /// How often something was left aside because a bound was reached.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn link(&mut self, index: u32, state: LinkState, out: &mut Vec<Testimony>) {
        let old = self.links.get(&index).copied();
        if old.is_none() && self.links.len() >= TRACES_MAX {
            self.refused += 1;
            return;
        }
        let born = old.filter(|old| old.state.peer == state.peer).map_or_else(
            || {
                self.births += 1;
                self.births
            },
            |old| old.born,
        );
        let new = Link { state, born, round: self.round };
        self.links.insert(index, new);
        if old.is_none_or(|old| old.state != state) {
            self.follow_link(index, old, Some(new), out);
        }
    }

    fn link_gone(&mut self, index: u32, out: &mut Vec<Testimony>) {
        if let Some(old) = self.links.remove(&index) {
            self.follow_link(index, Some(old), None, out);
        }
    }

    /// What a link's new state means for the addresses behind it.
    fn follow_link(&mut self, index: u32, old: Option<Link>, new: Option<Link>, out: &mut Vec<Testimony>) {
        let kept = new.filter(|new| old.is_some_and(|old| old.born == new.born));
        let disabled = new.is_none_or(|new| !new.state.enabled);
        let port_lost =
            old.and_then(|old| old.port_of()).filter(|bridge| kept.and_then(|new| new.port_of()) != Some(*bridge));
        let out_of_reach = kept.is_none_or(|new| !new.reaches() && old.is_some_and(|old| old.reaches()));
        if port_lost.is_some() {
            self.forwarding.retain(|_, entry| entry.port != index);
        }
        let Self { links, traces, holders, .. } = self;
        let mut touched = Vec::new();
        for (address, trace) in traces.iter_mut() {
            let mut touches = trace.routes.iter().any(|route| route.hop.link == index);
            if disabled {
                trace.routes.retain(|route| route.hop.link != index);
            }
            if let Some(neighbour) = trace.neighbour {
                let behind_unknown = trace.port.is_none() && port_lost.is_some();
                if behind_unknown && port_lost == bridge_of(links, neighbour.via.index) {
                    // Any address without a known port may have been behind this one.
                    trace.doubts += 1;
                    touches = true;
                }
                if neighbour.via.index == index {
                    touches = true;
                    if out_of_reach {
                        forget(holders, *address, trace);
                    }
                }
            }
            if trace.port.is_some_and(|port| port.index == index) {
                touches = true;
                if port_lost.is_some() {
                    trace.port = None;
                }
            }
            if touches {
                touched.push(*address);
            }
        }
        touched.into_iter().for_each(|address| self.judge(address, out));
    }

    fn route(&mut self, address: IpAddr, key: RouteKey, hop: Hop, out: &mut Vec<Testimony>) {
        let round = self.round;
        if !self.admit(address, out) {
            return;
        }
        let trace = self.traces.entry(address).or_default();
        let new = Route { key, hop, round };
        let room = trace.routes.len() < TRACE_ROUTES_MAX;
        match trace.routes.iter_mut().find(|route| route.key == key) {
            Some(known) if known.hop == hop => {
                known.round = round;
                return;
            }
            Some(known) => *known = new,
            None if room => trace.routes.push(new),
            None => {
                trace.doubts += 1;
                self.refused += 1;
            }
        }
        self.judge(address, out);
    }

    fn route_gone(&mut self, address: IpAddr, key: RouteKey, out: &mut Vec<Testimony>) {
        if let Some(trace) = self.traces.get_mut(&address) {
            trace.routes.retain(|route| route.key != key);
            self.judge(address, out);
        }
    }

    fn neighbour(&mut self, address: IpAddr, link: u32, mac: Mac, out: &mut Vec<Testimony>) {
        let Some(via) = self.via(link) else { return };
        if !self.admit(address, out) {
            return;
        }
        let bridge = bridge_of(&self.links, link);
        let heard_elsewhere = |known: Neighbour| known.mac == mac && bridge_of(&self.links, known.via.index).is_some();
        if bridge.is_none() && self.traces.get(&address).and_then(|trace| trace.neighbour).is_some_and(heard_elsewhere)
        {
            // A link of this node that is in the same segment hears a bridge's pods as well; it is still the bridge's.
            return;
        }
        let port = bridge.and_then(|bridge| self.forwarding.get(&(bridge, mac)));
        let port = port.and_then(|entry| self.via(entry.port));
        let new = Neighbour { via, mac, live: true, round: self.round };
        let trace = self.traces.entry(address).or_default();
        if trace.neighbour.is_some_and(|known| known.via == via && known.mac == mac) {
            trace.neighbour = Some(new);
            return;
        }
        forget(&mut self.holders, address, trace);
        trace.neighbour = Some(new);
        trace.port = port;
        self.holders.entry(mac).or_default().push(address);
        self.judge(address, out);
    }

    fn forwarding(&mut self, bridge: u32, mac: Mac, port: u32, out: &mut Vec<Testimony>) {
        let entry = Forwarding { port, round: self.round };
        if self.forwarding.len() < TRACES_MAX || self.forwarding.contains_key(&(bridge, mac)) {
            self.forwarding.insert((bridge, mac), entry);
        } else {
            self.refused += 1;
        }
        let Some(holders) = self.holders.get(&mac) else { return };
        let via = self.via(port);
        for address in holders.clone() {
            let trace = self.traces.get_mut(&address).expect("a holder has a trace");
            let link = trace.neighbour.expect("a holder is a neighbour").via.index;
            if bridge_of(&self.links, link) == Some(bridge) && trace.port != via {
                trace.port = via;
                self.judge(address, out);
            }
        }
    }

    fn via(&self, index: u32) -> Option<Via> {
        self.links.get(&index).map(|link| Via { index, born: link.born })
    }

    /// True if there is room for what is known of this address. When there is none, what the kernel shows no more makes room
    /// for what it shows.
    fn admit(&mut self, address: IpAddr, out: &mut Vec<Testimony>) -> bool {
        if self.traces.len() < TRACES_MAX || self.traces.contains_key(&address) {
            return true;
        }
        let Self { traces, holders, .. } = self;
        traces.retain(|address, trace| {
            let live = !trace.routes.is_empty() || trace.neighbour.is_some_and(|neighbour| neighbour.live);
            if !live {
                forget(holders, *address, trace);
                out.extend(trace.traced.then_some(Testimony::Untraced(*address)));
            }
            live
        });
        let room = self.traces.len() < TRACES_MAX;
        self.refused += u64::from(!room);
        room
    }

    fn shown(&self, trace: &Trace) -> Shown {
        let up = |index: u32| self.links.get(&index).filter(|link| link.is_up());
        let hop = |route: &Route| {
            let Hop { link: index, gateway } = route.hop;
            up(index).map(|link| (Via { index, born: link.born }, gateway))
        };
        let mut hops: Vec<_> = trace.routes.iter().filter_map(hop).collect();
        hops.sort_unstable();
        hops.dedup();
        let reached = |neighbour: &Neighbour| self.links.get(&neighbour.via.index).is_some_and(Link::reaches);
        let neighbour = trace.neighbour.filter(reached);
        let bridge = neighbour.and_then(|neighbour| bridge_of(&self.links, neighbour.via.index));
        let port = trace.port.filter(|port| {
            let link = self.links.get(&port.index).filter(|link| link.born == port.born);
            bridge.is_some() && link.and_then(Link::port_of) == bridge
        });
        let neighbour = neighbour.map(|neighbour| (neighbour.via, neighbour.mac));
        Shown { hops, neighbour, port, doubts: trace.doubts }
    }

    /// Says what follows from what is shown of an address now.
    fn judge(&mut self, address: IpAddr, out: &mut Vec<Testimony>) {
        let trace = &self.traces[&address];
        let now = self.shown(trace);
        let on_bridge = |(via, _): (Via, Mac)| bridge_of(&self.links, via.index).is_some();
        let traced = !now.hops.is_empty() || now.neighbour.is_some_and(on_bridge);
        let trace = self.traces.get_mut(&address).expect("it was there a moment ago");
        let step = trace.last.step(&now);
        let whole = trace.before.as_ref().map(|(before, _)| before.step(&now));
        let contradicted = step == Step::Other || matches!(whole, Some(Step::Other | Step::Grown));
        let changed = matches!(step, Step::Lost | Step::Other) || (whole == Some(Step::Other) && now != trace.last);
        let restored = whole == Some(Step::Equal);
        if changed && !restored {
            self.changes += 1;
            out.push(Testimony::Changed { address, change: self.changes });
        }
        if step == Step::Lost && trace.before.is_none() {
            trace.before = Some((std::mem::take(&mut trace.last), self.changes));
        }
        if contradicted {
            trace.before = None;
        }
        trace.last = now;
        if traced != trace.traced && !(traced && self.comparing) {
            trace.traced = traced;
            out.push(if traced { Testimony::Traced(address) } else { Testimony::Untraced(address) });
        }
        if restored && !self.comparing {
            let (_, since) = trace.before.take().expect("it was compared with");
            out.push(Testimony::Restored { address, since });
        }
    }
}

/// The bridge on which the neighbours of a link are: itself, or the one that it is a VLAN of.
fn bridge_of(links: &Map<u32, Link>, index: u32) -> Option<u32> {
    let is_bridge = |index: &u32| links.get(index).is_some_and(|link| link.state.bridge);
    [Some(index), links.get(&index).and_then(|link| link.state.vlan_of)].into_iter().flatten().find(is_bridge)
}

/// What is remembered of a neighbour is given up.
fn forget(holders: &mut Map<Mac, Vec<IpAddr>>, address: IpAddr, trace: &mut Trace) {
    trace.port = None;
    let Some(neighbour) = trace.neighbour.take() else { return };
    if let Some(holding) = holders.get_mut(&neighbour.mac) {
        holding.retain(|holder| *holder != address);
        if holding.is_empty() {
            holders.remove(&neighbour.mac);
        }
    }
}
