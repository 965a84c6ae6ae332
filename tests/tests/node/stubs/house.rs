//! A node with two daemons, one with AutoPath and one without, the centre, and two pods behind links of their own.
//!
//! ```text
//!   Sandbox "usual"        (three searches)          --+        +-- 169.254.20.10, fd00::53  Daemon with AutoPath --+
//!   Sandbox "host search"  (three, and the host's)   --+-- node-+-- 169.254.20.11            Daemon without       --+-- TCP --> Centre
//!                                                               +-- 172.31.0.53              (the centre itself, asked directly)
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nearpath_tests::sandbox::on_node;
use nearpath_tests::{Daemon, Sandbox, http, metrics, place};
use nix::sched::{CloneFlags, unshare};

use super::centre::{self, Centre};

/// Where the daemon with AutoPath serves.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));
const LOCAL_SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x53));
/// Where the one without serves.
const PLAIN: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 11));
const PLAIN_SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x54));

const COREFILE: &str = "\
cluster.local:53 {
    bind IP SIX
    errors
    AUTOPATH
    cache
    forward . CENTRE {
        force_tcp
    }
    prometheus IP:9153
}
.:53 {
    bind IP SIX
    errors
    cache
    forward . CENTRE {
        force_tcp
    }
    prometheus IP:9153
}
";

const SEARCHES: &str = "shop.svc.cluster.local svc.cluster.local cluster.local";
/// What the node's own resolv.conf adds to a pod's.
const HOST_SEARCH: &str = "corp.example";

/// A pod, and what its resolv.conf says beside the search list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pod {
    /// Three searches.
    Usual,
    /// Three, and one of the host.
    HostSearch,
    /// Three, and `use-vc`: over TCP alone.
    Tcp,
    /// Three, and the servers' IPv6 addresses.
    Six,
    /// Three, and `timeout:1`: who does not give up before that time is over does not take long.
    Hasty,
}

/// Whom a pod asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// The centre itself: what is true.
    Centre,
    /// A daemon without AutoPath.
    Plain,
    /// The daemon with it.
    AutoPath,
}

/// Everything; goes with its owner, and the network with the thread.
pub(super) struct House {
    usual: Sandbox,
    host_search: Sandbox,
    plain: Daemon,
    daemon: Daemon,
    _centre: Centre,
}

/// Runs a test in a network of its own; `Err` if this machine gives none.
pub(super) fn in_own_network(test: impl FnOnce() + Send) -> nix::Result<()> {
    let work = || {
        unshare(CloneFlags::CLONE_NEWNET)?;
        test();
        Ok(())
    };
    // a thread is in a network by itself, and what it starts is there as well
    let ended = std::thread::scope(|scope| scope.spawn(work).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl House {
    #[track_caller]
    pub(super) fn new() -> Self {
        on_node("link set lo up");
        for address in [LOCAL, PLAIN, centre::ADDRESS] {
            on_node(&format!("addr add {address}/32 dev lo"));
        }
        for address in [LOCAL_SIX, PLAIN_SIX] {
            on_node(&format!("-6 addr add {address}/128 dev lo nodad"));
        }
        let centre = Centre::start();
        let (usual, usual_line) = pod("usual", SEARCHES);
        let (host_search, host_search_line) = pod("host-search", &format!("{SEARCHES} {HOST_SEARCH}"));
        let pods = format!("{usual_line}{host_search_line}");
        let at = |address, six: IpAddr, autopath: &str| {
            let centre = SocketAddr::new(centre::ADDRESS, 53).to_string();
            let words = [("CENTRE", centre), ("SIX", six.to_string()), ("AUTOPATH", autopath.to_owned())];
            Daemon::at(SocketAddr::new(address, 53), COREFILE, &words, &[("pods", &pods)], &[])
        };
        let daemon = at(LOCAL, LOCAL_SIX, "autopath {\n        pods pods\n    }");
        let plain = at(PLAIN, PLAIN_SIX, "");
        Self { usual, host_search, plain, daemon, _centre: centre }
    }

    /// A pod's sandbox, its resolv.conf written for a server.
    pub(super) fn pod(&self, pod: Pod, server: Server) -> &Sandbox {
        let sandbox = if pod == Pod::HostSearch { &self.host_search } else { &self.usual };
        let nameserver = match (server, pod) {
            (Server::Centre, _) => centre::ADDRESS,
            (Server::Plain, Pod::Six) => PLAIN_SIX,
            (Server::Plain, _) => PLAIN,
            (Server::AutoPath, Pod::Six) => LOCAL_SIX,
            (Server::AutoPath, _) => LOCAL,
        };
        let host = if pod == Pod::HostSearch { HOST_SEARCH } else { "" };
        let option = match pod {
            Pod::Tcp => " use-vc",
            Pod::Hasty => " timeout:1",
            Pod::Usual | Pod::HostSearch | Pod::Six => "",
        };
        let text = format!("search {SEARCHES} {host}\nnameserver {nameserver}\noptions ndots:5{option}\n");
        sandbox.writes_resolv_conf(&text);
        sandbox
    }

    /// Questions that a daemon was asked so far, over UDP and over TCP; the centre's are not counted.
    pub(super) fn questions(&self, server: Server) -> [f64; 2] {
        let daemon = match server {
            Server::Centre => return [0.0; 2],
            Server::Plain => &self.plain,
            Server::AutoPath => &self.daemon,
        };
        let (_, page) = http::fetch(&SocketAddr::new(daemon.address().ip(), 9153).to_string(), "/metrics");
        ["udp", "tcp"].map(|proto| metrics::sum(&page, "coredns_dns_requests_total", &[("proto", proto)]))
    }

    /// Fails if one of the daemons has ended or panicked.
    #[track_caller]
    pub(super) fn is_well(&mut self) {
        self.plain.is_well();
        self.daemon.is_well();
    }
}

/// A sandbox with an address of each family, and its line in the table of pods.
fn pod(name: &str, searches: &str) -> (Sandbox, String) {
    let IpAddr::V4(four) = place::sandbox_address() else { panic!("pods of these tests have IPv4") };
    let [_, _, high, low] = four.octets();
    let six = Ipv6Addr::new(0xfd00, 0x77, 0, 0, 0, 0, high.into(), low.into());
    let sandbox = Sandbox::new(four.into(), "");
    sandbox.ip(&format!("-6 addr add {six}/128 dev eth0 nodad"));
    // for IPv6 only the owner of an address on the link answers for it: the way goes over the node's end
    sandbox.node(&format!("-6 addr add fe80::1/64 dev {} nodad", sandbox.link()));
    sandbox.node(&format!("-6 route replace {six}/128 dev {}", sandbox.link()));
    sandbox.ip("-6 route add default via fe80::1 dev eth0");
    (sandbox, format!("shop/{name} {four},{six} search {searches}\n"))
}
