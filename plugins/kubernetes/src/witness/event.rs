//! The words between netlink and the traces: what the kernel says, and what the witness makes of it.

use std::net::IpAddr;

/// What the witness has to say. Addresses are those that pods send from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Testimony {
    /// The kernel shows a way to this address by which a change of what is behind it cannot pass unseen: a host route, or
    /// a neighbour on a bridge.
    Traced(IpAddr),
    /// No such way is shown any more; somebody else has to vouch for the address.
    Untraced(IpAddr),
    /// What was behind the address may no longer be. May come again for an address that is in doubt already.
    Changed {
        /// Whose way changed.
        address: IpAddr,
        /// Counts the changes of all addresses, upwards.
        change: u64,
        /// What was there had been lost before, which was told; now somebody is shown there for the first time since.
        newcomer: bool,
    },
    /// The kernel shows exactly what it showed before the change `since`, and has shown nothing that contradicts it in the
    /// meantime: that change and every later one of this address are taken back. Earlier ones are not.
    Restored {
        /// Whose way is as it was.
        address: IpAddr,
        /// The first change that is taken back.
        since: u64,
    },
    /// Nothing is seen, so nothing is vouched for any more: what was `Traced` is said again when there is sight again.
    /// Said once, not at every failed attempt.
    Blind {
        /// Why, for a person.
        reason: String,
    },
}

/// A link-layer address of Ethernet; links with others vouch by their routes alone.
pub(super) type Mac = [u8; 6];

/// What the kernel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A link is there, in this state.
    Link { index: u32, state: LinkState },
    /// A link is gone.
    LinkGone { index: u32 },
    /// A host route is there; `hop` is `None` if it is gone, or leads nowhere that could be followed.
    Route { address: IpAddr, key: RouteKey, hop: Option<Hop> },
    /// A neighbour's link-layer address; `None` if it is not known at present.
    Neighbour { address: IpAddr, link: u32, mac: Option<Mac> },
    /// A link-layer address was seen behind this port of a bridge.
    Forwarding { bridge: u32, mac: Mac, port: u32 },
    /// A bridge forgot it.
    ForwardingGone { bridge: u32, mac: Mac, port: u32 },
}

/// What is said of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkState {
    /// Switched on; the kernel drops the routes over a link that is not.
    pub(super) enabled: bool,
    /// The other end is there and on.
    pub(super) carrier: bool,
    /// It is a bridge.
    pub(super) bridge: bool,
    /// The bridge (or the like) that it is a port of.
    pub(super) master: Option<u32>,
    /// The link that it is a VLAN of.
    pub(super) vlan_of: Option<u32>,
    /// Its other end: the index there, and the number of the network namespace where that is not this one. Another one
    /// means another link, or an end that was moved to another sandbox.
    pub(super) peer: Option<(u32, Option<i32>)>,
}

/// What makes two routes to an address one and the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteKey {
    pub(super) table: u32,
    pub(super) priority: u32,
    pub(super) tos: u8,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hop {
    pub(super) link: u32,
    pub(super) gateway: Option<IpAddr>,
}
