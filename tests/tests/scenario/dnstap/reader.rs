//! The program `dnstap`, built once from its pinned module, at work on a socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nearpath_tests::mode;
use nearpath_tests::place::Folder;
use nearpath_tests::program::{NEEDS, Program};
use serde_json::Value;

/// How long a message may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reader at work; ends with its owner.
pub(super) struct Reader {
    _program: Program,
    folder: Folder,
}

impl Reader {
    /// True if there is a reader. If not, that is said.
    #[track_caller]
    pub(super) fn is_possible() -> bool {
        built().is_some()
    }

    /// One that listens on a unix socket.
    #[track_caller]
    pub(super) fn on_unix_socket() -> Option<Self> {
        built()?;
        let folder = Folder::new();
        let socket = folder.file("sock").display().to_string();
        let reader = Self::start(folder, ["-u", &socket]);
        reader.wait(|words| words.contains("opened input socket"), "it listens");
        Some(reader)
    }

    /// One that listens on TCP.
    #[track_caller]
    pub(super) fn on_tcp(at: SocketAddr) -> Self {
        Self::start(Folder::new(), ["-l", &at.to_string()])
    }

    #[track_caller]
    fn start(folder: Folder, listen: [&str; 2]) -> Self {
        let path = built().expect("it was asked whether it is possible");
        let arguments: Vec<String> = listen.into_iter().chain(["-j"]).map(str::to_owned).collect();
        let program = Program::start(&path, &arguments, &[], &folder.file("log"));
        Self { _program: program, folder }
    }

    /// The socket, as a Corefile names it.
    pub(super) fn socket(&self) -> String {
        self.folder.file("sock").display().to_string()
    }

    /// So many messages beyond the first `from`.
    #[track_caller]
    pub(super) fn messages(&self, from: usize, count: usize) -> Vec<Value> {
        self.wait(|words| read(words).len() >= from + count, &format!("{count} messages after {from}"));
        read(&self.words()).split_off(from)
    }

    /// All messages, once there is one of this kind.
    #[track_caller]
    pub(super) fn until(&self, kind: &str) -> Vec<Value> {
        self.until_it_has(|messages| messages.iter().any(|message| message["message"]["type"] == kind))
    }

    /// All messages, once they are as they should be.
    #[track_caller]
    pub(super) fn until_it_has(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.wait(|words| enough(&read(words)), "enough messages");
        read(&self.words())
    }

    /// How many connections it has taken.
    pub(super) fn connections(&self) -> usize {
        self.words().matches("accepted connection").count()
    }

    /// All that it said.
    pub(super) fn words(&self) -> String {
        std::fs::read_to_string(self.folder.file("log")).unwrap_or_default()
    }

    #[track_caller]
    fn wait(&self, is_there: impl Fn(&str) -> bool, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(&self.words()) {
            assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}; it said:\n{}", self.words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The messages among what it said; a line that is still being written is none yet.
fn read(words: &str) -> Vec<Value> {
    words.lines().filter(|line| line.starts_with('{')).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Where the program is; built at the first call. `None` where it cannot be, which is named as skipped.
#[track_caller]
fn built() -> Option<PathBuf> {
    static BUILT: OnceLock<bool> = OnceLock::new();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dnstap");
    if !mode::have("scenario::dnstap", &["go", NEEDS]) {
        return None;
    }
    let is_built = BUILT.get_or_init(|| {
        let mut command = Command::new("timeout");
        command.args(["400", "go", "build", "-trimpath", "-o"]).arg(&path);
        command.arg("github.com/dnstap/golang-dnstap/dnstap").current_dir(mode::root().join("tests/dnstap"));
        command.env("GOFLAGS", "-buildvcs=false").env("GOWORK", "off");
        command.status().is_ok_and(|status| status.success())
    });
    assert!(is_built, "the reader does not build: `go build` in tests/dnstap says why");
    Some(path)
}
