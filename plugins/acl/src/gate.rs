//! The rules at work: asked on every query, so they allocate nothing, lock nothing and search in order.

use std::sync::Arc;

use contract::metrics::{Counter, Metrics};
use contract::wire::{Name, RecordType};
use contract::{Client, Gate, Plugin, Verdict};

use crate::NAME;
use crate::spec::{AclSpec, Action, Policy, Rule};

/// All `acl` of a server block.
#[derive(Debug)]
pub(crate) struct Acl {
    rules: Box<[CountedRule]>,
    allowed: Arc<Counter>,
}

/// A rule whose zones count.
#[derive(Debug)]
struct CountedRule {
    /// Sorted by wire form, for [`CountedRule::zone_of`].
    zones: Box<[CountedZone]>,
    policies: Box<[Policy]>,
}

#[derive(Debug)]
struct CountedZone {
    name: Name,
    blocked: Arc<Counter>,
    filtered: Arc<Counter>,
    dropped: Arc<Counter>,
}

impl Acl {
    pub(crate) fn new(spec: &AclSpec, metrics: &Metrics, server: &str) -> Self {
        let help = "Queries that acl let pass.";
        let labels = [("server", server), ("view", "")];
        Self {
            rules: spec.rules.iter().map(|rule| CountedRule::new(rule, metrics, server)).collect(),
            allowed: metrics.counter("coredns_acl_allowed_requests_total", help, &labels),
        }
    }
}

impl Plugin for Acl {
    fn name(&self) -> &'static str {
        NAME
    }

    fn gate(&self) -> Option<&dyn Gate> {
        Some(self)
    }
}

impl Gate for Acl {
    fn verdict(&self, client: &Client, name: &[u8], rtype: RecordType) -> Verdict {
        let source = client.ip();
        for rule in &self.rules {
            let Some(zone) = rule.zone_of(name) else { continue };
            let policy = rule.policies.iter().find(|one| one.types.contains(rtype) && one.sources.contains(source));
            match policy.map(|policy| policy.action) {
                None => {}
                Some(Action::Allow) => break, // whatever the rules behind it say
                Some(Action::Block) => {
                    zone.blocked.increment();
                    return Verdict::Block;
                }
                Some(Action::Filter) => {
                    zone.filtered.increment();
                    return Verdict::Filter;
                }
                Some(Action::Drop) => {
                    zone.dropped.increment();
                    return Verdict::Drop;
                }
            }
        }
        self.allowed.increment();
        Verdict::Allow
    }
}

impl CountedRule {
    fn new(rule: &Rule, metrics: &Metrics, server: &str) -> Self {
        let mut names = rule.zones.clone();
        names.sort_unstable();
        names.dedup();
        let zones = names.into_iter().map(|name| {
            let zone = name.to_string();
            let labels = [("server", server), ("zone", zone.as_str()), ("view", "")];
            let counter = |name, help| metrics.counter(name, help, &labels);
            CountedZone {
                blocked: counter("coredns_acl_blocked_requests_total", "Queries that acl refused."),
                filtered: counter("coredns_acl_filtered_requests_total", "Queries that acl answered with nothing."),
                dropped: counter("coredns_acl_dropped_requests_total", "Queries that acl did not answer."),
                name,
            }
        });
        Self { zones: zones.collect(), policies: rule.policies.clone().into() }
    }

    /// The longest zone that encloses the name (wire form, lower case): one search per label of the name.
    fn zone_of(&self, name: &[u8]) -> Option<&CountedZone> {
        let mut suffix = name;
        loop {
            if let Ok(index) = self.zones.binary_search_by(|zone| zone.name.as_wire().cmp(suffix)) {
                return Some(&self.zones[index]);
            }
            let label = usize::from(*suffix.first()?);
            if label == 0 {
                return None;
            }
            suffix = suffix.get(1 + label..)?;
        }
    }
}
