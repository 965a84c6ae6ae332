//! What the tests of loss have in common: a node with four pods, a load from them and from the host, and a daemon.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nearpath_tests::load::{Load, Place, question};
use nearpath_tests::mode;
use nearpath_tests::node::{Instance, LOCAL_V4, LOCAL_V6, Node, Rights, Setup, Start, Way, centre};

/// Questions per second from all pods together, and from the host's own processes.
pub(super) const PODS_RATE: u32 = 5_000;
const HOST_RATE: u32 = 250;

/// What is served: as node-cache's Corefile has it for names outside of the cluster.
pub(super) const COREFILE: &str = "\
.:53 {
    errors
    cache 30
    loop
    bind 169.254.20.10 fd00::53
    forward . 10.96.0.10 {
        force_tcp
    }
}
";

/// Who makes interface and rules in the tests of the daemon.
const SETUP: Setup = Setup::Daemon;

/// A node and how it is set up.
pub(super) struct Scene {
    pub(super) node: Node,
    setup: Setup,
    /// Who is asked.
    pub(super) targets: Vec<SocketAddr>,
}

impl Scene {
    /// A node with two routed and two bridged pods.
    #[track_caller]
    pub(super) fn new() -> Self {
        Self::set_up_by(SETUP)
    }

    /// The same, with interface and rules made by the one or the other.
    #[track_caller]
    pub(super) fn set_up_by(setup: Setup) -> Self {
        let zone = question::zone();
        let node = Node::new(&[(question::ORIGIN, &zone)], &[Way::Routed, Way::Routed, Way::Bridged, Way::Bridged]);
        if setup == Setup::ByHand {
            node.is_set_up_by_hand(&own(), &[]);
        }
        node.writes("Corefile", COREFILE);
        let targets = own().into_iter().map(|ip| SocketAddr::new(ip, 53)).collect();
        Self { node, setup, targets }
    }

    /// How an instance is started. It says its `name` to NSID.
    pub(super) fn start(&self, name: &str) -> Start {
        let corefile = self.node.space().file("Corefile").display().to_string();
        let start = Start::with(&["-conf", &corefile, "-node-name", name]);
        match self.setup {
            Setup::ByHand | Setup::ByNobody => start,
            Setup::Daemon => start
                .and(&["-localip", &format!("{LOCAL_V4},{LOCAL_V6}"), "-upstreamsvc", "kube-dns"])
                .and(&["-failsafe-to", &central()])
                .env("KUBE_DNS_SERVICE_HOST", "10.96.0.10")
                .rights(Rights::Container),
        }
    }

    /// Starts an instance and waits until it serves.
    #[track_caller]
    pub(super) fn serves(&self, name: &str) -> Instance {
        let mut instance = self.node.starts(&self.start(name));
        self.has_all_of(&mut instance);
        instance
    }

    /// Waits until an instance serves, and the node is as it should be for it.
    #[track_caller]
    pub(super) fn has_all_of(&self, instance: &mut Instance) {
        instance.serves();
        if self.setup == Setup::Daemon {
            instance.says("failsafe: without a daemon");
        }
    }

    /// Removes what instances left on the node, by the daemon's own means.
    #[track_caller]
    pub(super) fn cleans_up(&self) {
        let mut instance = self.node.starts(&Start::with(&["cleanup"]));
        let status = instance.ends(Duration::from_secs(30));
        assert!(status.success(), "cleanup ends with {status}:\n{}", instance.log());
    }

    /// Questions from all pods, over both families, and from the host.
    #[track_caller]
    pub(super) fn load(&self) -> Load {
        let pods = self.node.pods();
        let rate = PODS_RATE / pods.len() as u32;
        let mut places: Vec<Place> = (1..)
            .zip(pods)
            .map(|(number, pod)| Place {
                name: format!("pod {number}"),
                entrance: pod.space().entrance(),
                targets: self.targets.clone(),
                rate,
            })
            .collect();
        // what is made by hand has a way for the host's processes over IPv4 alone
        let families = if self.setup == Setup::Daemon { self.targets.len() } else { 1 };
        places.push(Place {
            name: "host".to_owned(),
            entrance: self.node.space().entrance(),
            targets: self.targets[..families].to_vec(),
            rate: HOST_RATE,
        });
        Load::start(&places)
    }
}

/// The addresses that pods ask.
pub(super) fn own() -> [IpAddr; 2] {
    [LOCAL_V4.into(), LOCAL_V6.into()]
}

/// The central servers, as a flag names them: nothing tells of those of IPv6 where the Corefile forwards by IPv4.
fn central() -> String {
    centre::addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// How often something is done: once in the ordinary run.
pub(super) fn rounds() -> usize {
    mode::of(2, 10)
}
