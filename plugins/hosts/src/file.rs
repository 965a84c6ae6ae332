//! The hosts file: read when it changes, replaced whole, kept when something is wrong with it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use contract::Context;
use contract::limits;
use contract::metrics::{Counter, Gauge, Metrics};
use contract::wire::Name;

use crate::table::{Intake, Table, TooManyEntries};

/// A file and the table that was last read from it.
#[derive(Debug)]
pub(crate) struct HostsFile {
    path: PathBuf,
    zones: Vec<Name>,
    reverse: bool,
    table: ArcSwap<Table>,
    /// Only whoever looks at the file takes it; queries do not.
    seen: Mutex<Seen>,
    counts: Counts,
}

/// What the last look at the file found.
#[derive(Debug, Default)]
struct Seen {
    /// The state of the file that was last read, whether it was taken over or not.
    stamp: Option<Stamp>,
    /// What was logged last, so that the same is not logged at every look.
    trouble: Option<String>,
}

/// What changes when a file does: device and inode, modification time (seconds and nanoseconds), octets.
type Stamp = (u64, u64, i64, i64, u64);

#[derive(Debug)]
struct Counts {
    records: Arc<Gauge>,
    modified: Arc<Gauge>,
    failures: Arc<Counter>,
}

/// Why a file gave no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It is not known whether there is one, or there is none.
    #[error(transparent)]
    Unknown(io::Error),
    /// It cannot be opened or read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// A directory, a pipe or a socket.
    #[error("it is no file")]
    NoFile,
    /// Larger than [`limits::HOSTS_FILE_MAX`].
    #[error("it is larger than {} octets", limits::HOSTS_FILE_MAX)]
    TooLarge,
    /// It was read, and has too much in it.
    #[error("it has {0}")]
    TooMany(#[from] TooManyEntries),
}

impl Trouble {
    /// True if there is no file that could be read.
    pub(crate) fn is_of_the_file(&self) -> bool {
        match self {
            Self::Unknown(error) => error.kind() == io::ErrorKind::NotFound,
            Self::Unreadable(_) | Self::NoFile => true,
            Self::TooLarge | Self::TooMany(_) => false,
        }
    }

    /// True if the way to the file cannot be gone.
    pub(crate) fn is_of_the_path(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl HostsFile {
    /// The file before it is read.
    pub(crate) fn open(path: &Path, intake: Intake<'_>, context: &Context) -> Self {
        Self {
            path: path.to_owned(),
            zones: intake.zones.to_vec(),
            reverse: intake.reverse,
            table: ArcSwap::default(),
            seen: Mutex::default(),
            counts: Counts::new(&context.metrics, path),
        }
    }

    /// Reads it for the first time. What is wrong with it then is not logged again by a later look.
    pub(crate) fn begin(&self) -> Result<(), Trouble> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.refresh(&mut seen).map(|_| ());
        seen.trouble = read.as_ref().err().map(Trouble::to_string);
        read
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The table, without waiting.
    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Reads the file if it has changed. `inline` is the number of records that the Corefile itself holds.
    pub(crate) fn look(&self, inline: usize) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        match self.refresh(&mut seen) {
            Ok(false) => seen.trouble = None,
            Ok(true) => {
                seen.trouble = None;
                tracing::info!(%path, records = self.table.load().records(), "hosts file read");
            }
            Err(trouble) => {
                self.counts.failures.increment();
                let said = trouble.to_string();
                if seen.trouble.as_ref() != Some(&said) {
                    tracing::warn!(%path, reason = said, "hosts file not read; what it said before still holds");
                    seen.trouble = Some(said);
                }
            }
        }
        self.count(inline);
    }

    /// Sets the number of records, those of the Corefile included.
    pub(crate) fn count(&self, inline: usize) {
        let records = inline + self.table.load().records();
        self.counts.records.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Takes a changed file over; `Ok(false)` if it is the one seen last.
    fn refresh(&self, seen: &mut Seen) -> Result<bool, Trouble> {
        let kind = fs::metadata(&self.path).map_err(Trouble::Unknown)?.file_type(); // before it is opened: opening a pipe waits for its writer
        if !kind.is_file() && !kind.is_char_device() {
            return Err(Trouble::NoFile);
        }
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?; // before it is read: what is written meanwhile is seen at the next look
        let stamp = stamp(&metadata);
        if seen.stamp == Some(stamp) {
            return Ok(false);
        }
        let text = read(file)?;
        seen.stamp = Some(stamp); // also if it is refused below: the same file is not judged twice
        let text = text.ok_or(Trouble::TooLarge)?;
        let table = Table::parse(&text, Intake { zones: &self.zones, reverse: self.reverse })?;
        self.table.store(Arc::new(table));
        self.counts.modified.set(metadata.mtime());
        Ok(true)
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}

/// The file's octets; `None` if there are more than [`limits::HOSTS_FILE_MAX`], whatever its metadata say.
fn read(file: File) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let most = limits::HOSTS_FILE_MAX;
    file.take(most as u64 + 1).read_to_end(&mut text)?;
    Ok((text.len() <= most).then_some(text))
}

impl Counts {
    fn new(metrics: &Metrics, path: &Path) -> Self {
        let path = path.display().to_string();
        Self {
            records: metrics.gauge(
                "coredns_hosts_entries",
                "Records that can be made of the hosts file and the Corefile.",
                &[("hostsfile", &path)],
            ),
            modified: metrics.gauge(
                "coredns_hosts_reload_timestamp_seconds",
                "When the hosts file that was last taken over was modified.",
                &[],
            ),
            failures: metrics.counter(
                "nearpath_hosts_reload_failures_total",
                "Looks at a hosts file that could not be taken over.",
                &[("hostsfile", &path)],
            ),
        }
    }
}
