//! A pod of a node: a network with an address of each family behind a veth link, with a host route or on the node's bridge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::space::Space;

/// How the node reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a host route over its link, as Calico and the clouds' plugins do.
    Routed,
    /// By the node's bridge, as kindnet, flannel and the plugin `bridge` do.
    Bridged,
}

/// A pod; it goes with its owner.
#[derive(Debug)]
pub struct Pod {
    space: Space,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
    /// How the node reaches it.
    pub way: Way,
}

/// The node's bridge, its link-layer address and addresses.
pub(super) const BRIDGE: &str = "\
    ip link add cni0 address 0a:58:0a:4e:00:01 type bridge
    ip addr add 10.78.0.1/24 dev cni0
    ip -6 addr add fd78::1/64 dev cni0 nodad
    ip link set cni0 up
";

impl Pod {
    /// Puts pod number `number`, 1 to 200, beside a node. `resolv_conf` is what its stub resolvers read.
    #[track_caller]
    pub fn new(node: &Space, number: u8, way: Way, resolv_conf: &str) -> Self {
        assert!((1..=200).contains(&number), "there are 200 pods");
        let (net, prefix) = if way == Way::Routed { (77, 0xfd77) } else { (78, 0xfd78) };
        let host = number + 10;
        let v4 = Ipv4Addr::new(10, net, 0, host);
        let v6 = Ipv6Addr::new(prefix, 0, 0, 0, 0, 0, 0, host.into());
        let space = Space::new("touch FOLDER/resolv.conf && mount --bind FOLDER/resolv.conf /etc/resolv.conf");
        std::fs::write(space.file("resolv.conf"), resolv_conf).expect("the folder can be written");
        let this = Self { space, v4, v6, way };
        this.joins(node, number);
        this
    }

    #[track_caller]
    fn joins(&self, node: &Space, number: u8) {
        let (v4, v6, id) = (self.v4, self.v6, self.space.id());
        // neighbours are told, not asked for: a question that waits for a neighbour may be dropped
        let (own, other) = (format!("0a:58:00:00:01:{number:02x}"), format!("0a:58:00:00:02:{number:02x}"));
        let link = format!("pod{number}");
        let made = format!("ip link add {link} address {own} type veth peer name eth0 address {other} netns {id}");
        let (outside, gateways, mac) = match self.way {
            Way::Routed => (
                format!(
                    "ip link set {link} up
                    ip route add {v4} dev {link}; ip -6 route add {v6} dev {link}
                    ip neigh replace {v4} lladdr {other} dev {link} nud permanent
                    ip -6 neigh replace {v6} lladdr {other} dev {link} nud permanent"
                ),
                ["169.254.1.1", "fe80::1"],
                own,
            ),
            Way::Bridged => (
                format!(
                    "ip link set {link} up master cni0
                    ip neigh replace {v4} lladdr {other} dev cni0 nud permanent
                    ip -6 neigh replace {v6} lladdr {other} dev cni0 nud permanent"
                ),
                ["10.78.0.1", "fd78::1"],
                "0a:58:0a:4e:00:01".to_owned(),
            ),
        };
        node.sh(&format!("{made}\n{outside}"));
        let (v4_bits, v6_bits) = if self.way == Way::Routed { (32, 128) } else { (24, 64) };
        let [gateway4, gateway6] = gateways;
        self.space.sh(&format!(
            "ip addr add {v4}/{v4_bits} dev eth0; ip -6 addr add {v6}/{v6_bits} dev eth0 nodad
            ip link set eth0 up
            ip neigh replace {gateway4} lladdr {mac} dev eth0 nud permanent
            ip -6 neigh replace {gateway6} lladdr {mac} dev eth0 nud permanent
            ip route add default via {gateway4} dev eth0 onlink
            ip -6 route add default via {gateway6} dev eth0 onlink"
        ));
    }

    /// Its namespaces.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Its address of a family like that of `of`.
    pub fn address(&self, of: IpAddr) -> IpAddr {
        if of.is_ipv4() { self.v4.into() } else { self.v6.into() }
    }

    /// Writes its resolv.conf anew.
    pub fn writes_resolv_conf(&self, text: &str) {
        // into the same file: what is mounted stays mounted
        std::fs::write(self.space.file("resolv.conf"), text).expect("the folder can be written");
    }
}
