//! A program that runs beside the tests and ends with them, whatever ends them.
//!
//! The kernel kills it when the thread that started it ends (`PR_SET_PDEATHSIG`). So one thread, which lives as long as the
//! tests' own process, starts them all, and a program that several tests share outlives the test that needed it first.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What must be installed for it: `setpriv` of util-linux asks the kernel for that signal.
pub const NEEDS: &str = "setpriv";

/// A running program; dropped, it is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `path` with its arguments and some environment. What it says is appended to `log`.
    #[track_caller]
    pub fn start(path: &Path, arguments: &[String], environment: &[(&str, &str)], log: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(log).expect("the log can be written");
        // the second line of defence: whoever dies before the signal is asked for has another parent by then
        let only_ours = "[ \"$PPID\" = \"$0\" ] && exec \"$@\"";
        let mut command = Command::new(NEEDS);
        command.args(["--pdeathsig", "KILL", "--", "sh", "-c", only_ours, &std::process::id().to_string()]);
        command.arg(path).args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stderr(file.try_clone().expect("a file can be shared")).stdout(file);
        let child = spawn(command).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).expect("the program has not been waited for");
    }

    /// Kills it (-9) and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Tells it to end (SIGTERM) and waits for its end.
    #[track_caller]
    pub fn terminate(&mut self, within: Duration) {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + within;
        while self.ended().is_none() {
            assert!(Instant::now() < deadline, "it does not end within {within:?}:\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Resident memory, KiB.
    pub fn resident(&self) -> u64 {
        memory(self.id(), "VmRSS:")
    }

    /// The last lines that it said.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(25).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What to start, and where to say what came of it.
type Order = (Command, Sender<io::Result<Child>>);

/// Starts a command on the thread that lives as long as this process.
fn spawn(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, taken): (_, Receiver<Order>) = channel();
        std::thread::spawn(move || taken.iter().for_each(|(mut command, to)| to.send(command.spawn()).unwrap_or(())));
        Mutex::new(orders)
    });
    let (to, started) = channel();
    keeper.lock().expect("nobody panics with it").send((command, to)).expect("the keeper lives as long as we");
    started.recv().expect("the keeper answers")
}

/// Removes a folder when the tests' own process has ended: for what is shared by tests and so has no last owner.
#[derive(Debug)]
pub struct Caretaker(Child);

impl Caretaker {
    /// Watches over a folder.
    #[track_caller]
    pub fn of(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; sleep 0.5; rm -rf \"$0\""]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // in a process group of its own: an interrupt of the tests is not meant for it
        Self(command.process_group(0).spawn().expect("there is a shell"))
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        // it waits for the end of its input, which is open as long as we are
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

/// A figure of a process's memory, KiB, by the name of its line (proc(5), `/proc/PID/status`).
pub fn memory(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a process has memory");
    line.split_whitespace().nth(1).expect("a figure").parse().expect("KiB")
}
