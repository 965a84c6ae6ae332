//! The cluster's central servers: a network behind a link of the node, in which a knotd answers at two addresses of each
//! family, and the node's proxy for Services, which spreads questions to a Service's address over them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::space::Space;
use crate::client::Udp;
use crate::message::{Reply, ask};
use crate::mode;
use crate::program::Program;

/// The central servers' addresses.
pub const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 2, 0, 2), Ipv4Addr::new(10, 2, 0, 3)];
/// Those of IPv6.
pub const V6: [Ipv6Addr; 2] = [Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 2), Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 3)];
/// The Service that pods ask without a daemon.
pub const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// The Service by which a daemon asks them that has taken the first one's address.
pub const UPSTREAM_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 11);
/// What they say to a question with NSID (RFC 5001).
pub const NSID: &str = "centre";

/// How long they may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// Central servers at work; they go with their owner.
#[derive(Debug)]
pub struct Centre {
    server: Program,
    space: Space,
}

/// A zone's master file by its name.
pub type ZoneFile<'z> = (&'z str, &'z str);

impl Centre {
    /// Starts them behind a link of a node, with these zones.
    #[track_caller]
    pub fn new(node: &Space, zones: &[ZoneFile<'_>]) -> Self {
        let space = Space::new("");
        let (here, there) = ("0a:58:00:00:03:01", "0a:58:00:00:03:02");
        let id = space.id();
        node.sh(&format!(
            "ip link add centre address {here} type veth peer name eth0 address {there} netns {id}
            ip addr add 10.2.0.1/24 dev centre; ip -6 addr add fd02::1/64 dev centre nodad; ip link set centre up"
        ));
        space.sh(&format!(
            "for ip in {} {}; do ip addr add $ip/24 dev eth0; done
            for ip in {} {}; do ip -6 addr add $ip/64 dev eth0 nodad; done
            ip link set eth0 up
            ip route add default via 10.2.0.1; ip -6 route add default via fd02::1
            ip neigh replace 10.2.0.1 lladdr {here} dev eth0 nud permanent
            ip -6 neigh replace fd02::1 lladdr {here} dev eth0 nud permanent",
            V4[0], V4[1], V6[0], V6[1]
        ));
        // as every node it has a way to everywhere: without one nothing is sent to a Service, whatever the rules make of it
        node.sh(&format!("ip route add default via {}; ip -6 route add default via {}", V4[0], V6[0]));
        for ip in addresses() {
            node.sh(&format!("ip neigh replace {ip} lladdr {there} dev centre nud permanent"));
        }
        let server = Self::knotd(&space, zones);
        let this = Self { server, space };
        this.wait_until_it_answers(zones[0].0);
        this
    }

    fn knotd(space: &Space, zones: &[ZoneFile<'_>]) -> Program {
        let path = space.folder().path().display().to_string();
        let listen: Vec<String> = addresses().iter().map(|ip| format!("{ip}@53")).collect();
        let mut text = format!(
            "server:\n    rundir: \"{path}\"\n    listen: [{}]\n    nsid: \"{NSID}\"\n    udp-workers: 4\n    tcp-workers: \
             2\n    background-workers: 1\n    tcp-idle-timeout: 60\nlog:\n  - target: stderr\n    any: warning\ndatabase:\n    \
             storage: \"{path}\"\ntemplate:\n  - id: default\n    storage: \"{path}\"\n    zonefile-sync: -1\nzone:\n",
            listen.join(", ")
        );
        for (number, (name, zone)) in zones.iter().enumerate() {
            space.folder().write(&format!("zone{number}"), zone);
            text.push_str(&format!("  - domain: {name}\n    file: \"{path}/zone{number}\"\n"));
        }
        let configuration = space.folder().write("knot.conf", &text);
        let arguments = ["-c".to_owned(), configuration.display().to_string()];
        space.start(&mode::find("knotd").expect("knotd is installed"), &arguments, &[], "knotd.log")
    }

    #[track_caller]
    fn wait_until_it_answers(&self, zone: &str) {
        let deadline = Instant::now() + PATIENCE;
        for ip in addresses() {
            let answers = || {
                let own = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                let client = Udp::from(own, SocketAddr::new(ip, 53));
                client.send(&ask(zone, "SOA").wire());
                let octets = client.receive(Duration::from_millis(200));
                octets.is_some_and(|octets| Reply::read(&octets).is_ok_and(|reply| reply.rcode == 0))
            };
            while !self.space.inside(answers) {
                assert!(Instant::now() < deadline, "{ip} does not answer: {}", self.server.last_words());
            }
        }
    }

    /// Their namespaces.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The process.
    pub fn server(&self) -> &Program {
        &self.server
    }
}

/// The central servers' addresses of both families.
pub fn addresses() -> Vec<IpAddr> {
    V4.map(IpAddr::from).into_iter().chain(V6.map(IpAddr::from)).collect()
}

/// Rules as a node's proxy for Services has them in nftables: a Service's address becomes one of its endpoints', for what
/// comes in and for what the node itself sends.
pub(super) fn proxy_rules() -> String {
    let mut rules = String::from("table ip kube-proxy {\n");
    let to = format!("dnat to numgen random mod 2 map {{ 0 : {}, 1 : {} }}", V4[0], V4[1]);
    for (chain, hook) in [("nat-prerouting", "prerouting"), ("nat-output", "output")] {
        rules.push_str(&format!("  chain {chain} {{ type nat hook {hook} priority -100; policy accept;\n"));
        for service in [SERVICE, UPSTREAM_SERVICE] {
            rules.push_str(&format!("    ip daddr {service} meta l4proto {{ udp, tcp }} th dport 53 {to}\n"));
        }
        rules.push_str("  }\n");
    }
    rules.push_str("}\n");
    rules
}
