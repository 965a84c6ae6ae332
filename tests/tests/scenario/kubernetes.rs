//! The index of pods and the endpoints of a Service before a scripted API server: what its faults do to queries (nothing),
//! how soon the truth is known after them, what they cost it, and what operators are told.

mod faults;
mod pods;
mod rights;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use nearpath_tests::apiserver::{ApiServer, What};
use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::{Daemon, Udp, Upstream, ask, http, metrics};
use serde_json::json;

use super::TABLE;

/// AutoPath and the centre by the watch, the outside world by its address.
const COREFILE: &str = "cluster.local:PORT {\n bind IP\n errors\n autopath @kubernetes\n cache\n \
                        forward . @kube-system/kube-dns STANDIN\n prometheus IP:9153\n}\n\
                        .:PORT {\n bind IP\n errors\n cache\n forward . OUTSIDE\n}\n";
const NODE: &str = "node-1";
/// What is true is known after this; the figure to reach is 10 s, and the machine may be busy.
const IN_STEP_WITHIN: Duration = Duration::from_secs(20);

/// Addresses of pods, by what becomes of them.
const WEB: u8 = 1;
const OTHER: u8 = 2;
const ENDING: u8 = 3;
const LEFT: u8 = 4;
const COMING: u8 = 5;
/// No pod's.
const STRANGER: u8 = 200;

/// A node of a cluster with some pods, and a daemon on it.
struct Node {
    server: ApiServer,
    /// The endpoints of the Service before the fault, and after it.
    centres: [Upstream; 2],
    /// The Service's own address, for as long as its endpoints are not known.
    _standin: Upstream,
    _outside: Upstream,
    daemon: Daemon,
    /// For names that nobody has asked for yet.
    asked: u32,
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([127, 3, 1, last])
}

fn running(last: u8) -> PodStatus {
    PodStatus::running(&[&address(last).to_string()])
}

fn pod(namespace: &str, name: &str) -> Pod {
    Pod::new(namespace, name).on(NODE)
}

/// The name that a pod of a namespace asks for first.
fn first(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}.svc.cluster.local")
}

/// A server with the pods, the Service and the endpoints that there are at first.
fn cluster(centre: &Upstream, standin: &Upstream) -> ApiServer {
    let server = ApiServer::new();
    server.pod(&pod("shop", "web"), &running(WEB));
    server.pod(&pod("default", "other"), &running(OTHER));
    server.pod(&pod("shop", "ending"), &running(ENDING));
    server.pod(&pod("shop", "left"), &running(LEFT));
    server.pod(&Pod::new("shop", "elsewhere").on("node-2"), &running(COMING));
    server.endpoints("kube-system", "kube-dns", &[socket(centre)]);
    let ports = json!([{ "name": "dns-tcp", "port": socket(standin).port(), "protocol": "TCP" }]);
    server.put(json!({
        "kind": "Service",
        "metadata": { "namespace": "kube-system", "name": "kube-dns" },
        "spec": { "clusterIP": socket(standin).ip(), "ports": ports },
    }));
    server
}

fn socket(upstream: &Upstream) -> SocketAddr {
    upstream.address().parse().expect("an address and a port")
}

impl Node {
    /// A daemon that is in step.
    #[track_caller]
    fn new(prepare: impl FnOnce(&mut ApiServer)) -> Self {
        let mut node = Self::starting(prepare);
        // a stream without its end is given up after 15 s
        let deadline = Instant::now() + 2 * IN_STEP_WITHIN;
        node.is_in_step_by(deadline, &BEFORE, 0);
        // asked for beside the watches, and may come last
        while !node.server.seen().iter().any(|seen| seen.what == What::Get) {
            assert!(Instant::now() < deadline, "nobody asks for the Service's own address");
            sleep(Duration::from_millis(20));
        }
        node
    }

    /// A daemon that serves.
    #[track_caller]
    fn starting(prepare: impl FnOnce(&mut ApiServer)) -> Self {
        let [one, two, standin, outside] = [(); 4].map(|()| Upstream::with(TABLE));
        let mut server = cluster(&one, &standin);
        prepare(&mut server);
        let flags = server.flags(NODE);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let words = [("OUTSIDE", outside.address()), ("STANDIN", standin.address())];
        let daemon = Daemon::with(COREFILE, &words, &[("resolv.conf", "nameserver 192.0.2.1\n")], &flags);
        Self { server, centres: [one, two], _standin: standin, _outside: outside, daemon, asked: 0 }
    }

    fn pod(&self, last: u8) -> Udp {
        self.daemon.client_at(address(last))
    }

    /// Whether a pod at this address is answered by the list of this namespace.
    #[track_caller]
    fn is_expanded(&self, last: u8, namespace: &str) -> bool {
        let reply = self.pod(last).asks(&ask(&first("www.example.com", namespace), "A"));
        match reply.rcode {
            0 => reply.answers() == chain("www.example.com", namespace, "192.0.2.1"),
            3 => false,
            _ => panic!("neither expanded nor resolved as asked:\n{reply}"),
        }
    }

    /// Whether the index and the endpoints are those.
    fn knows(&mut self, truth: &[(u8, &str)], centre: usize) -> bool {
        let namespaces = ["shop", "default"];
        let pods = truth.iter().all(|(last, namespace)| {
            namespaces.iter().all(|other| self.is_expanded(*last, other) == (namespace == other))
        });
        self.asked += 1;
        let name = format!("unheard-{}.of.svc.cluster.local", self.asked);
        self.daemon.asked(&ask(&name, "A")).is("NXDOMAIN");
        pods && self.centres[centre].asked_for(&format!("{name}.")) > 0
    }

    #[track_caller]
    fn is_in_step_by(&mut self, deadline: Instant, truth: &[(u8, &str)], centre: usize) {
        while !self.knows(truth, centre) {
            assert!(Instant::now() < deadline, "the truth is not known within {IN_STEP_WITHIN:?}: {truth:?}");
            sleep(Duration::from_millis(50));
        }
    }

    /// What happens in the cluster meanwhile. [`AFTER`] is true then.
    fn changes(&self) {
        self.server.pod(&pod("shop", "ending"), &running(ENDING).phase("Succeeded"));
        self.server.deletes("Pod", "shop", "left");
        self.server.pod(&pod("default", "heir"), &running(LEFT));
        self.server.pod(&pod("shop", "coming"), &running(COMING));
        self.server.endpoints("kube-system", "kube-dns", &[socket(&self.centres[1])]);
    }

    fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (status, page) = http::fetch(&format!("{}:9153", self.daemon.address().ip()), "/metrics");
        assert_eq!(status, 200);
        metrics::sum(&page, name, labels)
    }

    /// Lines of the log from one on that have all these words.
    fn lines(&self, from: usize, words: &[&str]) -> Vec<String> {
        let lines = self.daemon.log_since(from).into_iter();
        lines.filter(|line| words.iter().all(|word| line.contains(word))).collect()
    }

    /// Two pods and somebody else, who ask all the time for what is known and what is not.
    fn load(&self) -> Load {
        let (web, other, stranger) = (self.pod(WEB), self.pod(OTHER), self.pod(STRANGER));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut asked = 0;
            while !stopped.load(Ordering::SeqCst) {
                let miss = format!("x{asked}.wild.example.com");
                for (client, namespace) in [(&web, "shop"), (&other, "default")] {
                    for (name, address) in [("www.example.com", "192.0.2.1"), (&miss, "192.0.2.77")] {
                        let reply = client.asks(&ask(&first(name, namespace), "A"));
                        reply.is("NOERROR").answers_in_order(&chain(name, namespace, address));
                    }
                }
                stranger.asks(&ask("www.example.com", "A")).is("NOERROR");
                stranger.asks(&ask(&first("www.example.com", "shop"), "A")).is("NXDOMAIN");
                asked += 1;
                sleep(Duration::from_millis(20));
            }
            asked * 6
        });
        Load { stop, thread: Some(thread) }
    }
}

/// Who has which list before [`Node::changes`], and after it; the empty one: nobody.
const BEFORE: [(u8, &str); 5] = [(WEB, "shop"), (OTHER, "default"), (ENDING, "shop"), (LEFT, "shop"), (COMING, "")];
const AFTER: [(u8, &str); 5] = [(WEB, "shop"), (OTHER, "default"), (ENDING, ""), (LEFT, "default"), (COMING, "shop")];

/// The answer to an expanded question.
fn chain(name: &str, namespace: &str, address: &str) -> [&'static str; 2] {
    // as long as the test lasts
    let kept = |text: String| -> &'static str { text.leak() };
    [kept(format!("{} CNAME {name}.", first(name, namespace) + ".")), kept(format!("{name}. A {address}"))]
}

/// Clients that ask until they are stopped. A question without its right answer fails the test.
struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Load {
    /// How many questions were answered.
    #[track_caller]
    fn stops(mut self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        match self.thread.take().expect("it is stopped once").join() {
            Ok(answered) => answered,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}
