//! The real kernel, in network namespaces that the test makes. What each kernel event is followed by is asserted, never how
//! fast; how fast is said.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, timeout};

use super::super::event::Testimony;
use super::super::netlink::{Socket, follow};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
const FOUR: &str = "10.1.0.5";
const SIX: &str = "fd00:1::5";

/// Runs a test in a network namespace of its own, on a thread and a runtime of its own.
fn in_a_namespace(tier: &str, test: impl AsyncFnOnce() + Send + 'static) {
    let missing = ["ip", "bridge"].into_iter().find(|program| find(program).is_none());
    if let Some(program) = missing {
        return skip(tier, &format!("not installed: {program}"));
    }
    let run = move || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace can be made: {error}"))?;
        ip("link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
        Ok::<_, String>(())
    };
    match thread::spawn(run).join() {
        Ok(Ok(())) => (),
        Ok(Err(why)) => skip(tier, &why),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A tier that cannot run here is named, and fails where nothing may be skipped.
#[expect(clippy::disallowed_methods, reason = "whether anything may be skipped is the surroundings' to say")]
fn skip(tier: &str, why: &str) {
    assert!(std::env::var("CI").is_err(), "skipped in CI: {tier}: {why}");
    note(&format!("SKIPPED {tier}: {why}"));
    if let Ok(path) = std::env::var("NEARPATH_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{tier}: {why}").unwrap();
    }
}

fn note(text: &str) {
    writeln!(std::io::stdout(), "  {text}").unwrap();
}

fn find(program: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(program))
        .find(|path| path.is_file())
}

#[track_caller]
fn call(program: &str, words: &str) {
    let output = Command::new(find(program).unwrap()).args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {words}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn ip(words: &str) {
    call("ip", words);
}

/// Many commands at once, on this thread.
fn batch(lines: &str) {
    let mut child = Command::new(find("ip").unwrap())
        .args(["-force", "-batch", "-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait().unwrap();
}

/// A witness of this thread's namespace.
struct Witness {
    out: Receiver<Testimony>,
    /// What was said of the addresses of interest so far.
    heard: Vec<Testimony>,
}

impl Witness {
    /// One whose first round of dumps is complete.
    async fn start(buffer: usize) -> Self {
        let (into, out) = channel(64);
        tokio::spawn(follow(move || Socket::subscribe(buffer), into));
        let mut witness = Self { out, heard: Vec::new() };
        witness.marker(250).await;
        witness
    }

    async fn next(&mut self) -> Testimony {
        let testimony = timeout(PATIENCE, self.out.recv()).await.expect("it comes").expect("it goes on");
        if !of(&testimony).is_some_and(|address| address.to_string().starts_with("10.99.")) {
            self.heard.push(testimony.clone());
        }
        testimony
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Testimony) -> bool) -> Testimony {
        loop {
            let testimony = timeout(PATIENCE, self.next()).await;
            let testimony = testimony.unwrap_or_else(|_| panic!("waiting for {what}; heard {:?}", self.heard));
            if is(&testimony) {
                return testimony;
            }
        }
    }

    async fn changed(&mut self, address: &str) -> u64 {
        let address: IpAddr = address.parse().unwrap();
        match self
            .until("a change", |said| matches!(said, Testimony::Changed { address: of, .. } if *of == address))
            .await
        {
            Testimony::Changed { change, .. } => change,
            _ => unreachable!(),
        }
    }

    async fn traced(&mut self, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        self.until("a trace", |said| *said == Testimony::Traced(address)).await;
    }

    /// Whatever the kernel said until now has been heard: what it says of a marker comes after it.
    async fn marker(&mut self, number: u8) -> Vec<Testimony> {
        let address: IpAddr = format!("10.99.0.{number}").parse().unwrap();
        ip(&format!("route add {address}/32 dev lo"));
        self.until("the marker", |said| *said == Testimony::Traced(address)).await;
        std::mem::take(&mut self.heard)
    }
}

fn of(testimony: &Testimony) -> Option<IpAddr> {
    match testimony {
        Testimony::Traced(address) | Testimony::Untraced(address) => Some(*address),
        Testimony::Changed { address, .. } | Testimony::Restored { address, .. } => Some(*address),
        Testimony::Blind { .. } => None,
    }
}

fn changes(heard: &[Testimony], address: &str) -> usize {
    let address: IpAddr = address.parse().unwrap();
    heard.iter().filter(|said| matches!(said, Testimony::Changed { address: of, .. } if *of == address)).count()
}

fn restored(heard: &[Testimony]) -> usize {
    heard.iter().filter(|said| matches!(said, Testimony::Restored { .. })).count()
}

/// What is done in a sandbox.
type Order = Box<dyn FnOnce() + Send>;

/// A sandbox: a network namespace that lives as long as its thread, which does in it what it is told.
struct Sandbox {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
    task: nix::unistd::Pid,
}

impl Sandbox {
    /// With this link-layer address and the addresses on its `eth0`, whose other end is `host`.
    fn new(host: &str, mac: &str) -> Self {
        let (orders, taken) = mpsc::channel::<Order>();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ready.send(nix::unistd::gettid()).unwrap();
            taken.iter().for_each(|order| order());
        });
        let task = is_ready.recv().unwrap();
        let sandbox = Self { orders: Some(orders), thread: Some(thread), task };
        ip(&format!("link add {host} type veth peer name eth0 netns {task}"));
        let mac = mac.to_owned();
        sandbox.run(move || {
            ip("link set lo up");
            ip(&format!("link set eth0 address {mac}"));
            ip(&format!("address add {FOUR}/24 dev eth0"));
            ip(&format!("address add {SIX}/64 dev eth0 nodad"));
            ip("link set eth0 up");
        });
        sandbox
    }

    /// Does this inside, and waits for its end.
    fn run(&self, order: impl FnOnce() + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let order = move || {
            order();
            done.send(()).unwrap();
        };
        self.orders.as_ref().unwrap().send(Box::new(order)).unwrap();
        is_done.recv().unwrap();
    }

    /// Sends a datagram, so that the kernel resolves and the bridge learns.
    fn send(&self, to: &str) {
        let to = SocketAddr::new(to.parse().unwrap(), 53);
        self.run(move || {
            let from: IpAddr = if to.is_ipv4() { FOUR } else { SIX }.parse().unwrap();
            UdpSocket::bind((from, 0)).unwrap().send_to(b"question", to).unwrap();
        });
    }

    /// Its network namespace goes, with the link in it.
    fn end(mut self) {
        drop(self.orders.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn took(what: &str, since: Instant) {
    note(&format!("{what}: {} us", since.elapsed().as_micros()));
}

#[test]
fn a_host_route_for_each_pod() {
    in_a_namespace("witness: host routes", async || {
        let mut witness = Witness::start(1 << 20).await;
        for address in [FOUR, SIX] {
            let prefix = if address == FOUR { 32 } else { 128 };
            let add = |link: &str| ip(&format!("route add {address}/{prefix} dev {link}"));
            ip("link add vethA type veth peer name peerA");
            ip("link set vethA up");
            ip("link set peerA up");
            add("vethA");
            witness.traced(address).await;

            // The same route over the same link is the same sandbox.
            ip(&format!("route del {address}/{prefix} dev vethA"));
            let since = witness.changed(address).await;
            add("vethA");
            let of: IpAddr = address.parse().unwrap();
            witness.until("it to be restored", |said| *said == Testimony::Restored { address: of, since }).await;

            // Without carrier, and back.
            ip("link set peerA down");
            let since = witness.changed(address).await;
            ip("link set peerA up");
            witness.until("it to be restored", |said| *said == Testimony::Restored { address: of, since }).await;

            ip("link del vethA");
            let start = Instant::now();
            witness.changed(address).await;
            took(&format!("{address}: from `ip link del` to the testimony"), start);

            ip("link add vethB type veth peer name peerB");
            ip("link set vethB up");
            ip("link set peerB up");
            add("vethB");
            witness.traced(address).await;
            let heard = witness.marker(u8::from(address == FOUR)).await;
            assert_eq!(restored(&heard), 2, "{heard:?}");
            ip(&format!("route replace {address}/{prefix} dev vethB"));
            let heard = witness.marker(10 + u8::from(address == FOUR)).await;
            assert_eq!((restored(&heard), changes(&heard, address)), (0, 0), "an equal route: {heard:?}");
            ip("link del vethB");
            witness.changed(address).await;
        }
    });
}

#[test]
fn the_other_end_of_a_host_route_moves_to_another_sandbox() {
    in_a_namespace("witness: moved ends", async || {
        let mut witness = Witness::start(1 << 20).await;
        let (one, two) = (Sandbox::new("veth1", "02:00:00:00:00:01"), Sandbox::new("veth2", "02:00:00:00:00:02"));
        ip("link set veth1 up");
        ip(&format!("route add {FOUR}/32 dev veth1"));
        witness.traced(FOUR).await;
        let heard = witness.marker(1).await;
        assert_eq!(changes(&heard, FOUR), 0, "{heard:?}");
        let task = two.task;
        one.run(move || ip(&format!("link set eth0 name moved netns {task}")));
        witness.changed(FOUR).await;
        two.run(|| ip("link set moved up"));
        witness.changed(FOUR).await;
        let heard = witness.marker(2).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
        two.end();
        witness.changed(FOUR).await;
        one.end();
    });
}

/// A bridge with the node's addresses.
fn bridge() {
    ip("link add br0 type bridge");
    ip("address add 10.1.0.1/24 dev br0");
    ip("address add fd00:1::1/64 dev br0 nodad");
    ip("link set br0 up");
}

fn attach(host: &str) {
    ip(&format!("link set {host} master br0"));
    ip(&format!("link set {host} up"));
}

/// The pod speaks until the kernel and the bridge know it.
async fn speak(witness: &mut Witness, pod: &Sandbox, address: &str) {
    let to = if address == FOUR { "10.1.0.1" } else { "fd00:1::1" };
    let traced = Testimony::Traced(address.parse().unwrap());
    for _ in 0..50 {
        pod.send(to);
        let said = timeout(Duration::from_millis(200), async { while witness.next().await != traced {} }).await;
        if said.is_ok() {
            return;
        }
    }
    panic!("{address} is not traced: {:?}", witness.heard);
}

#[test]
fn a_bridge_with_the_pods_behind_its_ports() {
    in_a_namespace("witness: bridge", async || {
        let mut witness = Witness::start(1 << 20).await;
        bridge();
        ip("link add veth0 type veth peer name bystander");
        ip("link set bystander up");
        attach("veth0");
        let pod = Sandbox::new("vethA", "02:00:00:00:00:01");
        attach("vethA");
        speak(&mut witness, &pod, FOUR).await;
        speak(&mut witness, &pod, SIX).await;

        // The kernel and the bridge forget it, and see it again: that is no change.
        let heard = witness.marker(1).await;
        assert_eq!((changes(&heard, FOUR), changes(&heard, SIX)), (0, 0), "{heard:?}");
        ip("neigh flush dev br0");
        call("bridge", "fdb del 02:00:00:00:00:01 dev vethA master");
        for to in ["10.1.0.1", "fd00:1::1"] {
            pod.send(to);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard = witness.marker(2).await;
        assert!(heard.is_empty(), "{heard:?}");

        // The sandbox goes.
        let start = Instant::now();
        pod.end();
        witness.changed(FOUR).await;
        took("bridge: from the end of the sandbox to the testimony", start);
        witness.marker(3).await;

        // Another takes its addresses, with another link-layer address; then one with the same link-layer address.
        let other = Sandbox::new("vethB", "02:00:00:00:00:02");
        attach("vethB");
        let known = witness.heard.len();
        for _ in 0..50 {
            other.send("10.1.0.1");
            let said = timeout(Duration::from_millis(200), witness.changed(FOUR)).await;
            if said.is_ok() {
                break;
            }
        }
        assert!(changes(&witness.heard[known..], FOUR) > 0, "{:?}", witness.heard);
        other.end();
        witness.changed(FOUR).await;
        let again = Sandbox::new("vethC", "02:00:00:00:00:01");
        attach("vethC");
        for _ in 0..5 {
            again.send("10.1.0.1");
            again.send("fd00:1::1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heard = witness.marker(4).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
        again.end();
    });
}

#[test]
fn the_same_link_layer_address_behind_another_port() {
    in_a_namespace("witness: same link-layer address", async || {
        let mut witness = Witness::start(1 << 20).await;
        bridge();
        let pod = Sandbox::new("vethA", "02:00:00:00:00:01");
        attach("vethA");
        speak(&mut witness, &pod, FOUR).await;
        // The kernel's entries may be learned in either order; both are there after a marker.
        pod.send("10.1.0.1");
        let heard = witness.marker(1).await;
        assert_eq!(changes(&heard, FOUR), 0, "{heard:?}");
        // Some plugins make the link-layer address from the address, so whoever has the one next has the other too.
        let other = Sandbox::new("vethB", "02:00:00:00:00:01");
        attach("vethB");
        let start = Instant::now();
        other.send("10.1.0.1");
        witness.changed(FOUR).await;
        took("bridge: from a datagram behind another port to the testimony", start);
        pod.end();
        other.end();
        let heard = witness.marker(2).await;
        assert_eq!(restored(&heard), 0, "{heard:?}");
    });
}

/// More notifications than fit: afterwards the witness says what is true.
#[test]
fn after_an_overflow_what_is_true_is_said() {
    in_a_namespace("witness: overflow", async || {
        let mut witness = Witness::start(4_096).await;
        for name in ["vethA", "vethB"] {
            ip(&format!("link add {name} type veth peer name {name}p"));
            ip(&format!("link set {name} up"));
            ip(&format!("link set {name}p up"));
        }
        let pod = |number: usize| format!("10.{}.{}.{}", 2 + number / 62_500, number / 250 % 250, number % 250 + 1);
        batch(&(0..100).map(|number| format!("route add {}/32 dev vethA\n", pod(number))).collect::<String>());
        let mut traced = HashSet::new();
        while traced.len() < 100 {
            if let Testimony::Traced(address) = witness.next().await {
                traced.insert(address);
            }
        }
        witness.marker(1).await;

        // While nobody reads: a burst of others, and of these some go, some move, some go and come.
        let mut lines = String::new();
        for number in 100..2_100 {
            lines += &format!("route add {0}/32 dev vethA\nroute del {0}/32 dev vethA\n", pod(number));
        }
        for number in 0..10 {
            lines += &format!("route del {}/32 dev vethA\n", pod(number));
        }
        for number in 10..20 {
            lines += &format!("route replace {}/32 dev vethB\n", pod(number));
        }
        for number in 20..30 {
            lines += &format!("route del {0}/32 dev vethA\nroute add {0}/32 dev vethA\n", pod(number));
        }
        batch(&lines);
        // The first marker comes somewhere in what the comparison brings.
        let mut heard = witness.marker(2).await;
        heard.extend(witness.marker(3).await);
        for number in 0..100 {
            let changed = changes(&heard, &pod(number));
            match number {
                0..20 => assert_eq!(changed, 1, "{number}: {heard:?}"),
                20..30 => assert_eq!(changed, 0, "{number} was replaced by an equal one, unseen"),
                _ => assert_eq!(changed, 0, "{number}"),
            }
        }
        let seen = heard.iter().filter_map(of).filter(|address| address.to_string() == pod(1_000)).count();
        assert_eq!(seen, 0, "the burst was not read one by one, so it did overflow");
        // And it goes on.
        ip("link del vethA");
        for number in 30..100 {
            let pod = pod(number);
            if changes(&witness.heard, &pod) == 0 {
                witness.changed(&pod).await;
            }
        }
        let heard = witness.marker(4).await;
        assert_eq!(changes(&heard, &pod(15)), 0, "that one is over the other link: {heard:?}");
    });
}

/// How many changes a burst brings that does fit, and none is lost.
#[test]
fn a_burst_that_fits_is_told_one_by_one() {
    in_a_namespace("witness: burst", async || {
        let mut witness = Witness::start(8 << 20).await;
        ip("link add vethA type veth peer name vethAp");
        ip("link set vethA up");
        ip("link set vethAp up");
        let pods: Vec<_> = (0..500).map(|number| format!("10.3.{}.{}", number / 250, number % 250 + 1)).collect();
        batch(
            &pods
                .iter()
                .map(|pod| format!("route add {pod}/32 dev vethA\nroute del {pod}/32 dev vethA\n"))
                .collect::<String>(),
        );
        let heard = witness.marker(1).await;
        let changed: HashSet<_> =
            heard.iter().filter(|said| matches!(said, Testimony::Changed { .. })).filter_map(of).collect();
        assert_eq!(changed.len(), pods.len());
    });
}
