//! The cluster's own domains, as far as a Corefile tells them: those whose names `autopath` expands.

use contract::corefile::{Block, Corefile, Statement};
use contract::wire::Name;

use super::zones_of;
use crate::spec::zones;

/// What a cluster's domain is called when nobody called it otherwise.
const USUAL: &str = "cluster.local";

/// The domains, at least one.
pub(crate) fn domains(corefile: &Corefile) -> Vec<Name> {
    let of = |block| Block::directives(block, "autopath").flat_map(move |statement| expanded(statement, block));
    let mut domains: Vec<Name> = corefile.blocks.iter().flat_map(of).filter(is_domain).collect();
    if domains.is_empty() {
        domains.push(Name::parse(USUAL).expect("a name"));
    }
    domains.sort();
    domains.dedup();
    domains
}

/// The zones of an `autopath`, or those of its block. The last word of its line is where lists come from, unless that is in braces.
fn expanded(statement: &Statement, block: &Block) -> Vec<Name> {
    let words = match (statement.property("pods"), statement.arguments.split_last()) {
        (None, Some((_, before))) => before,
        (None, None) => &[],
        (Some(_), _) => statement.arguments.as_slice(),
    };
    match words {
        [] => zones_of(block),
        words => words.iter().flat_map(|word| zones::parse(word).unwrap_or_default()).collect(),
    }
}

/// True of what can be a cluster's domain: neither everything nor a reverse zone.
fn is_domain(zone: &Name) -> bool {
    let reverse = Name::parse("arpa").expect("a name");
    !zone.is_root() && !reverse.encloses(zone)
}
