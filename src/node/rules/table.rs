//! What is wanted as tables of nftables, one per family, since `dup` is not known to tables of both.
//!
//! The elements of `own` and `stand_in` expire: without anybody who renews them nothing matches any more.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use nftables::batch::Batch;
use nftables::expr::Expression;
use nftables::schema::{Element, NfListObject, Table};
use nftables::types::NfFamily;
use serde_json::Value;

use super::Wanted;
use super::wanted::Family;
use super::writer::Writer;

/// The addresses that pods ask.
pub(super) const OWN: &str = "own";
/// Those of them whose questions the kernel itself sends to the central servers.
pub(super) const STAND_IN: &str = "stand_in";
/// Pairs of interfaces that are one and the same: a bridge with both the asking pod and the central server on it.
pub(super) const HAIRPIN: &str = "hairpin";

/// One transaction that makes what is wanted out of whatever is there. `present` are the families that have our table.
pub(super) fn whole(name: &str, wanted: &Wanted, present: &[Family]) -> Value {
    let mut batch = Batch::new();
    for family in Family::BOTH {
        let asked = wanted.own.iter().any(|ip| family.has(ip));
        if asked || present.contains(&family) {
            gone(&mut batch, name, family);
        }
        if asked {
            Writer { batch: &mut batch, name, family, wanted }.write();
        }
    }
    value(batch)
}

/// One transaction that removes the tables.
pub(super) fn none(name: &str, present: &[Family]) -> Value {
    let mut batch = Batch::new();
    for &family in present {
        gone(&mut batch, name, family);
    }
    value(batch)
}

/// One transaction that begins the time of the elements anew. Adding again does not extend it, and deleting what has
/// expired fails; so they are added, deleted and added, and no packet sees them missing.
pub(super) fn renewal(name: &str, wanted: &Wanted) -> Value {
    let mut batch = Batch::new();
    for family in Family::BOTH {
        for (set, addresses) in [(OWN, own(wanted, family)), (STAND_IN, stand_in(wanted, family))] {
            if addresses.is_empty() {
                continue;
            }
            let elements = || {
                let elem = addresses.iter().map(|ip| Expression::String(ip.to_string().into())).collect();
                NfListObject::Element(Element { family: nf(family), table: owned(name), name: set.into(), elem })
            };
            batch.add(elements());
            batch.delete(elements());
            batch.add(elements());
        }
    }
    value(batch)
}

/// The central servers that a table sends questions to, whoever made it.
pub(super) fn central_of(table: &Value) -> Vec<SocketAddr> {
    let rules = super::nft::objects(table).iter().filter_map(|object| object.pointer("/rule/expr")?.as_array());
    let maps = rules.flatten().filter_map(|said| said.pointer("/dnat/addr/map/data/set")?.as_array());
    // each is [number, { "concat": [address, port] }]
    let server = |pair: &Value| {
        let address = pair.pointer("/1/concat/0")?.as_str()?.parse().ok()?;
        let port = pair.pointer("/1/concat/1")?.as_u64()?;
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    };
    maps.flatten().filter_map(server).collect()
}

/// Adding first makes the deletion succeed either way.
fn gone(batch: &mut Batch<'static>, name: &str, family: Family) {
    let table = || NfListObject::Table(Table { family: nf(family), name: owned(name), handle: None });
    batch.add(table());
    batch.delete(table());
}

/// The addresses of a family that pods ask.
pub(super) fn own(wanted: &Wanted, family: Family) -> Vec<IpAddr> {
    wanted.own.iter().copied().filter(|ip| family.has(ip)).collect()
}

/// The addresses that a table sends on by itself: none without a central server of their family.
pub(super) fn stand_in(wanted: &Wanted, family: Family) -> Vec<IpAddr> {
    match central(wanted, family).is_empty() {
        true => Vec::new(),
        false => own(wanted, family).into_iter().filter(|ip| !wanted.of_services.contains(ip)).collect(),
    }
}

/// The central servers of a family.
pub(super) fn central(wanted: &Wanted, family: Family) -> Vec<SocketAddr> {
    wanted.central().filter(|server| family.has(&server.ip())).collect()
}

/// A name that the batch keeps.
pub(super) fn owned(name: &str) -> Cow<'static, str> {
    name.to_owned().into()
}

/// A family in nftables' words.
pub(super) fn nf(family: Family) -> NfFamily {
    match family {
        Family::V4 => NfFamily::IP,
        Family::V6 => NfFamily::IP6,
    }
}

/// The batch as nft reads it: it takes statements as objects alone, and `notrack` is written as a bare word by its types.
fn value(batch: Batch<'static>) -> Value {
    let mut value = serde_json::to_value(batch.to_nftables()).expect("the types of a batch are those of JSON");
    let commands = value["nftables"].as_array_mut().into_iter().flatten();
    let rules = commands.filter_map(|command| command.pointer_mut("/add/rule/expr")?.as_array_mut());
    for statement in rules.flatten() {
        if statement == "notrack" {
            *statement = serde_json::json!({ "notrack": null });
        }
    }
    value
}
