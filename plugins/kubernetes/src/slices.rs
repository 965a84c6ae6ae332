//! Where a Service can be asked: the ready endpoints of its EndpointSlices (discovery.k8s.io/v1), one or more per address family.
//!
//! ```text
//!  Slice (a word of the API server) --apply--> Slices: ready endpoints, ports --endpoints(port, zone)--> Vec<Endpoint>
//! ```

mod ports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use contract::Endpoint;
use contract::limits::{ENDPOINT_ZONES_MAX, ENDPOINTS_MAX, SLICE_ENDPOINTS_MAX, SLICE_PORTS_MAX, SLICES_MAX};
use serde::Deserialize;

use ports::{Choice, Port};

/// An EndpointSlice as the API server has it; what is not needed is skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Slice {
    /// Its name and version.
    pub(crate) metadata: SliceMeta,
    #[serde(default)]
    address_type: String,
    ports: Option<Vec<RawPort>>,
    endpoints: Option<Vec<RawEndpoint>>,
}

/// Which slice, and which state of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SliceMeta {
    /// One in its namespace.
    pub(crate) name: String,
    /// Grows with each change.
    #[serde(default)]
    pub(crate) resource_version: String,
}

/// `name` is the Service's, `port` the pods' own; null: every port.
#[derive(Debug, Deserialize)]
struct RawPort {
    name: Option<String>,
    port: Option<i32>,
    protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RawEndpoint {
    /// All of one pod; the first one is used, as kube-proxy does.
    addresses: Option<Vec<String>>,
    conditions: Option<Conditions>,
    hints: Option<Hints>,
}

/// `serving` is not read: it is what a terminating endpoint may still do, and such a one gets no question.
#[derive(Debug, Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hints {
    for_zones: Option<Vec<ForZone>>,
}

#[derive(Debug, Deserialize)]
struct ForZone {
    name: String,
}

/// The slices of one Service.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    by_name: BTreeMap<String, Kept>,
    /// Slices that found no room.
    refused: BTreeSet<String>,
}

/// What is kept of a slice.
#[derive(Debug)]
struct Kept {
    version: Option<u64>,
    ports: Vec<Port>,
    ready: Vec<Ready>,
    /// Endpoints that found no room.
    left_out: usize,
}

/// An endpoint that may be asked. Of others nothing is kept: what they say of zones does not count either.
#[derive(Debug)]
struct Ready {
    address: IpAddr,
    zones: Box<[Box<str>]>,
}

impl Slices {
    /// Puts a whole list in place of what there was.
    pub(crate) fn replace(&mut self, list: impl IntoIterator<Item = Slice>) {
        *self = Self::default();
        list.into_iter().for_each(|slice| self.apply(slice));
    }

    /// Takes a new or changed slice in. An older state than the known one is passed over.
    pub(crate) fn apply(&mut self, slice: Slice) {
        let name = slice.metadata.name.clone();
        let kept = Kept::of(slice);
        let is_full = self.by_name.len() == SLICES_MAX;
        match self.by_name.get_mut(&name) {
            // versions are numbers that grow (Kubernetes API conventions since 1.35); any that are not prove nothing
            Some(known) if kept.version.is_some() && kept.version < known.version => {}
            Some(known) => *known = kept,
            None if is_full => {
                if self.refused.len() < SLICES_MAX {
                    self.refused.insert(name);
                }
            }
            None => {
                self.refused.remove(&name);
                self.by_name.insert(name, kept);
            }
        }
    }

    /// Forgets a slice.
    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        self.refused.remove(name);
    }

    /// How much found no room: slices, as far as they are counted, and endpoints of those that did. A later list may change it.
    pub(crate) fn left_out(&self) -> usize {
        self.refused.len() + self.by_name.values().map(|slice| slice.left_out).sum::<usize>()
    }

    /// The ready endpoints, each once, those for this zone first, then by address.
    ///
    /// `port` is the name of the Service's port; or a number: that of the pods, since slices do not show the Service's own; if
    /// no pod has it over TCP, 53 is the port for DNS, and any other number the only TCP port. `None`: the port for DNS, which
    /// is `dns-tcp`, else 53 over TCP, else the only TCP port, else, if nothing is offered over TCP, `dns`. A name decides for
    /// all slices, whatever number each has behind it.
    ///
    /// Hints count by kube-proxy's rule, in each address family by itself: if every ready endpoint has one and some are for
    /// `zone`, these are near; otherwise all are.
    pub(crate) fn endpoints(&self, port: Option<&str>, zone: Option<&str>) -> Vec<Endpoint> {
        let Some(choice) = Choice::among(self.by_name.values().flat_map(|slice| &slice.ports), port) else {
            return Vec::new();
        };
        let offered: Vec<(SocketAddr, &Ready)> = self
            .by_name
            .values()
            .filter_map(|slice| Some((choice.number(&slice.ports)?, &slice.ready)))
            .flat_map(|(number, ready)| ready.iter().map(move |one| (SocketAddr::new(one.address, number), one)))
            .collect();
        let (v4, v6): (Vec<_>, Vec<_>) = offered.into_iter().partition(|(address, _)| address.is_ipv4());
        // an endpoint that moves stands in two slices for a while: near if either says so
        let mut near: BTreeMap<SocketAddr, bool> = BTreeMap::new();
        for family in [v4, v6] {
            let zone = zone.filter(|zone| hints_count(&family, zone));
            for (address, ready) in family {
                *near.entry(address).or_default() |= zone.is_none_or(|zone| ready.is_for(zone));
            }
        }
        let mut endpoints: Vec<Endpoint> = near.into_iter().map(|(address, near)| Endpoint { address, near }).collect();
        endpoints.sort_by_key(|endpoint| !endpoint.near);
        endpoints.truncate(ENDPOINTS_MAX);
        endpoints
    }
}

/// True if all endpoints have hints and some are for this zone.
fn hints_count(endpoints: &[(SocketAddr, &Ready)], zone: &str) -> bool {
    endpoints.iter().all(|(_, ready)| !ready.zones.is_empty()) && endpoints.iter().any(|(_, ready)| ready.is_for(zone))
}

impl Kept {
    /// What a slice comes to; nothing is ready in one whose addresses are no addresses (`FQDN`).
    fn of(slice: Slice) -> Self {
        let mut ready: Vec<Ready> = slice
            .endpoints
            .into_iter()
            .flatten()
            .filter_map(|endpoint| Ready::of(endpoint, &slice.address_type))
            .collect();
        let left_out = ready.len().saturating_sub(SLICE_ENDPOINTS_MAX);
        ready.truncate(SLICE_ENDPOINTS_MAX);
        ready.shrink_to_fit();
        let ports = slice.ports.into_iter().flatten().take(SLICE_PORTS_MAX);
        let ports = ports.filter_map(|port| Port::of(port.name, port.port?, port.protocol.as_deref())).collect();
        Self { version: slice.metadata.resource_version.parse().ok(), ports, ready, left_out }
    }
}

impl Ready {
    fn of(endpoint: RawEndpoint, family: &str) -> Option<Self> {
        let conditions = endpoint.conditions.unwrap_or_default();
        if !conditions.ready.unwrap_or(true) || conditions.terminating.unwrap_or(false) {
            return None;
        }
        let address: IpAddr = endpoint.addresses?.first()?.parse().ok()?;
        let fits = match family {
            "IPv4" => address.is_ipv4(),
            "IPv6" => address.is_ipv6(),
            _ => false,
        };
        let zones = endpoint.hints.and_then(|hints| hints.for_zones).into_iter().flatten().take(ENDPOINT_ZONES_MAX);
        fits.then(|| Self { address, zones: zones.map(|zone| zone.name.into()).collect() })
    }

    fn is_for(&self, zone: &str) -> bool {
        self.zones.iter().any(|one| **one == *zone)
    }
}
