//! What can go wrong with links, addresses, routes and neighbours, and what to look at next.

use std::net::IpAddr;

use contract::limits::NETLINK_WITHIN;
use nix::errno::Errno;

/// Why something cannot be done to links and addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The process lacks the right.
    #[error("the kernel does not allow to {what}: that needs CAP_NET_ADMIN in the network namespace of the node")]
    NotPermitted {
        /// What was tried.
        what: String,
    },
    /// The kernel says no.
    #[error("cannot {what}: {why}")]
    Refused {
        /// What was tried.
        what: String,
        /// The kernel's error number.
        why: Errno,
    },
    /// The kernel has no IPv6, or it is switched off for the interface.
    #[error("IPv6 is switched off or missing in the kernel ({why}): no {}", list(.addresses))]
    NoIpv6 {
        /// The addresses that are not there.
        addresses: Vec<IpAddr>,
        /// The kernel's error number.
        why: Errno,
    },
    /// An interface of this name is somebody else's.
    #[error("the interface {name} is not ours but {what}: remove it, or give another name (-interfacename)")]
    Foreign {
        /// Its name.
        name: String,
        /// What it is.
        what: String,
    },
    /// The kernel takes what is asked, and yet it is not there.
    #[error("{what} does not stay: somebody else changes it at the same time")]
    Unstable {
        /// What is not there.
        what: String,
    },
    /// Nothing is left to choose from.
    #[error("{what}")]
    Exhausted {
        /// Of what.
        what: &'static str,
    },
    /// The socket to the kernel is closed; a new one has to be opened.
    #[error("cannot {what}: netlink is closed")]
    Closed {
        /// What was tried.
        what: String,
    },
    /// The kernel does not answer.
    #[error("cannot {what}: the kernel does not answer within {NETLINK_WITHIN:?}")]
    Silent {
        /// What was tried.
        what: String,
    },
}

impl LinkError {
    /// The kernel's error number, if it gave one.
    pub(in crate::node) fn number(&self) -> Option<Errno> {
        match self {
            Self::NotPermitted { .. } => Some(Errno::EPERM),
            Self::Refused { why, .. } | Self::NoIpv6 { why, .. } => Some(*why),
            Self::Foreign { .. }
            | Self::Unstable { .. }
            | Self::Exhausted { .. }
            | Self::Closed { .. }
            | Self::Silent { .. } => None,
        }
    }

    /// True if it says that IPv6 is missing (no such family) or switched off on the interface (EACCES).
    pub(in crate::node) fn is_no_ipv6(&self) -> bool {
        matches!(self.number(), Some(Errno::EACCES | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP))
    }
}

pub(super) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
