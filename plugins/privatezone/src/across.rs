//! What only all server blocks together tell of private zones: one that is never asked, one that hides the cluster's own, and what
//! all of them send to a resolver.
//!
//! ```text
//!   Corefile --Listeners--> which block a name enters, at each address, transport and port: the longest zone
//!            --cluster-----> the cluster's own domains
//!   each Private: twice, hides, reverse, never_asked, leads_nowhere, without_memory
//!   all of them: rates
//! ```

use contract::corefile::{Block, Corefile, Report, Span, Statement, lookup, support, value};
use contract::wire::Name;

use crate::spec::zones;
use listeners::Listeners;

mod cluster;
mod listeners;
mod rates;
mod reverse;

/// Warns of private zones that other blocks take the names of, that take those of the cluster, or that together send more than a
/// resolver takes; refuses a zone that stands twice in a server block. `dns_port` is the port of plain DNS for keys that name none.
pub fn check_blocks(corefile: &Corefile, dns_port: u16, report: &mut Report) {
    let listeners = Listeners::new(corefile, dns_port);
    let cluster = cluster::domains(corefile);
    for (index, block) in corefile.blocks.iter().enumerate() {
        let privates = privates(block);
        twice(&privates, report);
        for private in &privates {
            for (zone, span) in &private.zones {
                hides(zone, *span, &listeners.of(index), &cluster, report);
                never_asked(zone, *span, &listeners.of(index), corefile, report);
            }
            reverse::check(&private.zones, &listeners.of(index), report);
            leads_nowhere(private, &privates, block, report);
            without_memory(private, block, report);
        }
    }
    rates::check(corefile, report);
}

/// A statement with its zones and their places.
struct Private<'c> {
    statement: &'c Statement,
    zones: Vec<(Name, Span)>,
}

fn privates(block: &Block) -> Vec<Private<'_>> {
    let of_block = zones_of(block);
    let of = |statement| Private { statement, zones: zones::written(statement, &of_block) };
    block.directives("privatezone").map(of).collect()
}

fn zones_of(block: &Block) -> Vec<Name> {
    block.keys.iter().map(|key| Name::parse(key.zone.as_str()).expect("a zone is a valid name")).collect()
}

/// A zone of two statements: only their order could tell whom to ask.
fn twice(privates: &[Private<'_>], report: &mut Report) {
    for (index, private) in privates.iter().enumerate() {
        let before = || privates.iter().take(index).flat_map(|earlier| &earlier.zones);
        for (zone, span) in &private.zones {
            if let Some((_, first)) = before().find(|(known, _)| known == zone) {
                let first = report.place(*first).to_string();
                let error = report.error(*span, format!("the private zone {zone} stands twice in this server block"));
                error
                    .help(format!("first at {first}"))
                    .help("several addresses of one zone stand in one `privatezone`");
            }
        }
    }
}

/// A zone that the cluster's own names lie in, or that lies in theirs, where they come to this block.
fn hides(zone: &Name, span: Span, here: &listeners::Here<'_>, cluster: &[Name], report: &mut Report) {
    for domain in cluster {
        if zone.encloses(domain) && here.enters(domain) {
            let message =
                format!("the private zone {zone} hides the cluster's own names: those of {domain} are asked of it");
            report.warning(span, message).help(format!("serve {domain} in a server block of its own"));
        } else if domain.encloses(zone) && here.enters(zone) {
            let message =
                format!("the private zone {zone} lies among the cluster's own names, {domain}, and hides some");
            report.warning(span, message).help("what the cluster has under this name is no longer found");
        }
    }
}

/// A zone whose names another block takes, because its own zone is longer.
fn never_asked(zone: &Name, span: Span, here: &listeners::Here<'_>, corefile: &Corefile, report: &mut Report) {
    for taker in here.takers(zone) {
        let asks_too = |private: &Private<'_>| private.zones.iter().any(|(known, _)| known.encloses(zone));
        if privates(&corefile.blocks[taker.block]).iter().any(asks_too) {
            continue;
        }
        let place = report.place(taker.span).to_string();
        let message =
            format!("nobody is asked here for {zone}: the server block of {} takes its names first", taker.zone);
        let warning = report.warning(span, message);
        warning.help(format!("that block is at {place}; write this `privatezone` there"));
    }
}

/// A `fallthrough` behind which nobody answers.
fn leads_nowhere(private: &Private<'_>, all: &[Private<'_>], block: &Block, report: &mut Report) {
    let Some(property) = private.statement.property("fallthrough") else { return };
    let named: Vec<Name> = property.arguments.iter().flat_map(|word| zones::parse(word).unwrap_or_default()).collect();
    let through = if named.is_empty() { private.zones.iter().map(|(zone, _)| zone.clone()).collect() } else { named };
    for zone in through {
        let own = private.zones.iter().map(|(own, _)| own).filter(|own| own.encloses(&zone));
        let Some(own) = own.max_by_key(|own| own.label_count()) else { continue }; // refused elsewhere
        let mut zones = all.iter().flat_map(|other| &other.zones);
        let enclosing = zones.any(|(other, _)| other != own && other.encloses(own));
        if !enclosing && !block.statements.iter().any(|statement| answers_behind(statement, &zone)) {
            let message = format!("`fallthrough` leads nowhere: nothing behind it answers for {zone}");
            let warning = report.warning(property.name.span, message);
            warning.help("write a `forward` for it into this server block, or leave `fallthrough` out");
        }
    }
}

/// True of a directive that stands behind private zones in the order of queries, and answers for names of that zone.
fn answers_behind(statement: &Statement, zone: &Name) -> bool {
    let position = |name: &str| support::DIRECTIVES.iter().position(|row| row.name == name);
    let is_behind = position(&statement.name.text) > position("privatezone");
    let is_served = matches!(lookup(&statement.name.text), Some(support::Support::Served { .. }));
    let from = statement.arguments.first().and_then(|word| value::name(&word.text).ok());
    let from = from.and_then(|from| Name::parse(from.as_str()).ok()).unwrap_or_else(Name::root);
    let takes = statement.name != "forward" || from.encloses(zone) || zone.encloses(&from);
    is_behind && is_served && takes
}

/// Private zones of a block that memorises nothing.
fn without_memory(private: &Private<'_>, block: &Block, report: &mut Report) {
    if block.directive("cache").is_none() {
        let warning = report.warning(private.statement.name.span, "a private zone without `cache` has no memory");
        warning.help("write `cache`: `vanish_grace`, stale answers and `watch` work on what is in memory");
    }
}

#[cfg(test)]
mod tests;
