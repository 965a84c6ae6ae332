//! What all rows share: cores, a directory, the authority, and the servers that were found on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;

use crate::authority::Authority;
use crate::child;
use crate::machine;
use crate::options::Options;
use crate::peers::{PEERS, Peer};
use crate::say;

/// Denials of the cluster zone live so long where they are not what is measured, seconds.
const NEGATIVE_LIFE: u32 = 3_600;
/// Files that one process may have open, if the system allows it.
const SOCKETS: u64 = 16_384;
/// Names that rows of cached hits ask for.
const NAMES: usize = 2_000;

/// Which cores do what.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// The server that is measured, with one thread.
    pub(crate) server: Vec<usize>,
    /// Loads and the authority.
    pub(crate) load: Vec<usize>,
    /// The server with two threads.
    pub(crate) pair: Vec<usize>,
}

/// A server that can be measured.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) peer: &'static Peer,
    pub(crate) program: PathBuf,
}

/// Fields are dropped in this order: the authority ends before its directory goes.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) cores: Cores,
    pub(crate) found: Vec<Found>,
    /// What each server says of its version; of one that is missing, that.
    pub(crate) versions: BTreeMap<&'static str, String>,
    pub(crate) authority: Authority,
    directory: Directory,
}

impl Bench {
    /// Looks for the servers and starts the authority.
    pub(crate) fn set_up(options: Options) -> Result<Self> {
        let [first, second, ..] = child::allowed_cores()?[..] else {
            bail!("two cores are needed: one for the server that is measured, one for the load");
        };
        let cores = Cores { server: vec![first], load: vec![second], pair: vec![first, second] };
        let directory = Directory::make()?;
        end_on_signals(&directory.0)?;
        child::pin(&cores.load)?;
        allow_many_sockets()?;
        let (found, versions) = find_peers(&options)?;
        write_names(&directory.0)?;
        let authority = Authority::start(&directory.0, &cores.load, NEGATIVE_LIFE)?;
        Ok(Self { options, cores, found, versions, authority, directory })
    }

    /// Where files of this run are; it goes with the run.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// 2,000 names, as dnsperf reads them.
    pub(crate) fn names(&self) -> PathBuf {
        self.directory().join("names")
    }

    /// The same names as a pod of namespace `shop` asks for them first.
    pub(crate) fn walked_names(&self) -> PathBuf {
        self.directory().join("walked")
    }

    /// The servers that `fits` takes, in the order of the table.
    pub(crate) fn cast(&self, fits: impl Fn(&Peer) -> bool) -> Vec<Found> {
        self.found.iter().filter(|found| fits(found.peer)).cloned().collect()
    }

    /// Seconds of one measurement.
    pub(crate) fn seconds(&self) -> f64 {
        self.options.seconds()
    }
}

/// A file of names `PREFIX1SUFFIX A` and on.
pub(crate) fn write_queries(file: &Path, prefix: &str, count: usize, suffix: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for number in 1..=count {
        writeln!(out, "{prefix}{number}{suffix} A")?;
    }
    Ok(out.flush()?)
}

fn write_names(directory: &Path) -> Result<()> {
    write_queries(&directory.join("names"), "host", NAMES, ".example")?;
    write_queries(&directory.join("walked"), "host", NAMES, ".example.shop.svc.cluster.local")
}

fn find_peers(options: &Options) -> Result<(Vec<Found>, BTreeMap<&'static str, String>)> {
    let known = |name: &str| PEERS.iter().any(|peer| peer.name == name);
    let named = options.programs.iter().map(|(name, _)| name).chain(&options.without);
    if let Some(stranger) = named.into_iter().find(|name| !known(name)) {
        let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        bail!("{stranger} is no server of this bench; these are: {}", names.join(", "));
    }
    let (mut found, mut versions) = (Vec::new(), BTreeMap::new());
    for peer in PEERS {
        if options.without.iter().any(|name| name == peer.name) {
            versions.insert(peer.name, "left out".to_owned());
            continue;
        }
        let Some(program) = peer.find(options)? else {
            say(&format!("{} is not here and not measured", peer.name));
            versions.insert(peer.name, "not here".to_owned());
            continue;
        };
        let version = machine::first_line(&program, peer.version).unwrap_or_default();
        versions.insert(peer.name, version);
        found.push(Found { peer, program });
    }
    versions.insert("knotd", machine::first_line(Path::new("knotd"), &["-V"]).context("knotd is missing")?);
    versions.insert("dnsperf", machine::first_line(Path::new("dnsperf"), &["-h"]).unwrap_or_default());
    versions.retain(|_, version| !version.is_empty());
    Ok((found, versions))
}

/// A directory that goes when it is dropped.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("nearpath-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A thousand clients have a thousand sockets. Not more than needed: some programs look at every number up to the bound.
fn allow_many_sockets() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = soft.max(SOCKETS).min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).context("raising the number of open files")
}

/// Ctrl-C and SIGTERM end the run; the kernel then ends its processes, and the directory goes here.
fn end_on_signals(directory: &Path) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let waiting = SignalFd::new(&signals)?;
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        while !matches!(waiting.read_signal(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = std::fs::remove_dir_all(&directory);
        std::process::exit(130);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_written_as_dnsperf_reads_them() {
        let file = std::env::temp_dir().join(format!("nearpath-bench-queries-{}", std::process::id()));
        write_queries(&file, "n", 2, ".example").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(text, "n1.example A\nn2.example A\n");
    }
}
