//! A node of a cluster for tests: networks of its own for the node, its pods and the central servers. As root.
//!
//! ```text
//!   Pod (routed)  eth0 ---- pod1 \                                    / 10.2.0.2, fd02::2 \
//!   Pod (bridged) eth0 -- cni0 -- Node: 169.254.20.10, fd00::53 -- centre                   knotd
//!   host's processes ----------- /   rules, proxy of Services         \ 10.2.0.3, fd02::3 /
//! ```
//!
//! Nothing of the machine's own network is touched or has a name: a network goes with the process that holds it, and that
//! one with the tests. `Setup` says who makes interface and rules.

mod by_hand;
pub mod centre;
pub mod instance;
pub mod pod;
pub mod space;
pub mod state;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::centre::{Centre, ZoneFile};
pub use self::instance::{Instance, Rights, Start};
pub use self::pod::{Pod, Way};
pub use self::space::{Entrance, Space};
use crate::mode;

/// The address that pods ask.
pub const LOCAL_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 20, 10);
/// The one of IPv6.
pub const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x53);

/// What a node begins with. The folder /etc is a copy, so that what is written there is nobody else's; its resolv.conf names
/// a central server.
const BEGIN: &str = "\
    mkdir /run/etc && cp -a /etc/. /run/etc/ && mount --bind /run/etc /etc
    echo 'nameserver 10.2.0.3' >FOLDER/resolv.conf && touch /etc/resolv.conf && mount --bind FOLDER/resolv.conf /etc/resolv.conf
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
";

/// Who makes interface and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The harness, as they should be; the daemon does not know of them.
    ByHand,
    /// The daemon.
    Daemon,
    /// Nobody, or what is started in the daemon's place.
    ByNobody,
}

/// A node; it goes with its owner.
#[derive(Debug)]
pub struct Node {
    pods: Vec<Pod>,
    centre: Centre,
    space: Space,
    instances: AtomicU32,
}

impl Node {
    /// True if nodes can be made here. If not, the tier is named as skipped, and in CI the test fails.
    #[track_caller]
    pub fn is_possible() -> bool {
        let own = std::fs::metadata("/proc/self").expect("a process sees itself");
        if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
            mode::skip("node", "networks with rules of their own need root");
            return false;
        }
        mode::have("node", &["knotd", "ip", "nft", "iptables", "unshare", "nsenter", "setpriv", "renice"])
    }

    /// A node with a proxy for Services, central servers that know these zones, and pods that are reached so.
    #[track_caller]
    pub fn new(zones: &[ZoneFile<'_>], pods: &[Way]) -> Self {
        space::goes_first();
        let space = Space::new(BEGIN);
        space.sh(pod::BRIDGE);
        let centre = Centre::new(&space, zones);
        space.nft(&centre::proxy_rules());
        let conf = format!("nameserver {LOCAL_V4}\n");
        let numbered = pods.iter().zip(1..);
        let pods = numbered.map(|(way, number)| Pod::new(&space, number, *way, &conf)).collect();
        Self { pods, centre, space, instances: AtomicU32::new(1) }
    }

    /// Makes interface and rules as they should be, for addresses of which `services` are those of Services too.
    #[track_caller]
    pub fn is_set_up_by_hand(&self, own: &[IpAddr], services: &[IpAddr]) {
        by_hand::set_up(&self.space, own, services);
    }

    /// Its namespaces.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Its pods, in the order in which they were asked for.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// The central servers.
    pub fn centre(&self) -> &Centre {
        &self.centre
    }

    /// Writes a file into its folder.
    pub fn writes(&self, name: &str, text: &str) -> PathBuf {
        self.space.folder().write(name, text)
    }

    /// Starts a program on it.
    #[track_caller]
    pub fn starts(&self, start: &Start) -> Instance {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        Instance::start(&self.space, start, &format!("log{number}"))
    }

    /// All that its network shows: links, addresses, routes, rules.
    #[track_caller]
    pub fn state(&self) -> String {
        state::of(&self.space)
    }
}
