//! What the demo's centre knows: a small cluster zone, two outside domains, and a root above them.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_server::proto::rr::rdata::{NS, SOA};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};

/// The name that the demo asks for.
pub(super) const OUTSIDE: &str = "www.example.com";
/// A Service that every pod may ask for, whatever its namespace.
pub(super) const SERVICE: &str = "kubernetes.default.svc.cluster.local";

/// One zone: its origin, the TTL of its records and of "no such name" in seconds, its addresses.
struct Zone {
    origin: &'static str,
    ttl: u32,
    addresses: &'static [(&'static str, &'static str)],
    /// Zones below this one, so that the names between exist.
    cuts: &'static [&'static str],
}

/// As Kubernetes' DNS answers: TTL 5, also for what is missing; `svc.cluster.local` exists and has nothing.
const CLUSTER: Zone = Zone {
    origin: "cluster.local.",
    ttl: 5,
    addresses: &[
        ("kubernetes.default.svc.cluster.local.", "10.96.0.1"),
        ("kube-dns.kube-system.svc.cluster.local.", "10.96.0.10"),
        ("web.shop.svc.cluster.local.", "10.96.1.1"),
        ("db.shop.svc.cluster.local.", "10.96.1.2"),
        ("cart.shop.svc.cluster.local.", "10.96.1.3"),
        ("web.blog.svc.cluster.local.", "10.96.2.1"),
    ],
    cuts: &[],
};

const EXAMPLE_COM: Zone = Zone {
    origin: "example.com.",
    ttl: 300,
    addresses: &[
        ("example.com.", "192.0.2.1"),
        ("www.example.com.", "192.0.2.80"),
        ("www.example.com.", "2001:db8::80"),
        ("api.example.com.", "192.0.2.81"),
        ("api.example.com.", "2001:db8::81"),
    ],
    cuts: &[],
};

const EXAMPLE_ORG: Zone = Zone {
    origin: "example.org.",
    ttl: 300,
    addresses: &[
        ("example.org.", "198.51.100.1"),
        ("www.example.org.", "198.51.100.80"),
        ("www.example.org.", "2001:db8:1::80"),
    ],
    cuts: &[],
};

/// Without it every other name would be REFUSED, which is not what a resolver says of a name that does not exist.
const ROOT: Zone = Zone { origin: ".", ttl: 300, addresses: &[], cuts: &["example.com.", "example.org."] };

/// All zones, ready to answer.
pub(super) fn catalog() -> Catalog {
    let mut catalog = Catalog::new();
    for zone in [CLUSTER, EXAMPLE_COM, EXAMPLE_ORG, ROOT] {
        catalog.upsert(LowerName::new(&name(zone.origin)), vec![Arc::new(handler(&zone))]);
    }
    catalog
}

fn handler(zone: &Zone) -> InMemoryZoneHandler {
    const SERIAL: u32 = 1;
    let origin = name(zone.origin);
    let below = |label: &str| Name::from_ascii(label).and_then(|label| label.append_domain(&origin));
    let server = below("ns.dns").expect("a short label fits below each origin");
    let mailbox = below("hostmaster").expect("a short label fits below each origin");
    let soa = SOA::new(server.clone(), mailbox, SERIAL, 7200, 1800, 86_400, zone.ttl);

    let mut handler = InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
    let mut add = |owner: Name, data: RData| {
        let added = handler.upsert_mut(Record::from_rdata(owner, zone.ttl, data), SERIAL);
        assert!(added, "the tables of this file hold no record twice");
    };
    add(origin.clone(), RData::SOA(soa));
    add(origin, RData::NS(NS(server)));
    for (owner, address) in zone.addresses {
        let address: IpAddr = address.parse().expect("the tables of this file hold addresses");
        add(name(owner), RData::from(address));
    }
    for cut in zone.cuts {
        add(name(cut), RData::NS(NS(name(&format!("ns.dns.{cut}")))));
    }
    handler
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("the tables of this file hold names")
}
