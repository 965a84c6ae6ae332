//! A pod's sandbox as a CNI plugin makes it: a network of its own, a link to the node with a host route to the pod's address
//! or behind a bridge, and a resolv.conf of its own, so that the C library inside asks as it does in a pod.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::mode;
use crate::place::Folder;
use crate::program::Program;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// How long making one may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox; it goes with its owner, and its link with it.
#[derive(Debug)]
pub struct Sandbox {
    program: Program,
    link: String,
    folder: Folder,
}

impl Sandbox {
    /// A sandbox with an address and a resolv.conf. Needs a network of the run's own (`tests/cluster/inside`).
    #[track_caller]
    pub fn new(address: IpAddr, resolv_conf: &str) -> Self {
        let this = Self::unlinked(resolv_conf);
        this.has(address);
        this.is_routed(address);
        this
    }

    /// A sandbox on a bridge, with an address of its network and a resolv.conf.
    #[track_caller]
    pub fn on_bridge(bridge: &Bridge, address: IpAddr, resolv_conf: &str) -> Self {
        let this = Self::unlinked(resolv_conf);
        this.has(address);
        this.is_port_of(bridge);
        this
    }

    /// The inside of the link gets an address. Nothing goes through before the outside is ready as well.
    #[track_caller]
    pub fn has(&self, address: IpAddr) {
        self.ip(&format!("addr add {address} dev eth0"));
        self.ip("link set eth0 up");
        self.ip("route add default dev eth0"); // the node answers for every address that it has
    }

    /// The node's end is ready, and the address is reached over it, whatever it was reached over before.
    #[track_caller]
    pub fn is_routed(&self, address: IpAddr) {
        self.node(&format!("link set {} up", self.link));
        self.node(&format!("route replace {address} dev {}", self.link));
    }

    /// The node's end is ready, and a port of a bridge.
    #[track_caller]
    pub fn is_port_of(&self, bridge: &Bridge) {
        self.node(&format!("link set {} up master {}", self.link, bridge.name));
    }

    /// Does something in the sandbox's network: sockets that it opens are the pod's.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.program.id())).expect("the sandbox is there");
        let thread = || {
            setns(&network, CloneFlags::CLONE_NEWNET).expect("the network of the run is its owner's");
            work()
        };
        // a thread is in a network by itself, and ends there
        std::thread::scope(|scope| scope.spawn(thread).join().expect("what is done inside does not panic"))
    }

    /// One whose link to the node is there, and nothing else of a network.
    #[track_caller]
    pub fn unlinked(resolv_conf: &str) -> Self {
        let folder = Folder::new();
        let file = folder.write("resolv.conf", resolv_conf);
        let ready = folder.file("ready");
        let script = format!(
            "mount --bind {} /etc/resolv.conf && ip link set lo up && touch {} && exec sleep 3600",
            file.display(),
            ready.display()
        );
        let arguments = ["--net", "--mount", "sh", "-ec", &script].map(str::to_owned);
        let program = Program::start(Path::new("unshare"), &arguments, &[], &folder.file("log"));
        let deadline = Instant::now() + PATIENCE;
        while !ready.exists() {
            assert!(Instant::now() < deadline, "no sandbox: {}", program.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
        let link = format!("pod{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let this = Self { program, link, folder };
        this.node(&format!("link add {} type veth peer name eth0 netns {}", this.link, this.program.id()));
        this
    }

    /// The node's end of its link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Writes its resolv.conf anew.
    pub fn writes_resolv_conf(&self, text: &str) {
        // into the same file: what is mounted stays mounted
        std::fs::write(self.folder.file("resolv.conf"), text).expect("the folder can be written");
    }

    /// Runs a program inside.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("nsenter can be started")
    }

    /// A program inside, not started yet.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = mode::command("nsenter");
        command.args(["--target", &self.program.id().to_string(), "--net", "--mount", "--"]);
        command.args(words);
        command
    }

    /// `ip` inside.
    #[track_caller]
    pub fn ip(&self, words: &str) {
        let mut all = vec!["ip"];
        all.extend(words.split(' '));
        let output = self.run(&all);
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// `ip` on the node.
    #[track_caller]
    pub fn node(&self, words: &str) {
        on_node(words);
    }
}

/// A bridge with an address on the node, as simple CNI plugins make it; it goes with its owner.
#[derive(Debug)]
pub struct Bridge {
    name: String,
    number: u8,
}

impl Bridge {
    /// A bridge without ports, with a network of its own.
    #[track_caller]
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) as u8;
        let this = Self { name: format!("cni{number}"), number };
        // without a link-layer address of its own it has that of one of its ports, another one as they come and go
        on_node(&format!("link add {} address 0a:58:0a:4e:{number:02x}:01 type bridge", this.name));
        on_node(&format!("addr add 10.78.{number}.1/24 dev {}", this.name));
        on_node(&format!("link set {} up", this.name));
        this
    }

    /// The node's address in its network.
    pub fn node(&self) -> IpAddr {
        Ipv4Addr::new(10, 78, self.number, 1).into()
    }

    /// An address of its network: `host` is none that the network or the node has.
    pub fn address(&self, host: u8) -> IpAddr {
        assert!((2..255).contains(&host), "{host} is taken");
        Ipv4Addr::new(10, 78, self.number, host).into()
    }
}

impl Default for Bridge {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        mode::command("ip").args(["link", "del", &self.name]).output().ok();
    }
}

/// `ip` in the network of the tests.
#[track_caller]
pub fn on_node(words: &str) {
    let output = mode::command("ip").args(words.split(' ')).output().expect("ip can be started");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}
