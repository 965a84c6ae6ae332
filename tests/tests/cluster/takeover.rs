//! A pod goes, and another one of another namespace takes its address, while the API server is dead: the kernel alone shows
//! it. The second is never answered by the list of the first, and by its own once the API server is back.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nearpath_tests::api::Patch;
use nearpath_tests::mode::note;
use nearpath_tests::objects::{Pod, PodStatus};
use nearpath_tests::sandbox::Bridge;
use nearpath_tests::{Api, ControlPlane, Daemon, Reply, Sandbox, Udp, controlplane, place};
use serde_json::json;

use super::{marks, soon};

const FIRST: &str = "takeover-one";
const SECOND: &str = "takeover-two";
const NODE: &str = "takeover-node";
/// A neighbour that was heard of is not replaced by another within a second.
const SETTLED: Duration = Duration::from_millis(1_200);
/// Between two rounds of questions, in the first moments and later twenty times as long.
const SHORT: Duration = Duration::from_micros(200);
const AT_ONCE: Duration = Duration::from_millis(500);
/// How long the first stays on beside the second, where it does.
const LINGERING: Duration = Duration::from_millis(300);
/// RFC 863: nobody listens there.
const DISCARD: u16 = 9;
/// How long the second asks before the API server is back, at least.
const MEANWHILE: Duration = Duration::from_secs(3);

/// How the first goes and the second comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Host routes: the link is deleted, then the second one's is routed.
    LinkDeleted,
    /// Host routes: the sandbox dies with its link.
    SandboxDied,
    /// Host routes: the route is moved while the first one's link is still there, and that goes later.
    RouteMoved,
    /// A bridge: the sandbox dies with its port.
    PortGone,
    /// A bridge: the first stays, without its address; the second has another link-layer address.
    AddressMoved,
}

/// Which word of the kubelet comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    FirstIsGone,
    SecondHasIt,
}

struct Case {
    way: Way,
    order: Order,
    number: usize,
    address: IpAddr,
    first: Option<Sandbox>,
    second: Sandbox,
    asker: Option<Asker>,
}

#[test]
fn who_takes_an_address_is_never_answered_by_the_list_of_whoever_had_it() {
    if !controlplane::is_possible() {
        return;
    }
    let mut plane = ControlPlane::start();
    let api = plane.api();
    [FIRST, SECOND].iter().for_each(|namespace| api.namespace(namespace));
    let (centre, bridge) = (marks::centre(), Bridge::new());
    let at = SocketAddr::new(place::pod_address(), place::port());
    let daemon = marks::daemon_at(at, &plane.kubeconfig(&plane.admin_token()), NODE, &centre);
    let mut cases: Vec<_> = [
        (Way::LinkDeleted, Order::FirstIsGone),
        (Way::LinkDeleted, Order::SecondHasIt),
        (Way::SandboxDied, Order::SecondHasIt),
        (Way::RouteMoved, Order::FirstIsGone),
        (Way::PortGone, Order::FirstIsGone),
        (Way::PortGone, Order::SecondHasIt),
        (Way::AddressMoved, Order::SecondHasIt),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (way, order))| Case::new(number, way, order, &api, &bridge))
    .collect();
    for case in &cases {
        let client = case.first.as_ref().expect("it is there").inside(|| Udp::from(case.address, at));
        soon("the first is expanded by its list", || marks::is_expanded(&client, FIRST));
        assert!(!marks::is_expanded(&client, SECOND));
    }
    std::thread::sleep(SETTLED);

    plane.kill_api_server();
    let dead = Instant::now();
    let mut seen_after = Vec::new();
    for case in &mut cases {
        let moved = case.moves(&bridge);
        let doubted = || marks::figure(&daemon, "nearpath_kubernetes_doubted_addresses", &[]);
        soon("the daemon has read the kernel's word", || doubted() > case.number as f64 + 0.5);
        seen_after.push(moved.elapsed());
        case.asks(at, &bridge);
    }
    seen_after.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    note(&format!(
        "from the beginning of a change until the kernel's word on it is in force: median {:.1} ms, worst {:.1} ms",
        ms(seen_after[seen_after.len() / 2]),
        ms(seen_after[seen_after.len() - 1])
    ));
    cases.iter().for_each(|case| case.is_told_why(at));
    assert!(marks::figure(&daemon, "nearpath_autopath_plain_total", &[("reason", "doubt")]) > 0.5);
    std::thread::sleep(LINGERING);
    cases.iter_mut().filter(|case| case.way == Way::RouteMoved).for_each(Case::first_dies);
    std::thread::sleep(MEANWHILE.saturating_sub(dead.elapsed()));
    plane.start_api_server();
    the_kubelet_speaks(&api, &daemon, &cases);
    // all end before any sandbox goes, which is a takeover of its own
    let seen: Vec<_> = cases.iter_mut().map(|case| case.asker.take().expect("it asks").ends()).collect();
    cases.iter().zip(seen).for_each(|(case, seen)| case.judges(seen));
}

impl Case {
    #[track_caller]
    fn new(number: usize, way: Way, order: Order, api: &Api, bridge: &Bridge) -> Self {
        let (address, first) = if way.has_bridge() {
            let address = bridge.address(10 + number as u8);
            (address, Sandbox::on_bridge(bridge, address, ""))
        } else {
            let address = place::sandbox_address();
            (address, Sandbox::new(address, ""))
        };
        // all of the second that can be there before is there
        let second = Sandbox::unlinked("");
        second.has(address);
        api.create_pod(&Pod::new(FIRST, &format!("first-{number}")).on(NODE));
        api.create_pod(&Pod::new(SECOND, &format!("second-{number}")).on(NODE));
        let this = Self { way, order, number, address, first: Some(first), second, asker: None };
        this.has_it(api, FIRST, "first");
        this
    }

    /// The kubelet says that this pod has the address.
    #[track_caller]
    fn has_it(&self, api: &Api, namespace: &str, which: &str) {
        let status = PodStatus::running(&[&self.address.to_string()]).container(&format!("containerd://{which}"));
        api.set_pod_status(namespace, &format!("{which}-{}", self.number), &status);
    }

    #[track_caller]
    fn is_gone(&self, api: &Api) {
        api.delete_pod(FIRST, &format!("first-{}", self.number));
    }

    /// What is behind the address is no longer the first. Gives when the kernel was told. Whether its word is read before the
    /// first question of the second is a matter of how busy the machine is, so that is waited for.
    #[track_caller]
    fn moves(&mut self, bridge: &Bridge) -> Instant {
        let begun = Instant::now();
        match self.way {
            Way::LinkDeleted => {
                self.second.node(&format!("link del {}", self.first.as_ref().expect("it is there").link()));
            }
            Way::SandboxDied | Way::PortGone => self.first_dies(),
            Way::RouteMoved => self.second.is_routed(self.address),
            Way::AddressMoved => {
                self.first.as_ref().expect("it is there").ip(&format!("addr del {}/32 dev eth0", self.address));
                self.second.is_port_of(bridge);
                let (address, node) = (self.address, SocketAddr::new(bridge.node(), DISCARD));
                self.second.inside(|| Udp::from(address, node).send(b"so that it is a neighbour"));
            }
        }
        begun
    }

    #[track_caller]
    fn asks(&mut self, server: SocketAddr, bridge: &Bridge) {
        match self.way {
            Way::LinkDeleted | Way::SandboxDied => self.second.is_routed(self.address),
            Way::PortGone => self.second.is_port_of(bridge),
            Way::RouteMoved | Way::AddressMoved => {}
        }
        let client = self.second.inside(|| Udp::from(self.address, server));
        self.asker = Some(Asker::begins(client));
    }

    /// The second hears why it is answered as asked.
    #[track_caller]
    fn is_told_why(&self, server: SocketAddr) {
        const WHY: &str = "the kernel does not vouch for the client's pod any more";
        let (at, port, from) = (format!("@{}", server.ip()), server.port().to_string(), self.address.to_string());
        let name = format!("mark.{FIRST}.svc.cluster.local");
        for asked in [&[&name, "A", "+nsid"][..], &["CH", "TXT", "whoami.nearpath"]] {
            let mut dig = Command::new("dig");
            dig.args([&at, "-p", &port, "-b", &from, "+tries=1"]).args(asked);
            let told = self.second.inside(|| dig.output().expect("dig is installed"));
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.contains(WHY), "{:?}: {asked:?}: {told}", self.way);
        }
    }

    /// The sandbox dies; the kernel takes a while until its link has gone too.
    #[track_caller]
    fn first_dies(&mut self) {
        let link = format!("/sys/class/net/{}", self.first.take().expect("it is there").link());
        let link = std::path::PathBuf::from(link);
        soon("the link goes with its sandbox", || !link.exists());
    }

    #[track_caller]
    fn judges(&self, seen: Seen) {
        let Self { way, order, .. } = self;
        let Seen { asked, unanswered, by_first, by_own, odd, since } = seen;
        let own = by_own.map(|at| format!("by its own after {:.1} s", (at - since).as_secs_f64()));
        let own = own.unwrap_or_else(|| "never by its own".to_owned());
        note(&format!("{way:?}, {order:?}: asked {asked} times ({unanswered} unanswered), {own}"));
        assert!(by_first.is_empty(), "{way:?}: answered by the list of the first after {by_first:?}");
        assert!(odd.is_empty(), "{way:?}: {odd:#?}");
        assert!(by_own.is_some() && asked > 100, "{way:?}: asked {asked} times");
    }
}

impl Way {
    fn has_bridge(self) -> bool {
        matches!(self, Self::PortGone | Self::AddressMoved)
    }
}

/// The API server is back, and hears of it all by and by. The askers see whether anybody is told what is not theirs.
#[track_caller]
fn the_kubelet_speaks(api: &Api, daemon: &Daemon, cases: &[Case]) {
    let mut sentinels = Sentinels { api, daemon, number: 0 };
    sentinels.is_in_step();
    for case in cases {
        // a word about the first that says nothing of its sandbox
        let path = format!("/api/v1/namespaces/{FIRST}/pods/first-{}", case.number);
        let labels = json!({ "metadata": { "labels": { "seen": "again" } } });
        api.patch(&path, Patch::Merge, &labels).expect("it is still there");
    }
    sentinels.is_in_step();
    std::thread::sleep(Duration::from_millis(200));
    assert!(cases.iter().all(|case| !case.asker.as_ref().expect("it asks").has_found()), "nobody has them");
    for case in cases {
        match case.order {
            Order::FirstIsGone => case.is_gone(api),
            Order::SecondHasIt => case.has_it(api, SECOND, "second"),
        }
    }
    sentinels.is_in_step();
    std::thread::sleep(Duration::from_millis(200));
    for case in cases {
        match case.order {
            Order::FirstIsGone => case.has_it(api, SECOND, "second"),
            Order::SecondHasIt => case.is_gone(api),
        }
    }
    let spoken = Instant::now();
    for case in cases {
        soon("the second is expanded", || case.asker.as_ref().expect("it asks").has_found());
    }
    note(&format!("all are expanded by their own lists {:.2} s after the last word", spoken.elapsed().as_secs_f64()));
}

/// Pods by which it is seen that the words before theirs have been heard.
struct Sentinels<'t> {
    api: &'t Api,
    daemon: &'t Daemon,
    number: usize,
}

impl Sentinels<'_> {
    #[track_caller]
    fn is_in_step(&mut self) {
        self.number += 1;
        let (name, address) = (format!("sentinel-{}", self.number), place::pod_address());
        self.api.create_pod(&Pod::new(FIRST, &name).on(NODE));
        self.api.set_pod_status(FIRST, &name, &PodStatus::running(&[&address.to_string()]));
        let client = self.daemon.client_at(address);
        soon("the daemon is in step", || marks::is_expanded(&client, FIRST));
    }
}

/// A pod that asks all the time, for what only the first finds and for what only it finds itself.
struct Asker {
    stop: Arc<AtomicBool>,
    found: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What it was told.
struct Seen {
    since: Instant,
    asked: usize,
    unanswered: usize,
    by_first: Vec<Duration>,
    by_own: Option<Instant>,
    odd: Vec<String>,
}

impl Asker {
    fn begins(client: Udp) -> Self {
        let (stop, found) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (told, tell) = (Arc::clone(&stop), Arc::clone(&found));
        let thread = std::thread::spawn(move || {
            let (since, odd) = (Instant::now(), Vec::new());
            let mut seen = Seen { since, asked: 0, unanswered: 0, by_first: Vec::new(), by_own: None, odd };
            while !told.load(Ordering::SeqCst) {
                seen.asks(&client, FIRST);
                seen.asks(&client, SECOND);
                tell.store(seen.by_own.is_some(), Ordering::SeqCst);
                // hardly a pause where it counts; later the machine has other work too
                std::thread::sleep(if since.elapsed() < AT_ONCE { SHORT } else { 20 * SHORT });
            }
            seen
        });
        Self { stop, found, thread }
    }

    /// Whether it was answered by its own list.
    fn has_found(&self) -> bool {
        self.found.load(Ordering::SeqCst)
    }

    #[track_caller]
    fn ends(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the asker does not panic")
    }
}

impl Seen {
    fn asks(&mut self, client: &Udp, namespace: &str) {
        let ask = marks::mark(namespace);
        client.send(&ask.wire());
        self.asked += 1;
        let reply = std::iter::from_fn(|| client.receive(Duration::from_millis(200)))
            .filter_map(|octets| Reply::read(&octets).ok())
            .find(|reply| reply.id == ask.id);
        let Some(reply) = reply else {
            self.unanswered += 1; // its neighbour is not known yet
            return;
        };
        match marks::is_found(&reply) {
            Some(true) if namespace == FIRST => self.by_first.push(self.since.elapsed()),
            Some(true) => drop(self.by_own.get_or_insert_with(Instant::now)),
            Some(false) if namespace == SECOND && self.by_own.is_some() => {
                self.odd.push(format!("lost again after {:?}", self.since.elapsed()))
            }
            Some(false) => {}
            None => self.odd.push(reply.to_string()),
        }
    }
}
