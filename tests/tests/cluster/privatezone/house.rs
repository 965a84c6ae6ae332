//! A node with its daemon, the centre, a knotd with a private zone, and pods.
//!
//! ```text
//!   pod --> daemon --+-- cluster.local, and all else --> CoreDNS (logs each question)
//!                    +-- corp.example --> Relay (counts) --> knotd <--RFC 2136-- ExternalDNS
//! ```

use std::net::SocketAddr;

use nearpath_tests::coredns::CoreDns;
use nearpath_tests::message::Reply;
use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::{Api, ControlPlane, Daemon, Knot, Relay, Sandbox, Udp, ask, http, metrics, place};

use crate::cluster::{flags, soon};

/// The centre: the cluster, and a world outside in which there is nothing. It writes down each question.
const CENTRE: &str = "\
cluster.local:PORT in-addr.arpa:PORT {
    bind IP
    log . \"asked {name} {type}\"
    kubernetes cluster.local in-addr.arpa {
        kubeconfig KUBECONFIG
        pods insecure
        ttl 30
    }
}
.:PORT {
    bind IP
    log . \"asked {name} {type}\"
    template ANY ANY {
        rcode NXDOMAIN
        authority \". 60 IN SOA ns.invalid. root.invalid. 1 60 60 60 60\"
    }
}
";

const NODE: &str = "\
cluster.local:53 {
    bind IP
    autopath @kubernetes
    cache
    forward . CENTRE
    prometheus IP:9153
}
PRIVATE
.:53 {
    bind IP
    cache
    forward . CENTRE
    prometheus IP:9153
}
";

/// The host's own searches: pods have them after the cluster's.
const HOST: &str = "nameserver 192.0.2.1\nsearch corp.example\n";

/// All of it.
pub(super) struct House {
    pub(super) api: Api,
    /// The namespace of its pods and of what is published.
    pub(super) namespace: String,
    pub(super) knot: Knot,
    pub(super) relay: Relay,
    pub(super) centre: CoreDns,
    pub(super) daemon: Daemon,
    node: String,
}

impl House {
    /// A house whose namespace and node have this name in theirs. `private` is the server blocks of the private zones, in which
    /// `IP` is the daemon's address, `KNOT` the relay, `DIRECT` knotd and `NAMESPACE` the namespace; `zones` is what knotd
    /// serves.
    #[track_caller]
    pub(super) fn new(plane: &ControlPlane, name: &str, zones: &[(&str, &str)], private: &str) -> Self {
        let (api, namespace, node) = (plane.api(), format!("pz-{name}"), format!("pz-{name}-node"));
        api.namespace(&namespace);
        let knot = Knot::serving(zones);
        let relay = Relay::before(knot.address());
        let centre = CoreDns::start(plane, CENTRE);
        let words = [
            ("CENTRE", centre.address().to_string()),
            ("KNOT", relay.address().to_string()),
            ("DIRECT", knot.address().to_string()),
            ("NAMESPACE", namespace.clone()),
        ];
        let flags = flags(plane, &node);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let at = SocketAddr::new(place::pod_address(), 53);
        let corefile = NODE.replace("PRIVATE", private);
        let daemon = Daemon::at(at, &corefile, &words, &[("resolv.conf", HOST)], &flags);
        Self { api, namespace, knot, relay, centre, daemon, node }
    }

    /// A pod of the node and the namespace with a network of its own, which the daemon knows.
    #[track_caller]
    pub(super) fn pod(&self, name: &str) -> Inhabitant {
        let (address, known) = (place::sandbox_address(), self.metric("nearpath_kubernetes_addresses", &[]));
        let namespace = &self.namespace;
        self.api.create_pod(&Pod::new(namespace, name).on(&self.node));
        let resolv_conf = format!(
            "nameserver {}\nsearch {namespace}.svc.cluster.local svc.cluster.local cluster.local corp.example\noptions ndots:5\n",
            self.daemon.address().ip()
        );
        let sandbox = Sandbox::new(address, &resolv_conf);
        self.api.set_pod_status(namespace, name, &PodStatus::running(&[&address.to_string()]));
        soon("the pod is known", || self.metric("nearpath_kubernetes_addresses", &[]) > known);
        let stub = sandbox.inside(|| Udp::from(address, self.daemon.address()));
        Inhabitant { stub, sandbox, namespace: namespace.clone() }
    }

    /// Questions that the centre was asked, `NAME TYPE`, in order.
    pub(super) fn centre_was_asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.centre.folder().file("log")).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once("asked ")).map(|(_, asked)| asked.to_ascii_lowercase()).collect()
    }

    pub(super) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        metrics::sum(&self.page(), name, labels)
    }

    /// The daemon's page of metrics.
    pub(super) fn page(&self) -> String {
        http::fetch(&format!("{}:9153", self.daemon.address().ip()), "/metrics").1
    }
}

/// A pod at work.
pub(super) struct Inhabitant {
    stub: Udp,
    sandbox: Sandbox,
    namespace: String,
}

impl Inhabitant {
    /// What its C library finds: addresses, sorted, each once; nothing if there is none.
    pub(super) fn finds(&self, name: &str) -> Vec<String> {
        let output = self.sandbox.run(&["getent", "ahosts", name]);
        let text = String::from_utf8(output.stdout).expect("text");
        let mut found: Vec<_> =
            text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The reply to the first step of its search for this name, which has no final dot: AutoPath does the others.
    #[track_caller]
    pub(super) fn walks(&self, name: &str, rtype: &str) -> Reply {
        self.stub.asks(&ask(&format!("{name}.{}.svc.cluster.local.", self.namespace), rtype).edns(1232))
    }

    /// The reply to the name as it stands.
    #[track_caller]
    pub(super) fn asks(&self, name: &str, rtype: &str) -> Reply {
        self.stub.asks(&ask(name, rtype).edns(1232))
    }
}

/// The addresses in an answer, sorted.
pub(super) fn addresses(reply: &Reply) -> Vec<String> {
    let address = |line: &&str| line.split_once(" A ").map(|(_, address)| address.to_owned());
    let mut found: Vec<_> = reply.answers().iter().filter_map(address).collect();
    found.sort();
    found
}
