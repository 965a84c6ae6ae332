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
//!   so when that is moved to another namespace; whether it went back into the same one shows by [`LinkState::peer`](super::event::LinkState::peer).
//! - When IFF_UP goes, the kernel drops routes, those of IPv4 without a word; so they are dropped here as well.
//! - A bridge is not down for its neighbours when it has no carrier: it has none while its last port is being replaced.

use std::collections::HashMap;
use std::net::IpAddr;

use super::event::{Event, Hop, Mac, Testimony};
use super::links::{Link, bridge_of};
use super::shown::{Shown, Step, Via};
use super::ways::{Forwarding, Neighbour, Route, Trace};

/// Seeded, because pods can choose the keys.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Everything that the kernel said and that matters.
#[derive(Debug, Default)]
pub(super) struct Traces {
    pub(super) links: Map<u32, Link>,
    /// Behind which port a bridge sees a link-layer address at present. VLANs of one bridge are not told apart.
    pub(super) forwarding: Map<(u32, Mac), Forwarding>,
    pub(super) traces: Map<IpAddr, Trace>,
    /// Whose neighbour entries have this link-layer address.
    pub(super) holders: Map<Mac, Vec<IpAddr>>,
    /// The round of dumps; what a finished round did not see is gone.
    pub(super) round: u32,
    /// A round is under way: losses are told, what is shown is not trusted yet.
    pub(super) comparing: bool,
    /// Links so far.
    pub(super) births: u32,
    /// Changes so far.
    pub(super) changes: u64,
    /// Addresses, links and forwarding entries that found no room.
    refused: u64,
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
    #[cfg_attr(not(test), expect(dead_code, reason = "no metric has it yet"))]
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts it, and says so the first time.
    pub(super) fn refuse(&mut self) {
        if self.refused == 0 {
            tracing::warn!(
                "there are more addresses, links or bridge entries than are traced; the others are not vouched for"
            );
        }
        self.refused += 1;
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
    pub(super) fn judge(&mut self, address: IpAddr, out: &mut Vec<Testimony>) {
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
            let newcomer = step != Step::Lost && trace.before.is_some() && trace.last.doubts == now.doubts;
            out.push(Testimony::Changed { address, change: self.changes, newcomer });
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
