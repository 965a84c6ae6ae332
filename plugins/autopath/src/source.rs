//! The file that lists come from: read at the start, and again whenever it changes.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::corefile::Report;
use contract::limits::PODS_FILE_MAX;
use contract::metrics::{Counter, Gauge};
use contract::{Clock, Context, Pod, PodIndex, SearchLists};

use crate::pods::PodLine;
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
    seen: Mutex<Seen>,
    lists: Arc<SearchLists>,
    clock: Arc<dyn Clock>,
    failures: Arc<Counter>,
    pods: Arc<Gauge>,
    conflicts: Arc<Gauge>,
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

/// The file as it was when it was last read, well or not.
#[derive(Debug, Default)]
struct Seen {
    stamp: Option<Stamp>,
    text: Option<Vec<u8>>,
    /// Its text was still the same at the look after that: a change within the same tick of the file system's clock
    /// does not show in the stamp.
    settled: bool,
    /// The lists are what its text says.
    is_taken: bool,
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
    pub fn new(path: &Path, format: Format, context: &Context) -> Self {
        let failures = context.metrics.counter(
            "nearpath_autopath_reload_failures_total",
            "Changes of a file of search lists that could not be read; the lists before it stay.",
            &[],
        );
        let gauge = |name, help| context.metrics.gauge(name, help, &[("server", context.server.as_str())]);
        let this = Self {
            path: path.to_owned(),
            format,
            seen: Mutex::default(),
            lists: Arc::clone(&context.lists),
            clock: Arc::clone(&context.clock),
            failures,
            pods: gauge("nearpath_autopath_pods", "Pods of the file whose search lists are known."),
            conflicts: gauge(
                "nearpath_autopath_address_conflicts",
                "Addresses that more than one pod of the file claims: their questions are resolved as asked.",
            ),
        };
        // a directive before a reload may have left more
        this.pods.set(0);
        this.conflicts.set(0);
        this
    }

    /// Reads the file, whatever it was before, and fills the index.
    pub fn load(&self, index: &PodIndex) -> Result<(), BadSource> {
        // the stamp comes before the text, so that a change in between is read once too often, never once too few
        let stamp = self.stamp();
        let read = self.read();
        *self.seen() = Seen { stamp, text: read.as_ref().ok().cloned(), settled: false, is_taken: false };
        read.and_then(|text| self.fill(text, index)).inspect(|()| self.is_taken(index))
    }

    /// What the file says at this moment is what the index holds.
    fn is_taken(&self, index: &PodIndex) {
        self.seen().is_taken = true;
        index.heard(self.clock.now());
    }

    /// Reads the file again if it is another than the one last read. A wrong one is said once, and changes nothing.
    pub fn refresh(&self, index: &PodIndex) {
        let stamp = self.stamp();
        let mut seen = self.seen();
        let same_stamp = seen.stamp == stamp;
        if seen.is_taken && same_stamp {
            index.heard(self.clock.now());
        }
        if same_stamp && seen.settled {
            return;
        }
        let read = self.read();
        let text = read.as_ref().ok().cloned();
        let same_text = seen.text == text && (same_stamp || text.is_some());
        *seen = Seen { stamp, text, settled: same_stamp, is_taken: seen.is_taken && same_text };
        drop(seen);
        if same_text {
            return;
        }
        let path = self.path.display();
        match read.and_then(|text| self.fill(text, index)) {
            Ok(()) => {
                self.is_taken(index);
                tracing::info!("autopath: {path} read again");
            }
            Err(reason) => {
                self.failures.increment();
                tracing::warn!("autopath: {path} cannot be used, the lists read before stay: {reason}");
            }
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        std::fs::metadata(&self.path).ok().as_ref().map(Stamp::of)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<Vec<u8>, BadSource> {
        let mut text = Vec::new();
        let limit = u64::try_from(PODS_FILE_MAX).unwrap_or(u64::MAX) + 1;
        File::open(&self.path)?.take(limit).read_to_end(&mut text)?;
        if text.len() > PODS_FILE_MAX { Err(BadSource::TooLarge) } else { Ok(text) }
    }

    fn fill(&self, text: Vec<u8>, index: &PodIndex) -> Result<(), BadSource> {
        let text = String::from_utf8(text).map_err(|_| BadSource::Wrong("it is not UTF-8".to_owned()))?;
        match self.format {
            Format::ResolvConf => self.fill_for_everybody(&text, index),
            Format::Pods => {
                let mut report = Report::new();
                let pods = pods::parse(&self.path.display().to_string(), &text, &mut report);
                if report.has_errors() {
                    return Err(BadSource::Wrong(report.to_string()));
                }
                self.fill_with(pods, index);
            }
        }
        Ok(())
    }

    fn fill_with(&self, lines: Vec<PodLine>, index: &PodIndex) {
        let pod = |line: PodLine| Pod {
            name: line.name.into(),
            addresses: line.addresses,
            list: self.lists.intern(&line.search),
            ndots: line.ndots,
        };
        let pods: Vec<Pod> = lines.into_iter().map(pod).collect();
        let conflicts = index.replace(&pods);
        self.pods.set(i64::try_from(pods.len()).unwrap_or(i64::MAX));
        self.conflicts.set(i64::try_from(conflicts).unwrap_or(i64::MAX));
    }

    fn fill_for_everybody(&self, text: &str, index: &PodIndex) {
        let conf = resolv_conf::parse(text);
        let path = self.path.display();
        if conf.search.is_empty() {
            tracing::warn!("autopath: {path} has no search domains, so nothing is expanded");
        } else if conf.ndots <= 1 {
            let ndots = conf.ndots;
            tracing::warn!(
                "autopath: {path} has ndots {ndots}, so longer names are not expanded; pods have `options ndots:5`"
            );
        }
        index.replace_for_everybody(self.lists.intern(&conf.search), conf.ndots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_age_grows_while_it_cannot_be_used() {
        let path = std::env::temp_dir().join(format!("autopath-age-{}", std::process::id()));
        let clock = Arc::new(contract::FakeClock::new());
        let context = Context { clock: Arc::<contract::FakeClock>::clone(&clock), ..crate::context_for_tests(None) };
        let index = PodIndex::default();
        let source = FileSource::new(&path, Format::Pods, &context);
        let age_after = |seconds| {
            clock.advance(std::time::Duration::from_secs(seconds));
            source.refresh(&index);
            index.age(clock.now()).unwrap().as_secs()
        };
        std::fs::write(&path, "a/b 10.0.0.1 search x\n").unwrap();
        source.load(&index).unwrap();
        assert_eq!((age_after(1), age_after(5)), (0, 0), "what is known was found to be so");
        std::fs::write(&path, "a/b 10.0.0.300 search x\n").unwrap();
        assert_eq!((age_after(2), age_after(2), age_after(2)), (2, 4, 6));
        assert_eq!(index.addresses(), 1, "the lists read before stay");
        std::fs::remove_file(&path).unwrap();
        assert_eq!((age_after(2), age_after(2)), (8, 10));
        std::fs::write(&path, "a/b 10.0.0.1 search x y\n").unwrap();
        assert_eq!(age_after(1), 0);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_change_within_one_tick_is_seen_all_the_same() {
        let path = std::env::temp_dir().join(format!("autopath-tick-{}", std::process::id()));
        let context = crate::context_for_tests(None);
        let index = PodIndex::default();
        let source = FileSource::new(&path, Format::Pods, &context);
        let line = |count| format!("nearpath_autopath_pods{{server=\"dns://d.e.:53\"}} {count}\n");
        let pods = |count| context.metrics.text().contains(&line(count));
        std::fs::write(&path, "").unwrap();
        source.load(&index).unwrap();
        std::fs::write(&path, "a/b 10.0.0.1 search x\n").unwrap();
        source.seen().stamp = source.stamp(); // as if both had happened in the same tick
        assert!(pods(0));
        source.refresh(&index);
        assert!(pods(1));
        // settled: read no more until the stamp changes
        source.refresh(&index);
        source.seen().text = None;
        source.refresh(&index);
        assert!(source.seen().settled && source.seen().text.is_none());
        std::fs::remove_file(&path).unwrap();
    }
}
