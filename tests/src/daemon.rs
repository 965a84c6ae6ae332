//! The real binary with a Corefile in a folder of its own, on a loopback address of its own.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{Tcp, Udp};
use crate::message::{Ask, Reply};
use crate::mode;
use crate::place::{self, Folder};
use crate::program::memory;

/// How long the daemon may take to serve, to reload and to end. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon at work. Ends with its owner, who sees its log if the test fails.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    folder: Folder,
    log: Arc<Log>,
    words: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Daemon {
    /// Starts a daemon and waits until it serves. In the Corefile `IP`, `PORT` and `FOLDER` stand for its own address
    /// and folder, and each word of `words` for its text.
    #[track_caller]
    pub fn given(corefile: &str, words: &[(&str, String)]) -> Self {
        Self::with(corefile, words, &[], &[])
    }

    /// The same for a Corefile without `bind`: on every address of the machine, so on a port that nobody has anywhere.
    #[track_caller]
    pub fn given_everywhere(corefile: &str, words: &[(&str, String)]) -> Self {
        Self::at(place::socket_everywhere(), corefile, words, &[], &[])
    }

    /// The same with files in its folder, and with more flags.
    #[track_caller]
    pub fn with(corefile: &str, words: &[(&str, String)], files: &[(&str, &str)], flags: &[&str]) -> Self {
        Self::at(place::socket(), corefile, words, files, flags)
    }

    /// The same at an address of choice.
    #[track_caller]
    pub fn at(
        address: SocketAddr,
        corefile: &str,
        words: &[(&str, String)],
        files: &[(&str, &str)],
        flags: &[&str],
    ) -> Self {
        Self::start(address, corefile, words, files, flags, &[])
    }

    /// The same as [`Daemon::given`] with more variables in its environment.
    #[track_caller]
    pub fn given_variables(corefile: &str, variables: &[(&str, &str)]) -> Self {
        Self::start(place::socket(), corefile, &[], &[], &[], variables)
    }

    #[track_caller]
    fn start(
        address: SocketAddr,
        corefile: &str,
        words: &[(&str, String)],
        files: &[(&str, &str)],
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let folder = Folder::new();
        let mut all: Vec<(String, String)> =
            words.iter().map(|(word, text)| ((*word).to_owned(), text.clone())).collect();
        all.push(("PORT".into(), address.port().to_string()));
        all.push(("IP".into(), address.ip().to_string()));
        all.push(("FOLDER".into(), folder.path().display().to_string()));
        for (name, text) in files {
            folder.write(name, &fill(text, &all));
        }
        let path = folder.write("Corefile", &fill(corefile, &all));
        let mut child = Command::new(binary())
            .arg("-conf")
            .arg(path)
            .args(["-p", &address.port().to_string()])
            .args(flags)
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let log = Arc::new(Log::default());
        follow(child.stderr.take().expect("stderr is piped"), &log);
        follow(child.stdout.take().expect("stdout is piped"), &log);
        let mut daemon = Self { child, address, folder, log, words: all };
        daemon.wait_until_serving();
        daemon
    }

    #[track_caller]
    fn wait_until_serving(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_logged(0, "serving", Duration::from_millis(50)) {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                panic!("the daemon ended with {status} before it served");
            }
            assert!(Instant::now() < deadline, "the daemon does not serve within {PATIENCE:?}");
        }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder with its Corefile.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A client at 127.0.0.1.
    pub fn client(&self) -> Udp {
        self.client_at(Ipv4Addr::LOCALHOST.into())
    }

    /// A client at an address of choice.
    pub fn client_at(&self, address: IpAddr) -> Udp {
        Udp::from(address, self.address)
    }

    /// A TCP connection from 127.0.0.1.
    #[track_caller]
    pub fn connection(&self) -> Tcp {
        Tcp::from(Ipv4Addr::LOCALHOST.into(), self.address)
    }

    /// Asks once over UDP from 127.0.0.1.
    #[track_caller]
    pub fn asked(&self, ask: &Ask) -> Reply {
        self.client().asks(ask)
    }

    /// Puts another Corefile in place and has it read. Returns whether it was taken.
    #[track_caller]
    pub fn reloads(&mut self, corefile: &str) -> bool {
        let seen = self.log_len();
        self.folder.write("Corefile", &fill(corefile, &self.words));
        self.signal(Signal::SIGHUP);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.log_since(seen);
            if lines.iter().any(|line| line.contains("is not taken")) {
                return false;
            }
            if lines.iter().any(|line| line.contains("reloaded ")) {
                return true;
            }
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                panic!("the daemon ended with {status} when it was told to reload");
            }
            assert!(Instant::now() < deadline, "no word about the reload within {PATIENCE:?}");
            self.has_logged(seen + lines.len(), "", Duration::from_millis(50));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon runs");
    }

    /// How it ends by itself; `None` if it does not within a time.
    pub fn ends(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.child.try_wait().expect("the child is ours");
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM and gives the exit code.
    #[track_caller]
    pub fn terminates(mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the daemon does not end within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fails if the daemon has ended, or has panicked in a query.
    #[track_caller]
    pub fn is_well(&mut self) {
        if let Some(status) = self.child.try_wait().expect("the child is ours") {
            panic!("the daemon ended with {status}");
        }
        let panics: Vec<_> = self.log_since(0).into_iter().filter(|line| line.contains("panicked")).collect();
        assert!(panics.is_empty(), "the daemon panicked: {panics:?}");
    }

    /// Resident memory, KiB.
    pub fn resident(&self) -> u64 {
        memory(self.id(), "VmRSS:")
    }

    /// Resident memory without the pages of its file, KiB: what it took, not what the code of this build is.
    pub fn taken(&self) -> u64 {
        memory(self.id(), "RssAnon:")
    }

    /// Waits for a line with `text` beyond the first `from` lines.
    pub fn has_logged(&self, from: usize, text: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut lines = self.log.lines.lock().expect("no reader panics");
        loop {
            if lines.iter().skip(from).any(|line| line.contains(text)) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            lines = self.log.grown.wait_timeout(lines, left).expect("no reader panics").0;
        }
    }

    /// How many lines were logged.
    pub fn log_len(&self) -> usize {
        self.log.lines.lock().expect("no reader panics").len()
    }

    /// The lines beyond the first `from`.
    pub fn log_since(&self, from: usize) -> Vec<String> {
        self.log.lines.lock().expect("no reader panics").iter().skip(from).cloned().collect()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is positive"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let lines = self.log_since(0);
            mode::note(&format!("the daemon's log (folder {} is kept):", self.folder.path().display()));
            lines.iter().rev().take(40).rev().for_each(|line| mode::note(line));
        }
    }
}

fn follow(stream: impl std::io::Read + Send + 'static, log: &Arc<Log>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut lines = log.lines.lock().expect("no reader panics");
            if lines.len() < 200_000 {
                lines.push(line);
            }
            drop(lines);
            log.grown.notify_all();
        }
    });
}

/// Puts texts in place of words. Longer words first, so that `CENTRE2` is not taken for `CENTRE`.
pub fn fill(template: &str, words: &[(String, String)]) -> String {
    let mut words = words.to_vec();
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    words.iter().fold(template.to_owned(), |text, (word, with)| text.replace(word.as_str(), with))
}

/// Runs a subcommand to its end within a bound and returns what it said.
#[track_caller]
pub fn run(arguments: &[&str], within: Duration) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let out = std::thread::spawn(move || read_all(&mut out));
    let err = std::thread::spawn(move || read_all(&mut err));
    let deadline = Instant::now() + within;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().ok();
            child.wait().ok();
            panic!("nearpath {} does not end within {within:?}", arguments.join(" "));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output { status, stdout: out.join().expect("a reader"), stderr: err.join().expect("a reader") }
}

fn read_all(stream: &mut impl std::io::Read) -> Vec<u8> {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).ok();
    octets
}

/// The daemon's binary: what `NEARPATH_BIN` names, else built now beside this test's own.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            if let Some(path) = std::env::var_os("NEARPATH_BIN") {
                return path.into();
            }
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let status = Command::new(cargo)
                .args(["build", "--quiet", "--package", "nearpath", "--bin", "nearpath"])
                .current_dir(mode::root())
                .status();
            assert!(status.is_ok_and(|status| status.success()), "the daemon does not build");
            let own = std::env::current_exe().expect("a test knows where it is");
            own.ancestors().nth(2).expect("target/debug/deps/all").join("nearpath")
        })
        .clone()
}
