//! The centre: a real knotd with a cluster's zone and the world outside, so that what stubs find with AutoPath is held against a
//! server that none of ours has touched.
//!
//! The cluster's zone denies and confirms as CoreDNS's `kubernetes` plugin does: NXDOMAIN for what is missing and all below it,
//! NOERROR without data for `svc` and for namespaces that exist, SOA with a minimum of 5 s. A third zone has no file: it fails.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use nearpath_tests::message::Reply;
use nearpath_tests::place::Folder;
use nearpath_tests::program::Program;
use nearpath_tests::{Udp, ask};
use nix::unistd::{getpid, gettid};

/// Where it serves UDP and TCP: an address of the node.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 31, 0, 53));

/// Addresses of the name whose reply is beyond 1,232 octets, and of the one beyond 4,096.
pub(super) const MANY: usize = 90;
pub(super) const CROWD: usize = 270;

/// How long it may take to serve.
const PATIENCE: Duration = Duration::from_secs(20);

const CLUSTER: &str = "\
$ORIGIN cluster.local.
$TTL 30
@ 5 SOA ns.dns hostmaster 1 7200 1800 86400 5
@ NS ns.dns
ns.dns A 172.31.0.53
web.shop.svc A 10.96.0.10
web.shop.svc AAAA fd00:96::10
_http._tcp.web.shop.svc SRV 0 100 80 web.shop.svc
alias.shop.svc CNAME web.prod.svc
web.prod.svc A 10.96.0.20
web.prod.svc AAAA fd00:96::20
db.prod.svc A 10.96.0.21
six.prod.svc AAAA fd00:96::22
10-1-0-1.shop.pod A 10.1.0.1
";

const OUTSIDE: &str = "\
$ORIGIN .
$TTL 300
@ SOA ns.example.net. admin.example.net. 1 7200 900 1209600 60
@ NS ns.example.net.
ns.example.net A 192.0.2.53
$ORIGIN example.com.
www A 192.0.2.1
www AAAA 2001:db8::1
cdn CNAME www
_sip._tcp SRV 10 60 5060 www
$ORIGIN corp.example.
intranet A 192.0.2.8
intranet AAAA 2001:db8::8
";

/// The server; ends with its owner.
pub(super) struct Centre {
    program: Program,
    _folder: Folder,
}

impl Centre {
    /// Starts it in the network of the calling thread, which has [`ADDRESS`], and waits until it serves.
    #[track_caller]
    pub(super) fn start() -> Self {
        let folder = Folder::new();
        folder.write("cluster.zone", CLUSTER);
        folder.write("outside.zone", &outside());
        let configuration = folder.write("knot.conf", &configuration(folder.path()));
        // programs are started by a thread that may be in another network than this one
        let network = format!("--net=/proc/{}/task/{}/ns/net", getpid(), gettid());
        let words = [network, "--".into(), "knotd".into(), "-c".into(), configuration.display().to_string()];
        let program = Program::start(Path::new("nsenter"), &words, &[], &folder.file("log"));
        let this = Self { program, _folder: folder };
        this.wait();
        this
    }

    #[track_caller]
    fn wait(&self) {
        let client = Udp::from(ADDRESS, SocketAddr::new(ADDRESS, 53));
        let deadline = Instant::now() + PATIENCE;
        loop {
            client.send(&ask("cluster.local.", "SOA").wire());
            let octets = client.receive(Duration::from_millis(200));
            if octets.is_some_and(|octets| Reply::read(&octets).is_ok_and(|reply| reply.rcode == 0)) {
                return;
            }
            assert!(Instant::now() < deadline, "knotd does not serve: {}", self.program.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The world outside, with the two names whose addresses are many.
fn outside() -> String {
    let mut text = OUTSIDE.to_owned();
    for (name, count) in [("many", MANY), ("crowd", CROWD)] {
        for index in 0..count {
            writeln!(text, "{name}.example.com. A 198.51.{}.{}", index / 250, index % 250 + 1)
                .expect("a String takes all");
        }
    }
    text
}

fn configuration(folder: &Path) -> String {
    let path = folder.display();
    format!(
        "server:\n    rundir: \"{path}\"\n    listen: {ADDRESS}@53\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\nlog:\n  - target: stderr\n    any: warning\ndatabase:\n    storage: \"{path}\"\n\
         template:\n  - id: default\n    storage: \"{path}\"\n    zonefile-sync: -1\n    journal-content: none\n\
         zone:\n  - domain: cluster.local\n    file: \"{path}/cluster.zone\"\n  - domain: .\n    file: \
         \"{path}/outside.zone\"\n  - domain: broken.example\n    file: \"{path}/missing.zone\"\n"
    )
}
