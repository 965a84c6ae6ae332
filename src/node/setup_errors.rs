//! What could not be set up on the node, counted under the name and labels that node-cache has.

use std::sync::Arc;

use contract::metrics::{Counter, Metrics};

/// What could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// Rules could not be put in place.
    Iptables,
    /// Rules could not be put in place because somebody else holds the lock of xtables.
    IptablesLock,
    /// The interface or its addresses could not be added.
    InterfaceAdd,
    /// The interface could not be looked at.
    InterfaceCheck,
    /// The ConfigMap could not be read.
    Configmap,
}

impl SetupError {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Iptables, Self::IptablesLock, Self::InterfaceAdd, Self::InterfaceCheck, Self::Configmap];

    /// Its count, to be incremented by whoever could not do it.
    pub fn counter(self, metrics: &Metrics) -> Arc<Counter> {
        metrics.counter(
            "coredns_nodecache_setup_errors_total",
            "What could not be set up on the node, by kind.",
            &[("errortype", self.label())],
        )
    }

    /// Makes all of them visible, at zero.
    pub fn register(metrics: &Metrics) {
        Self::ALL.iter().for_each(|error| drop(error.counter(metrics)));
    }

    fn label(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::IptablesLock => "iptables_lock",
            Self::InterfaceAdd => "interface_add",
            Self::InterfaceCheck => "interface_check",
            Self::Configmap => "configmap",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_stand_at_zero_until_they_happen() {
        let metrics = Metrics::default();
        SetupError::register(&metrics);
        SetupError::IptablesLock.counter(&metrics).increment();
        let text = metrics.text();
        for (label, count) in
            [("iptables", 0), ("iptables_lock", 1), ("interface_add", 0), ("interface_check", 0), ("configmap", 0)]
        {
            let line = format!("coredns_nodecache_setup_errors_total{{errortype=\"{label}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
