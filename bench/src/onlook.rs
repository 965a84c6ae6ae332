//! Those who look on while a server answers: each a thread on the load's cores that counts what it saw, so that a measurement
//! without them is noticed.

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// How often it is seen whether somebody who looks is to end.
const TICK: Duration = Duration::from_millis(100);
/// How often who asks again and again asks.
const ASKS_EVERY: Duration = Duration::from_secs(1);

/// The folder of the daemon's state below its own, with the socket through which it is asked about itself.
pub(crate) const STATE: &str = "state";
/// Where a sink of messages listens, below the daemon's own folder.
pub(crate) const SINK: &str = "dnstap.sock";

/// A way of looking on.
#[derive(Debug)]
pub(crate) struct Onlooker {
    pub(crate) name: &'static str,
    /// Looks at the daemon of this folder until it is told to end.
    look: fn(&Path, &Sight) -> Result<()>,
}

/// Every way; a new one is a line here.
pub(crate) const ONLOOKERS: &[Onlooker] = &[
    Onlooker { name: "top", look: ask_for_top },
    Onlooker { name: "watch", look: watch },
    Onlooker { name: "dnstap with messages", look: collect },
];

/// What somebody who looks has seen, and whether he is to end.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    seen: AtomicU64,
    ends: AtomicBool,
}

/// Somebody who looks on; dropped, he ends.
#[derive(Debug)]
pub(crate) struct Looking {
    name: &'static str,
    sight: Arc<Sight>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Onlooker {
    /// Begins to look at the daemon of this folder.
    pub(crate) fn begin(&'static self, directory: &Path, cores: &[usize]) -> Result<Looking> {
        let sight = Arc::<Sight>::default();
        let mut set = CpuSet::new();
        cores.iter().try_for_each(|&core| set.set(core))?;
        let (directory, shared) = (directory.to_owned(), Arc::clone(&sight));
        let work = move || {
            sched_setaffinity(Pid::from_raw(0), &set)?;
            (self.look)(&directory, &shared)
        };
        let thread = Some(std::thread::Builder::new().name(self.name.to_owned()).spawn(work)?);
        Ok(Looking { name: self.name, sight, thread })
    }
}

impl Looking {
    /// How much he has seen until now.
    pub(crate) fn seen(&self) -> u64 {
        self.sight.seen.load(Ordering::Relaxed)
    }

    /// An error unless he has seen more than that.
    pub(crate) fn has_seen_more_than(&self, before: u64) -> Result<()> {
        ensure!(self.seen() > before, "{} has seen nothing", self.name);
        Ok(())
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.sight.ends.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            crate::say(&format!("{}: {error:#}", self.name));
        }
    }
}

impl Sight {
    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    /// How often that stands in what was read.
    fn count(&self, read: &[u8], what: &[u8]) {
        let times = read.windows(what.len()).filter(|window| *window == what).count();
        self.seen.fetch_add(times as u64, Ordering::Relaxed);
    }

    /// Reads until the end of the stream, or of looking.
    fn read(&self, stream: &mut UnixStream, what: &[u8]) -> Result<()> {
        stream.set_read_timeout(Some(TICK))?;
        let mut buffer = vec![0; 64 << 10];
        while self.goes_on() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.count(&buffer[..length], what),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Asks the daemon about itself.
fn ask(directory: &Path, path: &str) -> Result<UnixStream> {
    let socket = directory.join(STATE).join("nearpath.sock");
    let mut stream = UnixStream::connect(&socket).with_context(|| format!("asking {}", socket.display()))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// As `nearpath top` and the page do.
fn ask_for_top(directory: &Path, sight: &Sight) -> Result<()> {
    while sight.goes_on() {
        let asked = Instant::now();
        sight.read(&mut ask(directory, "/v1/top")?, b"\"rtype\"")?;
        sight.read(&mut ask(directory, "/v1/overview")?, b"\"queries\"")?;
        while sight.goes_on() && asked.elapsed() < ASKS_EVERY {
            std::thread::sleep(TICK);
        }
    }
    Ok(())
}

/// As `nearpath watch` does, with a filter that many queries pass.
fn watch(directory: &Path, sight: &Sight) -> Result<()> {
    sight.read(&mut ask(directory, "/v1/watch?name=host1*")?, b"data:")
}

/// A sink of dnstap: says that it takes what comes (Frame Streams, bidirectional), and takes it. Each message names the program.
fn collect(directory: &Path, sight: &Sight) -> Result<()> {
    let listener = UnixListener::bind(directory.join(SINK))?;
    listener.set_nonblocking(true)?;
    while sight.goes_on() {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.write_all(&accept())?;
                sight.read(&mut stream, b"nearpath-").or_else(|error| match sight.goes_on() {
                    true => Err(error),
                    false => Ok(()),
                })?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The control frame ACCEPT with dnstap's content type.
fn accept() -> Vec<u8> {
    let content = b"protobuf:dnstap.Dnstap";
    let field = [&1_u32.to_be_bytes()[..], &(content.len() as u32).to_be_bytes(), content].concat();
    let body = [&1_u32.to_be_bytes()[..], &field].concat();
    [&0_u32.to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), &body].concat()
}
