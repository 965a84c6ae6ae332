//! Real servers beside the daemon: knotd with a signed zone, and unbound as a resolver in front of it.

use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::certificate::{self, Certificate};
use crate::message::{Reply, ask};
use crate::mode;
use crate::place::{self, Folder};
use crate::zone::{ORIGIN, Zone};

/// How long a server may take to start and to sign its zone.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name in unbound's certificate.
pub const TLS_NAME: &str = "resolver.example";

/// A server at work; ends with its owner.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    address: SocketAddr,
    tls: Option<(SocketAddr, Certificate)>,
    folder: Folder,
}

impl Peer {
    /// knotd with the zone, which it signs.
    #[track_caller]
    pub fn knotd(zone: &Zone) -> Self {
        let address = place::socket();
        let folder = Folder::new();
        folder.write("zone", &zone.text);
        let path = folder.path().display();
        let text = format!(
            "server:\n    rundir: \"{path}\"\n    listen: {}@{}\n    udp-workers: 1\n    tcp-workers: 1\n    \
             background-workers: 1\n    tcp-idle-timeout: 60\nlog:\n  - target: stderr\n    any: warning\ndatabase:\n    \
             storage: \"{path}\"\npolicy:\n  - id: tests\n    single-type-signing: on\n    algorithm: ecdsap256sha256\n\
             template:\n  - id: default\n    storage: \"{path}\"\n    dnssec-signing: on\n    dnssec-policy: tests\n    \
             zonefile-sync: -1\nzone:\n  - domain: {ORIGIN}\n    file: \"{path}/zone\"\n",
            address.ip(),
            address.port()
        );
        let configuration = folder.write("knot.conf", &text);
        let child = start(mode::command("knotd").arg("-c").arg(configuration), &folder);
        let peer = Self { child, address, tls: None, folder };
        peer.wait_for(|reply| reply.rcode == 0 && reply.answers().iter().any(|line| line.contains(" RRSIG ")));
        peer
    }

    /// unbound, which asks `knotd` and validates what it says.
    #[track_caller]
    pub fn unbound(knotd: &Self) -> Self {
        let folder = Folder::new();
        let address = place::socket();
        let tls = SocketAddr::new(address.ip(), place::port(address.ip()).max(address.port() + 1));
        let certificate = certificate::make(&folder, TLS_NAME, address.ip());
        folder.write("anchor", &knotd.trust_anchor());
        let (ip, path) = (address.ip(), folder.path().display());
        let text = format!(
            "server:\n  interface: {ip}@{}\n  interface: {ip}@{}\n  tls-port: {}\n  tls-service-key: \"{}\"\n  \
             tls-service-pem: \"{}\"\n  access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n  username: \"\"\n  \
             chroot: \"\"\n  directory: \"{path}\"\n  pidfile: \"{path}/pid\"\n  use-syslog: no\n  do-daemonize: no\n  \
             num-threads: 1\n  so-reuseport: no\n  outgoing-interface: 127.0.0.1\n  do-ip6: no\n  msg-cache-size: 64m\n  \
             rrset-cache-size: 128m\n  rrset-roundrobin: no\n  incoming-num-tcp: 100\n  module-config: \"validator iterator\"\n  \
             trust-anchor-file: \"{path}/anchor\"\n  root-hints: \"\"\n  qname-minimisation: no\nremote-control:\n  \
             control-enable: no\nstub-zone:\n  name: \"{ORIGIN}\"\n  stub-addr: {}@{}\n",
            address.port(),
            tls.port(),
            tls.port(),
            certificate.key.display(),
            certificate.certificate.display(),
            knotd.address.ip(),
            knotd.address.port(),
        );
        let configuration = folder.write("unbound.conf", &text);
        let child = start(mode::command("unbound").args(["-d", "-c"]).arg(configuration), &folder);
        let peer = Self { child, address, tls: Some((tls, certificate)), folder };
        peer.wait_for(|reply| reply.rcode == 0 && reply.flags & 0x20 != 0);
        peer
    }

    /// Where it serves UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves TLS, and with what certificate.
    #[track_caller]
    pub fn tls(&self) -> &(SocketAddr, Certificate) {
        self.tls.as_ref().expect("this peer serves TLS")
    }

    /// The zone's key as a trust anchor.
    #[track_caller]
    fn trust_anchor(&self) -> String {
        let output = mode::command("kdig")
            .arg(format!("@{}", self.address.ip()))
            .args(["-p", &self.address.port().to_string(), "+noall", "+answer", ORIGIN, "DNSKEY"])
            .output()
            .expect("kdig runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("DNSKEY"), "knotd gives its key: {text}");
        text
    }

    /// Waits until the SOA, asked for with DO, comes back as it should.
    #[track_caller]
    fn wait_for(&self, good: impl Fn(&Reply) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let client = crate::Udp::from(IpAddr::from([127, 0, 0, 1]), self.address);
        let mut last = String::from("nothing");
        while Instant::now() < deadline {
            client.send(&ask(ORIGIN, "SOA").dnssec().wire());
            if let Some(octets) = client.receive(Duration::from_millis(200)) {
                let reply = Reply::read(&octets).expect("a real server writes whole messages");
                if good(&reply) {
                    return;
                }
                last = reply.to_string();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.folder.file("log")).unwrap_or_default();
        panic!("{} does not serve the zone; it says {last}; its log:\n{log}", self.address);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn start(command: &mut Command, folder: &Folder) -> Child {
    let log = std::fs::File::create(folder.file("log")).expect("the folder can be written");
    let errors = log.try_clone().expect("a file can be shared");
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("an installed server starts")
}
