//! What objects publish, object by object; and a scripted API server that tells of them, in paused time.

mod cluster;
mod objects;
mod said;
mod watched;

use contract::Publication;

/// `NAME TYPE TARGETS`, with the TTL, and `special` where more than the targets decides.
fn shown(one: &Publication) -> String {
    let rtype = one.rtype.map_or("?".to_owned(), |rtype| rtype.to_string());
    let ttl = one.ttl.map(|ttl| format!(" ttl {ttl}")).unwrap_or_default();
    let special = if one.is_plain { "" } else { " special" };
    format!("{} {rtype} {}{ttl}{special}", one.name, one.targets.join(","))
}
