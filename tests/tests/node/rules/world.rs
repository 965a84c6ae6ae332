//! A node, a pod and the central servers, each a network of its own, with servers that say who they are.
//!
//! ```text
//!   pod 10.1.0.5, fd00:1::5 --veth-- node 169.254.20.10, 10.96.0.10, fd00::53 --veth-- centre 10.2.0.2, .3, fd02::2
//! ```
//!
//! The rules look at addresses, ports and sockets alone, so a question here is any octets, and the answer a name.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nearpath::node::rules::{Failsafe, Wanted};
use nearpath_tests::mode;
use nix::sched::{CloneFlags, setns, unshare};

pub(super) const TIER: &str = "node";
pub(super) const X: &str = "169.254.20.10";
pub(super) const V: &str = "10.96.0.10";
pub(super) const X6: &str = "fd00::53";
/// Far longer than an answer takes, also with both cores busy.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Questions in a row that show that links are ready, and how many are asked for that.
const SETTLED: usize = 20;
const SETTLING_MAX: usize = 200;

/// Runs a test on a node of its own: a thread in a network of its own, which goes with it.
pub(super) fn on_a_node(programs: &[&str], test: impl FnOnce() + Send + 'static) {
    if !mode::have(TIER, &["ip", "nft"]) || !mode::have(TIER, programs) {
        return;
    }
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network of its own: {error}"))?;
        run("ip link set lo up");
        for family in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{family}"), "1").map_err(|error| format!("{family}: {error}"))?;
        }
        test();
        Ok::<_, String>(())
    };
    match thread::spawn(run).join() {
        Ok(Ok(())) => (),
        Ok(Err(why)) => mode::skip(TIER, &why),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs a command in the network of the calling thread, and gives its output.
#[track_caller]
pub(super) fn run(words: &str) -> String {
    let all: Vec<_> = words.split(' ').collect();
    let output = mode::command(all[0]).args(&all[1..]).output().expect("it can be started");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Loads foreign rules of nftables.
#[track_caller]
pub(super) fn load(rules: &str) {
    let mut child = mode::command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft can be started");
    child.stdin.take().expect("it is piped").write_all(rules.as_bytes()).expect("nft reads");
    assert!(child.wait().expect("it ends").success(), "{rules}");
}

/// A network beside the node's; it goes with its owner and with the sockets in it.
#[derive(Debug)]
pub(super) struct Place(File);

impl Place {
    pub(super) fn new() -> Self {
        let made = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("the node's network could be made");
            run("ip link set lo up");
            File::open("/proc/thread-self/ns/net").expect("a thread has a network")
        };
        Self(thread::spawn(made).join().expect("a network can be made"))
    }

    /// Does something in this network: sockets that it opens stay there.
    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let thread = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("the network is ours");
            work()
        };
        thread::scope(|scope| match scope.spawn(thread).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// `ip` in this network, line by line.
    pub(super) fn ip(&self, lines: &[&str]) {
        self.inside(|| lines.iter().for_each(|line| drop(run(&format!("ip {line}")))));
    }

    /// A link to the node: `NAME` there, `eth0` here, both up.
    pub(super) fn link(&self, name: &str) {
        let here = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        run(&format!("ip link add {name} type veth peer name eth0 netns {here}"));
        run(&format!("ip link set {name} up"));
        self.ip(&["link set eth0 up"]);
    }
}

/// Who asks, and who serves.
pub(super) struct World {
    pub(super) pod: Place,
    /// The central servers, open as long as this.
    _central: Vec<Server>,
}

/// The node with its addresses, a pod and the centre.
pub(super) fn world() -> World {
    for address in ["169.254.20.10/32", "10.96.0.10/32"] {
        run(&format!("ip addr add {address} dev lo"));
    }
    run("ip addr add fd00::53/128 dev lo nodad");
    let pod = Place::new();
    pod.link("pod0");
    run("ip route add 10.1.0.5/32 dev pod0");
    run("ip addr add 169.254.1.1/32 dev pod0");
    run("ip addr add fe80::1/64 dev pod0 nodad");
    run("ip route add fd00:1::5/128 dev pod0");
    pod.ip(&[
        "addr add 10.1.0.5/32 dev eth0",
        "route add 169.254.1.1 dev eth0",
        "route add default via 169.254.1.1",
        "addr add fd00:1::5/128 dev eth0 nodad",
        "route add default via fe80::1 dev eth0",
    ]);
    let centre = Place::new();
    centre.link("centre0");
    run("ip addr add 10.2.0.1/24 dev centre0");
    run("ip addr add fd02::1/64 dev centre0 nodad");
    centre.ip(&[
        "addr add 10.2.0.2/24 dev eth0",
        "addr add 10.2.0.3/24 dev eth0",
        "addr add fd02::2/64 dev eth0 nodad",
        "route add default via 10.2.0.1",
        "route add default via fd02::1",
    ]);
    let addresses = ["10.2.0.2:53", "10.2.0.3:5353", "[fd02::2]:53"];
    let central = centre.inside(|| addresses.map(|address| Server::open("centre", address)).into());
    settle(&pod);
    World { pod, _central: central }
}

/// Waits until fresh links carry everything: in their first moments the kernel drops some of what they get.
fn settle(pod: &Place) {
    let direct = || ["10.2.0.2", "fd02::2"].map(Asker::of);
    let askers: Vec<_> = pod.inside(direct).into_iter().chain(direct()).collect();
    for asker in &askers {
        asker.0.set_read_timeout(Some(Duration::from_millis(100))).expect("not nothing");
    }
    let mut in_a_row = 0;
    for _ in 0..SETTLING_MAX {
        let all = askers.iter().all(|asker| asker.ask() == "centre");
        in_a_row = if all { in_a_row + 1 } else { 0 };
        if in_a_row == SETTLED {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the links do not carry what they get");
}

/// What a node of these addresses wants.
pub(super) fn wanted() -> Wanted {
    Wanted {
        own: [X, V, X6].map(address).into(),
        of_services: vec![address(V)],
        port: 53,
        health_port: 8080,
        failsafe: Some(Failsafe {
            lasts: Duration::from_secs(3_600),
            central: ["10.2.0.2:53", "10.2.0.3:5353", "[fd02::2]:53"]
                .map(|text| text.parse().expect("a server"))
                .into(),
        }),
        host: None,
    }
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Serves UDP and TCP: every question is answered by its name. Closed when it goes.
#[derive(Debug)]
pub(super) struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// In the network of the calling thread.
    #[track_caller]
    pub(super) fn open(name: &'static str, address: &str) -> Self {
        let udp = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        udp.set_read_timeout(Some(Duration::from_millis(10))).expect("not nothing");
        let tcp = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        tcp.set_nonblocking(true).expect("a listener can be");
        let stop = Arc::new(AtomicBool::new(false));
        let (first, second) = (Arc::clone(&stop), Arc::clone(&stop));
        let datagrams = move || {
            let mut question = [0; 512];
            while !first.load(Ordering::Relaxed) {
                if let Ok((_, from)) = udp.recv_from(&mut question) {
                    udp.send_to(name.as_bytes(), from).ok(); // whoever asked may have gone
                }
            }
        };
        let connections = move || {
            while !second.load(Ordering::Relaxed) {
                match tcp.accept() {
                    Ok((stream, _)) => answer(stream, name),
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        };
        Self { stop, threads: vec![thread::spawn(datagrams), thread::spawn(connections)] }
    }
}

fn answer(mut stream: TcpStream, name: &str) {
    let mut question = [0; 16];
    stream.set_nonblocking(false).expect("a stream can block");
    stream.set_read_timeout(Some(PATIENCE)).expect("not nothing");
    if stream.read(&mut question).is_ok_and(|length| length > 0) {
        stream.write_all(name.as_bytes()).ok(); // whoever asked may have gone
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// A socket that asks one address, always from the same port.
pub(super) struct Asker(UdpSocket);

impl Asker {
    /// In the network of the calling thread.
    #[track_caller]
    pub(super) fn of(ip: &str) -> Self {
        let any = if address(ip).is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("a port is free");
        socket.connect(SocketAddr::new(address(ip), 53)).expect("there is a route");
        socket.set_read_timeout(Some(PATIENCE)).expect("not nothing");
        Self(socket)
    }

    /// Who answers, asked once.
    pub(super) fn ask(&self) -> String {
        let mut answer = [0; 64];
        // an ICMP error of an earlier question is told here, and is none of this one
        if self.0.send(b"who").is_err() && self.0.send(b"who").is_err() {
            return "nobody".to_owned();
        }
        match self.0.recv(&mut answer) {
            Ok(length) => String::from_utf8_lossy(&answer[..length]).into_owned(),
            Err(_) => "nobody".to_owned(),
        }
    }
}

/// Who answers by TCP, asked once from the network of the calling thread.
pub(super) fn ask_by_tcp(ip: &str) -> String {
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address(ip), 53), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"who")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    asked().ok().filter(|answer| !answer.is_empty()).unwrap_or_else(|| "nobody".to_owned())
}

/// An address with the port that pods ask.
pub(super) fn with_port(ip: &str) -> String {
    SocketAddr::new(address(ip), 53).to_string()
}
