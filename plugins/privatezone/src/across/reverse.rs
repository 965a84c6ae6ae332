//! Private reverse zones: a cluster's Services and pods have addresses of private prefixes, and their PTR lie in the same zones.

use contract::corefile::{Report, Span};
use contract::wire::Name;

use super::listeners::Here;

/// True of a zone within or around one of private addresses (RFC 1918, RFC 4193) whose names come to this block.
fn takes_private(zone: &Name, here: &Here<'_>) -> bool {
    let v4 = ["10".to_owned(), "168.192".to_owned()].into_iter().chain((16..=31).map(|second| format!("{second}.172")));
    let v6 = ["c.f", "d.f"].into_iter().map(|nibbles| format!("{nibbles}.ip6.arpa"));
    v4.map(|octets| format!("{octets}.in-addr.arpa")).chain(v6).any(|private| {
        let private = Name::parse(&private).expect("a reverse zone is a name");
        (zone.encloses(&private) && here.enters(&private)) || (private.encloses(zone) && here.enters(zone))
    })
}

/// Warns once of a statement's reverse zones in which the cluster's own addresses may lie.
pub(crate) fn check(zones: &[(Name, Span)], here: &Here<'_>, report: &mut Report) {
    let mut taking = zones.iter().filter(|(zone, _)| takes_private(zone, here));
    let Some((first, span)) = taking.next() else { return };
    let others = match taking.count() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let message =
        format!("PTR of the cluster's own Services and pods are asked of {first}{others} where they lie in it");
    let warning = report.warning(*span, message);
    warning.help("name a narrower prefix, in which the cluster has no addresses; nothing is lost where this is one");
}
