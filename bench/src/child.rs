//! Processes of a run: pinned to cores, and ended with it whatever happens.
//!
//! Each is started through this program's own subcommand `pinned`, which sets its cores, asks the kernel to kill it when its
//! parent ends, and then becomes the program. So nothing is left running even if the run itself is killed.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getppid};

use crate::options::PinnedFlags;

/// How long a process has to end by itself before it is killed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A program with what it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Launch {
    /// A program with arguments.
    pub(crate) fn new<A: Into<OsString>>(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, environment: Vec::new() }
    }

    /// This program itself, as one of its parts.
    pub(crate) fn part<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Result<Self> {
        Ok(Self::new(std::env::current_exe()?, arguments))
    }

    /// As a command that runs on `cores` alone and ends with this process. To be started by the main thread: the kernel
    /// takes the thread that started it for its parent.
    pub(crate) fn pinned(&self, cores: &[usize]) -> Result<Command> {
        let cores: Vec<_> = cores.iter().map(ToString::to_string).collect();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["pinned", "--cores", &cores.join(","), "--parent", &std::process::id().to_string(), "--"]);
        command
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// A running process; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts it; what it says goes to `log`.
    pub(crate) fn start(launch: &Launch, cores: &[usize], log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
        let process = launch
            .pinned(cores)?
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {}", launch.program.display()))?;
        Ok(Self { process, log: log.to_owned() })
    }

    /// Starts it with its stdin and stdout in our hands.
    pub(crate) fn start_talking(launch: &Launch, cores: &[usize], log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
        let mut command = launch.pinned(cores)?;
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).spawn()?;
        Ok(Self { process, log: log.to_owned() })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// True until it has ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(self.pid(), signal)?)
    }

    /// The last lines that it said.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(4).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_alive() {
            return;
        }
        // A process that is stopped takes the first signal only once it goes on.
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            let _ = kill(self.pid(), signal);
        }
        let begun = Instant::now();
        while self.is_alive() {
            if begun.elapsed() > END_WITHIN {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The cores that this process may use.
pub(crate) fn allowed_cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect())
}

/// Pins this process, and threads it starts later, to cores.
pub(crate) fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("pinning to cores {cores:?}"))
}

/// The subcommand `pinned`: returns only if it failed.
pub(crate) fn become_pinned(flags: &PinnedFlags) -> Result<()> {
    pin(&flags.cores)?;
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid().as_raw() != flags.parent {
        bail!("the run has ended");
    }
    // The run waits for its signals with these blocked, and a mask outlives exec.
    SigSet::all().thread_unblock()?;
    let (program, arguments) = flags.command.split_first().context("a program")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("becoming {}", Path::new(program).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_ends_when_it_is_dropped() {
        let log = std::env::temp_dir().join(format!("nearpath-bench-child-{}", std::process::id()));
        let process = Command::new("sleep").arg("600").spawn().unwrap();
        let id = process.id();
        let mut child = Child { process, log };
        assert!(child.is_alive());
        drop(child);
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "neither running nor a zombie");
    }
}
