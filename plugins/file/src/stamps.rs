//! Whether files are still what they were when they were read, so that a zone that did not change is not read again.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use contract::limits::ZONE_STAMPS_MAX;

/// The files of one reading, each as it was just before.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    files: BTreeMap<PathBuf, Option<Stamp>>,
    /// Something else than the files' octets decided what was read.
    is_void: bool,
}

/// What differs when a file was written or another one has taken its place. Seconds, nanoseconds and octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    place: (u64, u64),
    octets: u64,
}

impl Stamp {
    /// `None` if there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
            place: (file.dev(), file.ino()),
            octets: file.len(),
        })
    }
}

impl Stamps {
    /// To be called before the file is opened: a change meanwhile is then seen at the next look.
    pub(crate) fn note(&mut self, path: &Path) {
        if self.files.contains_key(path) {
            return; // if it has changed meanwhile, the first stamp tells
        }
        if self.files.len() == ZONE_STAMPS_MAX {
            return self.void();
        }
        self.files.insert(path.to_owned(), Stamp::of(path));
    }

    /// A file could not be read: that may pass without any change of it.
    pub(crate) fn void(&mut self) {
        self.is_void = true;
    }

    /// True if reading them again would give the same, provided that they were at rest.
    pub(crate) fn still_hold(&self) -> bool {
        !self.is_void && self.files.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }

    /// True if all files were the same at an earlier reading. Then they were not written just before this one, and the next
    /// writing will show: the clock of a file system ticks slowly.
    pub(crate) fn were_at_rest(&self, earlier: &Self) -> bool {
        self.files.iter().all(|(path, stamp)| earlier.files.get(path) == Some(stamp))
    }
}
