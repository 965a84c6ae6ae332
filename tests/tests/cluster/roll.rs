//! The centre dies and is rolled while every question is a miss: a daemon that follows the endpoints, and beside it in the
//! same minutes one that asks the cluster IP, behind which a kube-proxy's rules choose.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use nearpath_tests::coredns::CoreDns;
use nearpath_tests::mode::{self, note};
use nearpath_tests::objects::{ClusterIp, Endpoint, Port};
use nearpath_tests::sandbox::on_node;
use nearpath_tests::{Api, ControlPlane, Daemon, controlplane, place};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::flags;

const CENTRE: &str = ".:PORT {
    bind IP
    health IP:8080 {
        lameduck 1s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig KUBECONFIG
        pods insecure
    }
}
";

const NODE: &str = ".:PORT {
    bind IP
    forward . UPSTREAM
}
";

/// Questions a second, each for a name of its own.
const RATE: u32 = 2_000;
/// How long dnsperf asks at most, seconds: it is told to end once all is done.
const LOAD: u32 = 120;
/// Names, each asked for once in this time and never memorised.
const NAMES: u32 = RATE * 60;
/// Until the control plane has noticed that a pod is dead.
const NOTICED_AFTER: Duration = Duration::from_millis(1_500);

/// The pods of the centre, and what the control plane says of them.
struct Centre<'p> {
    plane: &'p ControlPlane,
    api: Api,
    name: &'static str,
    pods: Vec<CoreDns>,
    address: String,
}

impl<'p> Centre<'p> {
    fn new(plane: &'p ControlPlane, name: &'static str) -> Self {
        let api = plane.api();
        let service = api.service("kube-system", name, &ports(), ClusterIp::Any);
        let address = service["spec"]["clusterIP"].as_str().expect("one was picked").to_owned();
        on_node(&format!("route replace {address} dev lo src 127.0.0.1")); // a way that the rules can turn
        let pods = (0..3).map(|_| CoreDns::start(plane, CENTRE)).collect();
        let this = Self { plane, api, name, pods, address };
        this.says(&[]);
        this
    }

    /// The slice, and kube-proxy's rules; `leaving` are terminating.
    fn says(&self, leaving: &[&CoreDns]) {
        let endpoint = |pod: &CoreDns| Endpoint::ready(&pod.address().ip().to_string());
        let leaving = leaving.iter().map(|pod| endpoint(pod).terminating(true));
        let all: Vec<Endpoint> = self.pods.iter().map(endpoint).chain(leaving).collect();
        self.api.endpoint_slice("kube-system", self.name, "1", &all, &ports());
        self.proxies();
    }

    /// What kube-proxy in its nftables mode makes of it.
    fn proxies(&self) {
        let choices: Vec<String> =
            self.pods.iter().enumerate().map(|(number, pod)| format!("{number} : {}", pod.address().ip())).collect();
        let rules = format!(
            "table ip {name}\ndelete table ip {name}\ntable ip {name} {{ chain out {{ type nat hook output priority -100;\n\
             ip daddr {} tcp dport {} dnat to numgen random mod {} map {{ {} }}\n}}\n}}\n",
            self.address,
            place::port(),
            choices.len(),
            choices.join(", "),
            name = self.name.replace('-', "_"),
        );
        let mut nft = mode::command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft starts");
        nft.stdin.take().expect("it is piped").write_all(rules.as_bytes()).expect("nft reads");
        assert!(nft.wait().expect("it ends").success(), "{rules}");
    }

    /// One dies without a word; later the control plane notices, and another one takes its place.
    fn loses_one(&mut self) {
        self.pods.remove(0).kill();
        std::thread::sleep(NOTICED_AFTER);
        self.says(&[]);
        self.pods.push(CoreDns::start(self.plane, CENTRE));
        self.says(&[]);
    }

    /// Each is replaced, as a Deployment does it: the new one is ready before the old one is told to end.
    fn rolls(&mut self) {
        for _ in 0..self.pods.len() {
            self.pods.push(CoreDns::start(self.plane, CENTRE));
            let old = self.pods.remove(0);
            self.says(&[&old]);
            old.terminate();
            self.says(&[]);
        }
    }
}

impl Drop for Centre<'_> {
    fn drop(&mut self) {
        let table = self.name.replace('-', "_");
        mode::command("nft").args(["delete", "table", "ip", &table]).status().ok();
    }
}

fn ports() -> [Port; 2] {
    [Port::udp("dns", place::port()), Port::tcp("dns-tcp", place::port())]
}

/// What clients saw.
struct Seen {
    sent: u64,
    lost: u64,
    failures: u64,
    longest: f64,
}

/// Asks for names that nobody has asked for, at a steady rate.
fn load(daemon: &Daemon) -> Child {
    let names: String = (0..NAMES).map(|number| format!("n{number}.roll.svc.cluster.local. A\n")).collect();
    let names = daemon.folder().write("names", &names).display().to_string();
    let at = daemon.address();
    mode::command("dnsperf")
        .args(["-s", &at.ip().to_string(), "-p", &at.port().to_string(), "-d", &names, "-t", "5", "-c", "20"])
        .args(["-Q", &RATE.to_string(), "-l", &LOAD.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dnsperf starts")
}

fn seen(load: Child) -> Seen {
    let text = String::from_utf8(load.wait_with_output().expect("dnsperf ends").stdout).expect("text");
    let line =
        |label: &str| text.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{label}: {text}"));
    let count = |label: &str| -> u64 {
        let words = line(label).split(':').nth(1).and_then(|rest| rest.split_whitespace().next());
        words.and_then(|word| word.parse().ok()).expect("a count")
    };
    let codes = line("Response codes");
    let failures = ["SERVFAIL", "REFUSED", "FORMERR"].iter().filter_map(|code| {
        let after = codes.split(code).nth(1)?;
        after.split_whitespace().next()?.parse::<u64>().ok()
    });
    let longest = line("Average Latency").split("max ").nth(1).and_then(|rest| rest.split(')').next());
    Seen {
        sent: count("Queries sent"),
        lost: count("Queries lost"),
        failures: failures.sum(),
        longest: longest.and_then(|figure| figure.parse().ok()).expect("seconds"),
    }
}

fn measured(plane: &ControlPlane, name: &'static str, follows: bool) -> Seen {
    let mut centre = Centre::new(plane, name);
    let upstream = match follows {
        true => format!("@kube-system/{name}"),
        false => format!("{}:{}", centre.address, place::port()),
    };
    let flags = flags(plane, "roll-node");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let node = if follows { NODE.to_owned() } else { NODE.replace("UPSTREAM", "UPSTREAM {\n force_tcp\n }") };
    let daemon = Daemon::with(&node, &[("UPSTREAM", upstream)], &[("resolv.conf", "")], &flags);
    if follows {
        assert!(daemon.has_logged(0, "ready endpoints", Duration::from_secs(30)), "the endpoints are known");
    }
    let load = load(&daemon);
    std::thread::sleep(Duration::from_secs(2));
    centre.loses_one();
    centre.rolls();
    std::thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(load.id().cast_signed()), Signal::SIGINT).expect("the load lasts until all is done");
    seen(load)
}

#[test]
fn a_dead_and_a_rolled_centre_cost_no_client_an_answer() {
    let Some(plane) = controlplane::shared() else { return };
    if !mode::have("cluster: roll", &["dnsperf", "nft"]) {
        return;
    }
    let endpoints = measured(plane, "roll-endpoints", true);
    let cluster_ip = measured(plane, "roll-address", false);
    for (what, seen) in [("by endpoints", &endpoints), ("by cluster IP", &cluster_ip)] {
        note(&format!(
            "one of three CoreDNS killed, then all rolled, {RATE} misses a second, {what}: {} asked, {} lost, {} failed, \
             longest wait {:.0} ms",
            seen.sent,
            seen.lost,
            seen.failures,
            seen.longest * 1e3
        ));
    }
    assert!(endpoints.sent > 5_000, "{} queries are no load", endpoints.sent);
    assert_eq!((endpoints.lost, endpoints.failures), (0, 0), "lost, failed");
}
