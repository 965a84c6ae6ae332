//! Finds names that are served twice at one place, where only the order of the file could decide who answers.
//!
//! CoreDNS's rule: a name and port may be served twice if the blocks are bound to different addresses; a block bound to
//! nothing is bound to everything. A block with a `view` may overlap others, but not repeat what was served before it
//! without one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::report::Report;
use crate::syntax::{Block, Corefile, Key, Scheme, Span, Zone};

/// A name at a place: what can be served once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Service {
    scheme: Scheme,
    zone: Zone,
    port: u16,
}

impl Service {
    fn of(key: &Key, dns_port: u16) -> Self {
        Self { scheme: key.scheme, zone: key.zone.clone(), port: key.port_or(dns_port) }
    }
}

/// For each service, the addresses that it is bound to (`None` for all) and the key that said so first.
type Served = BTreeMap<Service, Vec<(Option<String>, Span)>>;

/// Reports every key that repeats what an earlier block serves, on the port 53 if keys name none.
pub fn check_overlap(corefile: &Corefile, report: &mut Report) {
    check_overlap_on(corefile, Scheme::Dns.default_port(), report);
}

/// As [`check_overlap`], with another port for the keys of plain DNS that name none.
pub fn check_overlap_on(corefile: &Corefile, dns_port: u16, report: &mut Report) {
    check_transports(corefile, dns_port, report);
    let mut served = Served::new();
    for block in &corefile.blocks {
        let addresses = bound_to(block);
        let has_view = block.directive("view").is_some();
        for key in &block.keys {
            let places = served.entry(Service::of(key, dns_port)).or_default();
            if let Some(first) = addresses.iter().find_map(|address| taken(places, address.as_deref())) {
                report_twice(key, dns_port, first, report);
            } else if !has_view {
                places.extend(addresses.iter().map(|address| (address.clone(), key.span)));
            }
        }
    }
}

/// Reports every key that wants a port which another transport has: plain DNS, TLS and HTTPS all listen on TCP.
fn check_transports(corefile: &Corefile, dns_port: u16, report: &mut Report) {
    let mut ports: BTreeMap<u16, Vec<(Scheme, Option<String>, Span)>> = BTreeMap::new();
    for block in &corefile.blocks {
        let addresses = bound_to(block);
        for key in &block.keys {
            let places = ports.entry(key.port_or(dns_port)).or_default();
            let other = |place: &&(Scheme, Option<String>, Span)| {
                place.0 != key.scheme && addresses.iter().any(|address| is_same(&place.1, address.as_deref()))
            };
            if let Some((scheme, _, first)) = places.iter().find(other).cloned() {
                let first = report.place(first).to_string();
                let port = key.port_or(dns_port);
                let text = format!("`{}://` cannot share port {port} with `{scheme}://`", key.scheme);
                report.error(key.span, text).help(format!("first at {first}")).help("give one of them another port");
            } else {
                places.extend(addresses.iter().map(|address| (key.scheme, address.clone(), key.span)));
            }
        }
    }
}

/// Who serves that address already.
fn taken(places: &[(Option<String>, Span)], address: Option<&str>) -> Option<Span> {
    places.iter().find(|(served, _)| is_same(served, address)).map(|(_, span)| *span)
}

/// True if two addresses may be one: bound to nothing in particular is bound to everything.
fn is_same(one: &Option<String>, other: Option<&str>) -> bool {
    one.as_deref().zip(other).is_none_or(|(one, other)| one == other)
}

/// What a block is bound to: its addresses and interfaces, or `None` for all.
/// What a block is bound to: its addresses and interfaces, or `None` for all. Blocks that share one, a transport and a port share a
/// listener.
#[must_use]
pub fn bound_to(block: &Block) -> Vec<Option<String>> {
    let mut bound: Vec<Option<String>> = Vec::new();
    for bind in block.directives("bind") {
        let except: Vec<String> = bind
            .properties()
            .iter()
            .filter(|property| property.name == "except")
            .flat_map(|property| property.arguments.iter().map(|word| normal(&word.text)))
            .collect();
        let named = bind.arguments.iter().map(|word| normal(&word.text)).filter(|address| !except.contains(address));
        bound.extend(named.map(Some));
    }
    bound.sort();
    bound.dedup();
    if bound.is_empty() { vec![None] } else { bound }
}

/// One spelling of an address; the name of an interface as it is.
fn normal(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}

fn report_twice(key: &Key, dns_port: u16, first: Span, report: &mut Report) {
    let place = report.place(first).to_string();
    let served = format!("{}://{}:{}", key.scheme, key.zone, key.port_or(dns_port));
    let error = report.error(key.span, format!("`{served}` is served twice"));
    error.help(format!("first at {place}")).help("tell the blocks apart with `bind` or another port");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Memory;

    fn errors(text: &str) -> String {
        let mut report = Report::new();
        let corefile = crate::parse("Corefile", text, &Memory::new(), &mut report);
        assert!(!report.has_errors(), "{report}");
        check_overlap(&corefile, &mut report);
        report.to_string()
    }

    #[test]
    fn the_same_name_and_port_twice_is_an_error() {
        assert!(
            errors("a.org {\n}\nA.org. {\n}\n").starts_with("Corefile:3:1: error: `dns://a.org.:53` is served twice")
        );
        assert!(errors("a.org a.org:53 {\n}\n").starts_with("Corefile:1:7: error"));
        assert!(errors("10.0.0.0/15 {\n}\n10.1.0.0/16 {\n}\n").starts_with("Corefile:3:1: error"));
        assert!(errors("tls://. {\n}\ntls://.:853 {\n}\n").starts_with("Corefile:3:1: error"));
    }

    #[test]
    fn other_names_ports_and_schemes_are_not() {
        assert_eq!(errors("a.org {\n}\nb.org {\n}\na.org:54 {\n}\ntls://a.org {\n}\n.:854 {\n}\n"), "");
    }

    #[test]
    fn two_transports_cannot_share_a_port() {
        assert!(errors(".:5300 {\n}\ntls://.:5300 {\n}\n").starts_with("Corefile:3:1: error: `tls://` cannot share"));
        assert!(errors("tls://a.org {\n}\n.:853 {\n}\n").starts_with("Corefile:3:1: error: `dns://` cannot share"));
        assert_eq!(errors(".:5300 {\n bind 127.0.0.1\n}\ntls://.:5300 {\n bind 127.0.0.2\n}\n"), "");
    }

    #[test]
    fn bind_tells_blocks_apart() {
        assert_eq!(errors(". {\nbind 10.0.0.1\n}\n. {\nbind 10.0.0.2 lo\n}\n"), "");
        assert!(errors(". {\nbind 10.0.0.1\n}\n. {\nbind 10.0.0.2 10.0.0.1\n}\n").starts_with("Corefile:4:1"));
        assert!(errors(". {\nbind fd00::1\n}\n. {\nbind fd00:0::1\n}\n").starts_with("Corefile:4:1"));
    }

    #[test]
    fn bound_to_nothing_is_bound_to_everything() {
        assert!(errors(". {\nbind 10.0.0.1\n}\n. {\n}\n").starts_with("Corefile:4:1"));
        assert!(errors(". {\n}\n. {\nbind 10.0.0.1\n}\n").starts_with("Corefile:3:1"));
    }

    #[test]
    fn view_tells_blocks_apart_if_the_one_without_comes_last() {
        assert_eq!(errors(". {\nview a {\nexpr true\n}\n}\n. {\nview b {\nexpr true\n}\n}\n. {\n}\n"), "");
        assert!(errors(". {\n}\n. {\nview a {\nexpr true\n}\n}\n").starts_with("Corefile:3:1"));
    }
}
