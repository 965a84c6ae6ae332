//! A zone and its file: read at start, again when it has changed, and kept while something is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use contract::limits::ZONE_FILE_MAX;
use contract::metrics::{Counter, Gauge};
use contract::wire::Name;
use contract::{BuildError, Context};

use crate::master;
use crate::spec::ZoneSpec;
use crate::stamps::Stamps;
use crate::standing::{Slot, Standing};
use crate::zone::Zone;

/// One zone of one file.
#[derive(Debug)]
pub(crate) struct ZoneFile {
    origin: Name,
    path: PathBuf,
    /// Between two looks; `None`: it is read once.
    reload: Option<Duration>,
    /// The time of modification decides, not the serial.
    by_mtime: bool,
    slot: Arc<Slot>,
    /// Who serves the same zone.
    standing: Arc<Standing>,
    /// Those that did before the Corefile was read, until this one runs.
    before: Mutex<Vec<Arc<Slot>>>,
    /// Only whoever looks at the file takes it; questions do not.
    seen: Mutex<Seen>,
    failures: Arc<Counter>,
    serial: Arc<Gauge>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The file's time of modification when the zone was read that is served.
    modified: Option<SystemTime>,
    /// What was read at the last look that did.
    files: Stamps,
    /// They were at rest: as long as these stamps hold there is nothing new.
    at_rest: bool,
    /// What was logged last, so that the same is not logged at every look.
    trouble: Option<String>,
}

/// What a look has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// All files are as they were, and nothing was read.
    Untouched,
    /// The zone is the one that is served, or nothing could be made of the file.
    Same,
    /// Another zone is served.
    New,
}

/// Why a file gave no zone.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Bad(#[from] master::BadZone),
}

impl ZoneFile {
    /// Reads the zone for the first time. A file that cannot be opened is awaited if it is looked at again.
    pub(crate) fn open(spec: &ZoneSpec, origin: &Name, context: &Context) -> Result<Arc<Self>, BuildError> {
        let labels = [("zone", &*origin.to_string()), ("zonefile", &*spec.file.display().to_string())];
        let standing = Standing::of(origin, &spec.file, context);
        let this = Self {
            origin: origin.clone(),
            path: spec.file.clone(),
            reload: spec.reload,
            by_mtime: spec.by_mtime,
            slot: Arc::default(),
            before: Mutex::new(standing.running()),
            standing,
            seen: Mutex::default(),
            failures: context.metrics.counter(
                "nearpath_file_reload_failures_total",
                "Looks at a zone file that could not be taken over.",
                &labels,
            ),
            serial: context.metrics.gauge("nearpath_file_serial", "The serial of the zone that is served.", &labels),
        };
        let mut seen = Seen::default();
        match this.refresh(&mut seen) {
            Err(trouble @ Trouble::Unreadable(_)) if this.reload.is_some() => {
                tracing::warn!(path = %this.path.display(), zone = %origin, reason = %trouble, "zone not read; SERVFAIL until it can be");
                seen.trouble = Some(trouble.to_string());
            }
            Err(trouble) => return Err(refused(&this.path, trouble)),
            Ok(_) => {}
        }
        Ok(Arc::new(Self { seen: Mutex::new(seen), ..this }))
    }

    /// The zone's name.
    pub(crate) fn origin(&self) -> &Name {
        &self.origin
    }

    /// The time between two looks.
    pub(crate) fn reload(&self) -> Option<Duration> {
        self.reload
    }

    /// The zone, without waiting.
    pub(crate) fn zone(&self) -> Option<Arc<Zone>> {
        self.slot.zone()
    }

    /// True if this is what is served now.
    pub(crate) fn is_current(&self, zone: &Arc<Zone>) -> bool {
        self.slot.is_current(zone)
    }

    /// It is served from now on. True if memory may know something else of the zone.
    pub(crate) fn begin(&self) -> bool {
        let before = std::mem::take(&mut *self.before.lock().unwrap_or_else(PoisonError::into_inner));
        self.standing.enter(&self.slot, &before)
    }

    /// Memory has forgotten what it knew before this zone.
    pub(crate) fn settle(&self) {
        self.slot.settle();
    }

    /// Takes a changed file over.
    pub(crate) fn look(&self) -> Look {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, zone) = (self.path.display(), &self.origin);
        let look = match self.refresh(&mut seen) {
            Ok(Look::Untouched) => {
                if seen.trouble.is_some() {
                    self.failures.increment(); // still wrong
                }
                return Look::Untouched;
            }
            Ok(look) => look,
            Err(trouble) => {
                self.failures.increment();
                let said = trouble.to_string();
                if seen.trouble.as_ref() != Some(&said) {
                    tracing::warn!(%path, %zone, reason = said, "zone not read; what it said before still holds");
                    seen.trouble = Some(said);
                }
                return Look::Same;
            }
        };
        seen.trouble = None;
        if look == Look::New {
            let names = self.zone().map_or(0, |zone| zone.names());
            tracing::info!(%path, %zone, serial = self.serial.value(), names, "zone read");
        }
        look
    }

    fn refresh(&self, seen: &mut Seen) -> Result<Look, Trouble> {
        let modified = std::fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|error| {
            seen.at_rest = false; // it may come back as it was
            Trouble::Unreadable(error.to_string())
        })?;
        if seen.at_rest && seen.files.still_hold() {
            return Ok(Look::Untouched);
        }
        let before = self.zone();
        if self.by_mtime && before.is_some() && seen.modified == Some(modified) {
            return Ok(Look::Same);
        }
        let known = before.filter(|_| !self.by_mtime).map(|before| before.serial());
        let mut files = Stamps::default();
        let read = self.read(known, &mut files);
        seen.at_rest = files.were_at_rest(&seen.files);
        seen.files = files;
        let zone = read?;
        seen.modified = Some(modified);
        // of several SOAs the last one counts
        let Some(zone) = zone.filter(|zone| known != Some(zone.serial())) else { return Ok(Look::Same) };
        self.serial.set(zone.serial().into());
        self.slot.replace(zone);
        Ok(Look::New)
    }

    /// `Ok(None)` if the zone has the serial that is known.
    fn read(&self, known: Option<u32>, files: &mut Stamps) -> Result<Option<Zone>, Trouble> {
        files.note(&self.path);
        let octets = master::slurp(&self.path, ZONE_FILE_MAX).map_err(|reason| {
            files.void();
            Trouble::Unreadable(reason)
        })?;
        Ok(Zone::read(&self.path, &octets, &self.origin, known, files)?)
    }
}

/// An error at start, with file and line.
fn refused(path: &Path, trouble: Trouble) -> BuildError {
    match trouble {
        Trouble::Unreadable(reason) => BuildError::file(path, reason),
        Trouble::Bad(bad) => {
            BuildError::File { path: format!("{}:{}", bad.file.display(), bad.line), reason: bad.reason }
        }
    }
}

#[cfg(test)]
mod tests;
