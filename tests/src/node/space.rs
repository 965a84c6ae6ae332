//! A network and a mount namespace of a test's own. They go with the process that holds them, and it goes with its owner.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::mode;
use crate::place::Folder;
use crate::program::Program;

/// How long making one may take, and any command inside.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far before others programs on nodes come where cores are short: what is tested is not what else the machine does.
const FIRST: &str = "-15";

/// What every one begins with. Duplicate addresses are not looked for: it takes two seconds, and loses what is sent meanwhile.
const BEGIN: &str = "\
    mount -t tmpfs tmpfs /run
    for of in all default; do echo 0 >/proc/sys/net/ipv6/conf/$of/accept_dad; done
    ip link set lo up
";

/// Two namespaces, and a folder for what is done in them.
#[derive(Debug)]
pub struct Space {
    holder: Program,
    entrance: Entrance,
    folder: Folder,
}

/// The way into a network for threads; valid as long as the network is.
#[derive(Clone, Debug)]
pub struct Entrance(Arc<File>);

impl Entrance {
    /// The calling thread, and whatever it starts from now on, is in that network.
    pub fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("the network is there, and its owner is root");
    }
}

impl Space {
    /// New ones with a loopback link, in which `script` has been run. `FOLDER` in it stands for the folder.
    #[track_caller]
    pub fn new(script: &str) -> Self {
        let folder = Folder::new();
        let ready = folder.file("ready");
        let script = script.replace("FOLDER", &folder.path().display().to_string());
        let text = format!("{BEGIN}\n{script}\ntouch {}\nexec sleep 86400", ready.display());
        let arguments = ["--net", "--mount", "sh", "-ec", &text].map(str::to_owned);
        let mut holder = Program::start(Path::new("unshare"), &arguments, &[], &folder.file("holder.log"));
        let deadline = Instant::now() + PATIENCE;
        while !ready.exists() {
            let ended = holder.ended().is_some();
            assert!(!ended && Instant::now() < deadline, "no namespace: {}", holder.last_words());
            std::thread::sleep(Duration::from_millis(2));
        }
        let network = File::open(format!("/proc/{}/ns/net", holder.id())).expect("the holder is there");
        Self { holder, entrance: Entrance(Arc::new(network)), folder }
    }

    /// The process that holds it, for whoever moves a link into it.
    pub fn id(&self) -> u32 {
        self.holder.id()
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The way in for threads.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Does something in its network: sockets that it opens are of that network.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let thread = || {
            self.entrance.enter();
            work()
        };
        // a thread is in a network by itself, and ends there
        match std::thread::scope(|scope| scope.spawn(thread).join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// The words that start a program inside, in the process that runs them.
    fn way_in(&self) -> Vec<String> {
        let id = self.holder.id().to_string();
        ["--target", &id, "--net", "--mount", "--"].map(str::to_owned).to_vec()
    }

    /// A command for a program inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = mode::command("nsenter");
        command.args(self.way_in()).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a program inside to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words[0]).args(&words[1..]).output().expect("nsenter can be started")
    }

    /// Runs a shell's script inside, which must succeed, and gives what it said.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let output = self.run(&["timeout", "20", "sh", "-ec", script]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\nfails with {}: {error}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Puts nftables' rules in place, all or none.
    #[track_caller]
    pub fn nft(&self, rules: &str) {
        let mut child = self.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().expect("nft can be started");
        child.stdin.take().expect("piped").write_all(rules.as_bytes()).expect("nft reads");
        let mut error = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut error).ok();
        let status = child.wait().expect("the child is ours");
        assert!(status.success(), "nft does not take\n{rules}\n{error}");
    }

    /// Starts a program inside; what it says goes into a file `log` of the folder.
    #[track_caller]
    pub fn start(&self, program: &Path, arguments: &[String], environment: &[(&str, &str)], log: &str) -> Program {
        let mut all = self.way_in();
        all.extend(["nice", "-n", FIRST].map(str::to_owned));
        all.push(program.display().to_string());
        all.extend_from_slice(arguments);
        Program::start(Path::new("nsenter"), &all, environment, &self.folder.file(log))
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }
}

/// The calling thread, and those that it starts from now on, come before others as programs on nodes do.
pub(super) fn goes_first() {
    let own = std::fs::read_link("/proc/thread-self").expect("a thread sees itself");
    let thread = own.file_name().expect("it ends with the thread's number");
    let output = mode::command("renice").args(["-n", FIRST, "-p"]).arg(thread).output().expect("renice can be started");
    assert!(output.status.success(), "renice: {}", String::from_utf8_lossy(&output.stderr));
}
