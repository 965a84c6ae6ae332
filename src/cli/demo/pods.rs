//! The three pods of the demo, on loopback addresses, and their table as `autopath` reads it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// A pod: who it is, and what kubelet writes into its resolv.conf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod {
    /// `NAMESPACE/NAME`.
    pub(super) id: &'static str,
    /// Its address, in 127.0.0.0/8.
    pub(super) address: Ipv4Addr,
    /// Its search list, in order.
    pub(super) search: &'static [&'static str],
}

impl Pod {
    /// The name without the namespace.
    pub(super) fn name(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(_, name)| name)
    }
}

/// What Kubernetes sets in every pod: names with fewer dots are searched for.
pub(super) const NDOTS: usize = 5;

const SHOP: &[&str] = &["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"];
const BLOG: &[&str] = &["blog.svc.cluster.local", "svc.cluster.local", "cluster.local"];

/// The pod that asks.
pub(super) const CART_0: Pod = Pod { id: "shop/cart-0", address: Ipv4Addr::new(127, 0, 0, 11), search: SHOP };
/// Another one with the same search list.
pub(super) const CART_1: Pod = Pod { id: "shop/cart-1", address: Ipv4Addr::new(127, 0, 0, 12), search: SHOP };
/// One of another namespace.
pub(super) const FRONT_0: Pod = Pod { id: "blog/front-0", address: Ipv4Addr::new(127, 0, 0, 13), search: BLOG };

/// The table of pods, a line each.
pub(super) fn table() -> String {
    let mut text = String::new();
    for pod in [CART_0, CART_1, FRONT_0] {
        let _ = writeln!(text, "{} {} search {} ndots {NDOTS}", pod.id, pod.address, pod.search.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_pod_has_a_line_with_its_address_and_its_search_list() {
        assert_eq!(
            super::table(),
            "shop/cart-0 127.0.0.11 search shop.svc.cluster.local svc.cluster.local cluster.local ndots 5\n\
             shop/cart-1 127.0.0.12 search shop.svc.cluster.local svc.cluster.local cluster.local ndots 5\n\
             blog/front-0 127.0.0.13 search blog.svc.cluster.local svc.cluster.local cluster.local ndots 5\n"
        );
    }
}
