//! Which server block a name enters, at each listener: the one with the longest zone, as the daemon has it.

use std::collections::BTreeMap;

use contract::corefile::{Corefile, Scheme, Span, bound_to};
use contract::wire::Name;

/// Transport, port and what is bound to; `None` for everything.
type At = (Scheme, u16, Option<String>);

/// A zone at a listener.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) zone: Name,
    /// Its server block.
    pub(crate) block: usize,
    /// Where its key is.
    pub(crate) span: Span,
}

/// Every listener with its zones, longest first.
pub(crate) struct Listeners(BTreeMap<At, Vec<Entry>>);

impl Listeners {
    pub(crate) fn new(corefile: &Corefile, dns_port: u16) -> Self {
        let mut all: BTreeMap<At, Vec<Entry>> = BTreeMap::new();
        for (index, block) in corefile.blocks.iter().enumerate() {
            for address in bound_to(block) {
                for key in &block.keys {
                    let at = (key.scheme, key.port_or(dns_port), address.clone());
                    let zone = Name::parse(key.zone.as_str()).expect("a zone is a valid name");
                    all.entry(at).or_default().push(Entry { zone, block: index, span: key.span });
                }
            }
        }
        for entries in all.values_mut() {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.zone.label_count()));
        }
        Self(all)
    }

    /// The listeners of a block.
    pub(crate) fn of(&self, block: usize) -> Here<'_> {
        let own = self.0.values().filter(|entries| entries.iter().any(|entry| entry.block == block));
        Here { block, listeners: own.map(Vec::as_slice).collect() }
    }
}

/// The listeners that a block stands behind.
pub(crate) struct Here<'l> {
    block: usize,
    listeners: Vec<&'l [Entry]>,
}

impl<'l> Here<'l> {
    /// True if a name enters the block at any of them.
    pub(crate) fn enters(&self, name: &Name) -> bool {
        self.listeners.iter().any(|entries| find(entries, name).is_some_and(|entry| entry.block == self.block))
    }

    /// Other blocks that take a name which the block has a zone for, each once.
    pub(crate) fn takers(&self, name: &Name) -> Vec<&'l Entry> {
        let mut takers: Vec<&Entry> = Vec::new();
        for entries in &self.listeners {
            let wants = entries.iter().any(|entry| entry.block == self.block && entry.zone.encloses(name));
            let taker = find(entries, name).filter(|entry| wants && entry.block != self.block);
            takers.extend(taker.filter(|taker| takers.iter().all(|known| known.block != taker.block)));
        }
        takers
    }
}

fn find<'e>(entries: &'e [Entry], name: &Name) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.zone.encloses(name))
}
