//! A real CoreDNS with its `kubernetes` plugin: the central server of a cluster, before a real API server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::Udp;
use crate::controlplane::{self, ControlPlane};
use crate::daemon::fill;
use crate::message::{Reply, ask};
use crate::place::{self, Folder};
use crate::program::Program;

/// How long it may take to know the cluster, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a cluster's CoreDNS has in its Corefile, as far as clients can tell.
pub const USUAL: &str = "\
.:PORT {
    bind IP
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
}
";

/// A CoreDNS at work; ends with its owner.
#[derive(Debug)]
pub struct CoreDns {
    program: Program,
    address: SocketAddr,
    folder: Folder,
}

impl CoreDns {
    /// Starts it at an address of its own, which an EndpointSlice may hold, and waits until it answers for the cluster.
    ///
    /// In the Corefile `IP`, `PORT`, `FOLDER` and `KUBECONFIG` (the admin's) stand for what is its own; it must serve
    /// `cluster.local` by `kubernetes`.
    #[track_caller]
    pub fn start(plane: &ControlPlane, corefile: &str) -> Self {
        Self::start_at(SocketAddr::new(place::pod_address(), place::port()), plane, corefile)
    }

    /// The same at an address of choice.
    #[track_caller]
    pub fn start_at(address: SocketAddr, plane: &ControlPlane, corefile: &str) -> Self {
        let folder = Folder::new();
        let words = [
            ("IP".to_owned(), address.ip().to_string()),
            ("PORT".to_owned(), address.port().to_string()),
            ("FOLDER".to_owned(), folder.path().display().to_string()),
            ("KUBECONFIG".to_owned(), plane.kubeconfig(&plane.admin_token()).display().to_string()),
        ];
        let path = folder.write("Corefile", &fill(corefile, &words));
        let flags = ["-conf".to_owned(), path.display().to_string()];
        let program = Program::start(&controlplane::program("coredns"), &flags, &[], &folder.file("log"));
        let mut server = Self { program, address, folder };
        server.wait_until_it_knows();
        server
    }

    /// Waits for an answer that only the API server can have told it: every cluster has this service.
    #[track_caller]
    fn wait_until_it_knows(&mut self) {
        let (client, deadline) = (Udp::from(self.address.ip(), self.address), Instant::now() + PATIENCE);
        let mut last = String::from("nothing");
        loop {
            client.send(&ask("kubernetes.default.svc.cluster.local.", "A").wire());
            if let Some(octets) = client.receive(Duration::from_millis(200)) {
                let reply = Reply::read(&octets).expect("a real server writes whole messages");
                if reply.rcode == 0 && !reply.answers().is_empty() {
                    return;
                }
                last = reply.to_string();
            }
            if let Some(status) = self.program.ended() {
                panic!("CoreDNS ended with {status}:\n{}", self.program.last_words());
            }
            assert!(Instant::now() < deadline, "CoreDNS says {last}; its log:\n{}", self.program.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where it serves UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder with its Corefile and its log.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Resident memory, KiB.
    pub fn resident(&self) -> u64 {
        self.program.resident()
    }

    /// Sends a signal: SIGSTOP makes it hang.
    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Kills it (-9).
    pub fn kill(mut self) {
        self.program.kill();
    }

    /// Ends it as a roll-out does (SIGTERM).
    #[track_caller]
    pub fn terminate(mut self) {
        self.program.terminate(PATIENCE);
    }
}
