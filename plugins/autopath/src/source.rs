//! The file that lists come from: read at the start, and again whenever it changes.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use contract::corefile::Report;
use contract::limits::PODS_FILE_MAX;
use contract::metrics::{Counter, Metrics};

use crate::index::PodIndex;
use crate::{pods, resolv_conf};

/// What the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One search list for every client.
    ResolvConf,
    /// A line for each pod.
    Pods,
}

/// A file that fills a [`PodIndex`].
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    format: Format,
    /// The file as it was when it was last read, well or not.
    seen: Mutex<Option<Stamp>>,
    failures: Arc<Counter>,
}

/// Why the file gives no lists.
#[derive(Debug, thiserror::Error)]
pub enum BadSource {
    /// The system refused it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is too large to be what it should be.
    #[error("larger than {PODS_FILE_MAX} octets")]
    TooLarge,
    /// What is wrong in it, each with line and column.
    #[error("{0}")]
    Wrong(String),
}

/// Tells two states of a file apart. Symbolic links are followed, so a mount that swaps its link shows another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    file: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            file: (metadata.dev(), metadata.ino()),
        }
    }
}

impl FileSource {
    /// A file that has not been read yet.
    pub fn new(path: &Path, format: Format, metrics: &Metrics) -> Self {
        let failures = metrics.counter(
            "nearpath_autopath_reload_failures_total",
            "Changes of a file of search lists that could not be read; the lists before it stay.",
            &[],
        );
        Self { path: path.to_owned(), format, seen: Mutex::new(None), failures }
    }

    /// Reads the file, whatever it was before, and fills the index.
    pub fn load(&self, index: &PodIndex) -> Result<(), BadSource> {
        // the stamp comes before the text, so that a change in between is read once too often, never once too few
        self.remember(std::fs::metadata(&self.path).ok().as_ref().map(Stamp::of));
        let mut text = Vec::new();
        let limit = u64::try_from(PODS_FILE_MAX).unwrap_or(u64::MAX) + 1;
        File::open(&self.path)?.take(limit).read_to_end(&mut text)?;
        if text.len() > PODS_FILE_MAX {
            return Err(BadSource::TooLarge);
        }
        let text = String::from_utf8(text).map_err(|_| BadSource::Wrong("it is not UTF-8".to_owned()))?;
        match self.format {
            Format::ResolvConf => self.fill_for_everybody(&text, index),
            Format::Pods => self.fill(&text, index),
        }
    }

    /// Reads the file again if it is another than the one last read. A wrong one is said once, and changes nothing.
    pub fn refresh(&self, index: &PodIndex) {
        let now = std::fs::metadata(&self.path).ok().as_ref().map(Stamp::of);
        if now == *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        let path = self.path.display();
        match self.load(index) {
            Ok(()) => tracing::info!("autopath: {path} read again"),
            Err(reason) => {
                self.failures.increment();
                tracing::warn!("autopath: {path} cannot be used, the lists read before stay: {reason}");
            }
        }
    }

    fn fill(&self, text: &str, index: &PodIndex) -> Result<(), BadSource> {
        let mut report = Report::new();
        let pods = pods::parse(&self.path.display().to_string(), text, &mut report);
        if report.has_errors() {
            return Err(BadSource::Wrong(report.to_string()));
        }
        index.replace(pods);
        Ok(())
    }

    fn fill_for_everybody(&self, text: &str, index: &PodIndex) -> Result<(), BadSource> {
        let conf = resolv_conf::parse(text);
        if conf.search.is_empty() {
            return Err(BadSource::Wrong("it has no `search` line, so there is nothing to expand".to_owned()));
        }
        if conf.ndots == 1 {
            let path = self.path.display();
            tracing::warn!("autopath: {path} leaves ndots at 1, so only names of one label are expanded; pods have `options ndots:5`");
        }
        index.replace_for_everybody(&conf.search, conf.ndots);
        Ok(())
    }

    fn remember(&self, stamp: Option<Stamp>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }
}
