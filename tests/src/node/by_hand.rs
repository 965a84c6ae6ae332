//! A node's interface and rules as they should be, made by `ip` and `nft` alone: so that harness and load are proven apart
//! from the daemon, which serves on such a node without knowing of it.

use std::net::IpAddr;

use super::centre;
use super::space::Space;

/// Makes the interface and the rules for these addresses; those of `services` without a socket are the proxy's.
pub(super) fn set_up(node: &Space, own: &[IpAddr], services: &[IpAddr]) {
    node.sh("ip link add nodelocaldns type bridge && ip link set nodelocaldns up");
    for ip in own {
        let how = if ip.is_ipv4() { "/32 dev nodelocaldns" } else { "/128 dev nodelocaldns nodad" };
        node.sh(&format!("ip addr add {ip}{how}"));
    }
    detour(node);
    let rules: String = ["ip", "ip6"].into_iter().map(|family| table(family, own, services)).collect();
    node.nft(&rules);
}

/// Two links back to back: what leaves by one comes in by the other, past the table of local addresses.
fn detour(node: &Space) {
    node.sh("ip link add hv0 type veth peer name hv1
        ip addr add 169.254.20.11/32 dev hv0; ip addr add 169.254.20.13/32 dev hv1
        ip link set hv0 up; ip link set hv1 up
        echo 1 >/proc/sys/net/ipv4/conf/hv1/accept_local; echo 2 >/proc/sys/net/ipv4/conf/hv1/rp_filter
        ip route add 169.254.20.12/32 dev hv0
        ip neigh replace 169.254.20.12 lladdr $(ip -o link show hv1 | sed 's/.*ether \\([^ ]*\\).*/\\1/') dev hv0 nud permanent");
}

/// One family's table; empty where it has no address.
fn table(family: &str, own: &[IpAddr], services: &[IpAddr]) -> String {
    let v4 = family == "ip";
    let ours: Vec<_> = own.iter().filter(|ip| ip.is_ipv4() == v4).collect();
    if ours.is_empty() {
        return String::new();
    }
    let list = ours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let [first, second] = match v4 {
        true => centre::V4.map(IpAddr::from),
        false => centre::V6.map(IpAddr::from),
    };
    let mut nat = String::new();
    for ip in &ours {
        let at = if v4 { format!("{ip}:53") } else { format!("[{ip}]:53") };
        nat.push_str(&format!("    {family} daddr {ip} tcp dport 53 socket wildcard 0 dnat to {at}\n"));
    }
    for ip in ours.iter().filter(|ip| !services.contains(ip)) {
        nat.push_str(&format!(
            "    {family} daddr {ip} meta l4proto {{ udp, tcp }} th dport 53 dnat to numgen random mod 2 map {{ 0 : {first}, 1 : \
             {second} }}\n"
        ));
    }
    let (lo, post) = match v4 {
        true => (
            "    iifname \"lo\" ip daddr @own udp dport 53 socket wildcard 0 accept
    iifname \"lo\" ip daddr @own meta l4proto { udp, tcp } th dport 53 dup to 169.254.20.12 device \"hv0\" drop\n",
            "  chain post { type nat hook postrouting priority srcnat - 5; policy accept;
    iifname \"hv1\" ip saddr @own masquerade\n  }\n",
        ),
        false => ("", ""),
    };
    let to_own = if v4 { "    ip daddr @own meta l4proto { udp, tcp } th dport 53 notrack accept\n" } else { "" };
    format!(
        "table {family} np {{
  set own {{ type {}; elements = {{ {list} }} }}
  chain raw {{ type filter hook prerouting priority raw; policy accept;
{lo}    {family} daddr @own udp dport 53 socket wildcard 0 notrack accept
  }}
  chain out {{ type filter hook output priority raw; policy accept;
    {family} saddr @own udp sport 53 notrack accept
{to_own}  }}
  chain nat {{ type nat hook prerouting priority dstnat - 5; policy accept;
{nat}  }}
{post}}}\n",
        if v4 { "ipv4_addr" } else { "ipv6_addr" }
    )
}
