//! What the flags ask of the node, checked and not yet begun.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What is to be set up on this node. Without a local address there is no such plan, and nothing of the node is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// The addresses that pods ask, at least one, each once; IPv4 and IPv6 together.
    pub own: Vec<IpAddr>,
    /// Addresses that are known to be those of Services.
    pub services: BTreeSet<IpAddr>,
    /// The port that pods ask.
    pub port: u16,
    /// The port of `health`; its probes are not tracked either.
    pub health_port: u16,
    /// The interface that bears the addresses; rules and lease bear its name too.
    pub name: String,
    /// True if the interface is ours to set up.
    pub interface: bool,
    /// True if the rules are ours to set up.
    pub rules: bool,
    /// How often all is looked at, beside the kernel's word that something has gone.
    pub sync_every: Duration,
    /// How long the kernel stands in for a daemon that is gone; `None`: it never does, and the rules are node-cache's.
    pub failsafe: Option<Duration>,
    /// True if it stands in for processes in the host's own network too.
    pub host_processes: bool,
    /// The servers that it sends questions to; if empty, those that are found.
    pub central: Vec<SocketAddr>,
    /// What the last instance does.
    pub leaving: Leaving,
}

impl NodePlan {
    /// Those of our addresses that are the address of a Service too: without a daemon its proxy takes what is sent there.
    pub fn intercepted(&self) -> Vec<IpAddr> {
        self.own.iter().copied().filter(|ip| self.services.contains(ip)).collect()
    }
}

/// What becomes of interface, addresses and rules when the last instance ends by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// All stays, so that the kernel stands in until the next one starts.
    Stay,
    /// All is removed.
    TearDown,
}
