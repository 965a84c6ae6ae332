//! The ways to an address: its host routes, or where it is a neighbour, and behind which port.

use std::net::IpAddr;

use contract::limits::{TRACE_ROUTES_MAX, TRACES_MAX};

use super::event::{Hop, Mac, RouteKey, Testimony};
use super::links::bridge_of;
use super::shown::{Shown, Via};
use super::traces::{Map, Traces};

/// What is known of an address.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) routes: Vec<Route>,
    /// Where it was a neighbour last.
    pub(super) neighbour: Option<Neighbour>,
    /// The bridge port behind which that was seen last.
    pub(super) port: Option<Via>,
    /// Counts the reasons to doubt that show in nothing else.
    pub(super) doubts: u32,
    /// What was shown last.
    pub(super) last: Shown,
    /// While in doubt, and as long as nothing contradicted it: what was shown before the change of this number.
    pub(super) before: Option<(Shown, u64)>,
    /// It was said to be traced.
    pub(super) traced: bool,
}

/// A host route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) key: RouteKey,
    pub(super) hop: Hop,
    pub(super) round: u32,
}

/// A neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    pub(super) via: Via,
    pub(super) mac: Mac,
    /// The kernel has it at present.
    pub(super) live: bool,
    pub(super) round: u32,
}

/// Behind which port a bridge saw a link-layer address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarding {
    pub(super) port: u32,
    pub(super) round: u32,
}

impl Traces {
    pub(super) fn route(&mut self, address: IpAddr, key: RouteKey, hop: Hop, out: &mut Vec<Testimony>) {
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
                self.refuse();
            }
        }
        self.judge(address, out);
    }

    pub(super) fn route_gone(&mut self, address: IpAddr, key: RouteKey, out: &mut Vec<Testimony>) {
        if let Some(trace) = self.traces.get_mut(&address) {
            trace.routes.retain(|route| route.key != key);
            self.judge(address, out);
        }
    }

    pub(super) fn neighbour(&mut self, address: IpAddr, link: u32, mac: Mac, out: &mut Vec<Testimony>) {
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

    pub(super) fn forwarding(&mut self, bridge: u32, mac: Mac, port: u32, out: &mut Vec<Testimony>) {
        let entry = Forwarding { port, round: self.round };
        if self.forwarding.len() < TRACES_MAX || self.forwarding.contains_key(&(bridge, mac)) {
            self.forwarding.insert((bridge, mac), entry);
        } else {
            self.refuse();
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
        if !room {
            self.refuse();
        }
        room
    }
}

/// What is remembered of a neighbour is given up.
pub(super) fn forget(holders: &mut Map<Mac, Vec<IpAddr>>, address: IpAddr, trace: &mut Trace) {
    trace.port = None;
    let Some(neighbour) = trace.neighbour.take() else { return };
    if let Some(holding) = holders.get_mut(&neighbour.mac) {
        holding.retain(|holder| *holder != address);
        if holding.is_empty() {
            holders.remove(&neighbour.mac);
        }
    }
}
