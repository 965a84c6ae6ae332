//! A pod's sandbox as a CNI plugin makes it: a network of its own, a link to the node with a host route to the pod's address,
//! and a resolv.conf of its own, so that the C library inside asks as it does in a pod.

use std::net::IpAddr;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

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
        this.node(&format!("link set {} up", this.link));
        this.node(&format!("route replace {address} dev {}", this.link));
        this.ip(&format!("addr add {address} dev eth0"));
        this.ip("link set eth0 up");
        this.ip("route add default dev eth0"); // the node answers for every address that it has
        this
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
        let mut command = mode::command("nsenter");
        command.args(["--target", &self.program.id().to_string(), "--net", "--mount", "--"]);
        command.args(words).output().expect("nsenter can be started")
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

/// `ip` in the network of the tests.
#[track_caller]
pub fn on_node(words: &str) {
    let output = mode::command("ip").args(words.split(' ')).output().expect("ip can be started");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}
