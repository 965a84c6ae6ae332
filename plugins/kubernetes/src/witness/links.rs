//! Links, and what their coming, going and changing means for the addresses behind them.

use contract::limits::TRACES_MAX;

use super::event::{LinkState, Testimony};
use super::traces::{Map, Traces};
use super::ways::forget;

/// A link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) state: LinkState,
    pub(super) born: u32,
    pub(super) round: u32,
}

impl Link {
    pub(super) fn is_up(&self) -> bool {
        self.state.enabled && self.state.carrier
    }

    /// The bridge that it is a working port of.
    pub(super) fn port_of(&self) -> Option<u32> {
        self.state.master.filter(|_| self.is_up())
    }

    /// Whether a neighbour can be on it.
    pub(super) fn reaches(&self) -> bool {
        self.state.bridge || self.is_up()
    }
}

impl Traces {
    pub(super) fn link(&mut self, index: u32, state: LinkState, out: &mut Vec<Testimony>) {
        let old = self.links.get(&index).copied();
        if old.is_none() && self.links.len() >= TRACES_MAX {
            self.refuse();
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

    pub(super) fn link_gone(&mut self, index: u32, out: &mut Vec<Testimony>) {
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
}

/// The bridge on which the neighbours of a link are: itself, or the one that it is a VLAN of.
pub(super) fn bridge_of(links: &Map<u32, Link>, index: u32) -> Option<u32> {
    let is_bridge = |index: &u32| links.get(index).is_some_and(|link| link.state.bridge);
    [Some(index), links.get(&index).and_then(|link| link.state.vlan_of)].into_iter().flatten().find(is_bridge)
}
