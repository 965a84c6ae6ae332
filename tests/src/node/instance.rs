//! A daemon on a node: started as its DaemonSet starts it, with a container's means if asked for.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::space::Space;
use crate::daemon;
use crate::program::Program;

/// How long it may take to serve, and to end. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the usual container runtimes leave a container that runs as root.
const CONTAINER: &str = "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,net_bind_service,\
                         sys_chroot,kill,audit_write";

/// What a process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// All that root may.
    All,
    /// What node-cache's DaemonSet gives it: a container's, and NET_ADMIN; /proc/sys is read-only.
    Container,
    /// The same without NET_ADMIN.
    WithoutNetAdmin,
}

/// How an instance is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program; the daemon's own unless said otherwise.
    pub program: PathBuf,
    /// All its arguments.
    pub arguments: Vec<String>,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// What it may do.
    pub rights: Rights,
}

impl Start {
    /// The daemon with these arguments and all rights.
    pub fn with(arguments: &[&str]) -> Self {
        Self {
            program: daemon::binary(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            rights: Rights::All,
        }
    }

    /// With more arguments.
    #[must_use]
    pub fn and(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|word| (*word).to_owned()));
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these rights.
    #[must_use]
    pub fn rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }
}

/// An instance at work; dropped, it is killed.
#[derive(Debug)]
pub struct Instance {
    program: Program,
    log: PathBuf,
}

impl Instance {
    /// Starts one on a node; what it says goes into the file `log` of the node's folder.
    #[track_caller]
    pub(super) fn start(node: &Space, start: &Start, log: &str) -> Self {
        let (program, arguments) = confined(start);
        let mut environment: Vec<(&str, &str)> = vec![("NO_COLOR", "1")];
        environment.extend(start.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let program = node.start(&program, &arguments, &environment, log);
        Self { program, log: node.file(log) }
    }

    /// Waits until it says that it serves.
    #[track_caller]
    pub fn serves(&mut self) {
        self.says("serving");
    }

    /// Waits until it has said a text.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        self.says_after(0, text);
    }

    /// Waits until it has said a text beyond the first `seen` octets of its log.
    #[track_caller]
    pub fn says_after(&mut self, seen: usize, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().get(seen..).is_some_and(|later| later.contains(text)) {
            let ended = self.program.ended();
            assert!(ended.is_none(), "it ends ({ended:?}) and has not said `{text}`:\n{}", self.log());
            assert!(Instant::now() < deadline, "`{text}` is not said within {PATIENCE:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that it said.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Kills it (-9); when this returns its memory and its sockets are gone.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Tells it to end (SIGTERM) and waits for its end.
    #[track_caller]
    pub fn terminates(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ends(PATIENCE)
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ends(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.program.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end within {within:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The words that start it with its rights. Every program on the way makes room for the next: the process stays the same.
fn confined(start: &Start) -> (PathBuf, Vec<String>) {
    let capabilities = match start.rights {
        Rights::All => return (start.program.clone(), start.arguments.clone()),
        Rights::Container => format!("{CONTAINER},net_admin"),
        Rights::WithoutNetAdmin => CONTAINER.to_owned(),
    };
    let bounding: String = capabilities.split(',').map(|name| format!(",+{name}")).collect();
    let script = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec \"$@\"";
    let words = ["--mount", "sh", "-ec", script, "sh", "setpriv", "--inh-caps=-all", "--no-new-privs"];
    let mut arguments: Vec<String> = words.map(str::to_owned).to_vec();
    arguments.push(format!("--bounding-set=-all{bounding}"));
    arguments.push(start.program.display().to_string());
    arguments.extend(start.arguments.iter().cloned());
    (Path::new("unshare").to_owned(), arguments)
}
