//! The kernel as the second witness of who has an address. A pod's sandbox can go, and its address be handed to another pod,
//! before the API server says so; the kernel knows at once.
//!
//! ```text
//!  netlink (links, routes, neighbours, bridges) --> decode --> Traces --> Testimony
//! ```
//!
//! [`Traces`](traces::Traces) is where it is decided; nothing waits between the kernel's word and the [`Testimony`].
//!
//! # What is guaranteed
//!
//! Of an address that is `Traced`, and given that the kernel's notification is read before the datagram of whoever has the
//! address next (it is queued before that sandbox can send):
//!
//! - **A host route of its own**: `Changed` when the route goes or leads elsewhere, when its link goes, is switched off, loses
//!   its other end, or has that moved to another namespace.
//! - **A neighbour on a bridge** (or on a VLAN of one): `Changed` when the bridge port behind which it was seen goes, is switched
//!   off, loses its other end or leaves the bridge; when it is seen behind another port; when another link-layer address has
//!   the address. As long as the port is not known, when any port of that bridge goes.
//! - `Restored` only when all of it is shown again as it was, over links that were there throughout, and nothing else in between.
//! - After notifications were lost, or the socket was, everything is dumped and compared: the same rules hold for the difference.
//!
//! # What is not
//!
//! - Datapaths that show neither leave no trace: eBPF without host routes, ipvlan, macvlan, SR-IOV, Open vSwitch. So does a host
//!   route with several next hops, or with a next hop object that the kernel does not spell out.
//! - Several sandboxes behind one link that stays (a bridge port with a switch behind it, a host route over a link that is
//!   shared): one that takes the address of another together with its link-layer address is not told from it.
//! - A pod that may send under addresses of others brings these in doubt; it is never taken for them by that.
//! - A neighbour on a link that is no bridge is not `Traced`: whoever takes the address is noticed when its link-layer address is.
//! - A link that was replaced by another of the same index while notifications were lost is not told from it, unless its other
//!   end differs. The kernel counts indexes upwards, and uses one again only when it is asked to.

mod decode;
mod event;
mod links;
mod netlink;
mod shown;
mod traces;
mod ways;

#[cfg(test)]
mod tests;

pub(crate) use event::Testimony;
use tokio::sync::mpsc::Sender;

/// Tells of the addresses of this thread's network namespace until the receiver is gone. While the receiver is slow the kernel
/// keeps what it has to say, and what it cannot keep is found by comparing.
pub(crate) async fn watch(out: Sender<Testimony>) {
    let listener = out.clone();
    tokio::select! {
        () = listener.closed() => (),
        () = netlink::follow(netlink::Socket::ordinary, out) => (),
    }
}
