//! A zone and its file: read at start, again when it has changed, and kept while something is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use contract::limits::ZONE_FILE_MAX;
use contract::metrics::{Counter, Gauge};
use contract::wire::Name;
use contract::{BuildError, Context};

use crate::master;
use crate::spec::ZoneSpec;
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
    /// Absent until it could be read.
    zone: ArcSwapOption<Zone>,
    /// Only whoever looks at the file takes it; questions do not.
    seen: Mutex<Seen>,
    failures: Arc<Counter>,
    serial: Arc<Gauge>,
}

#[derive(Debug, Default)]
struct Seen {
    modified: Option<SystemTime>,
    /// What was logged last, so that the same is not logged at every look.
    trouble: Option<String>,
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
        let this = Self {
            origin: origin.clone(),
            path: spec.file.clone(),
            reload: spec.reload,
            by_mtime: spec.by_mtime,
            zone: ArcSwapOption::empty(),
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
        self.zone.load_full()
    }

    /// True if this is what is served now.
    pub(crate) fn is_current(&self, zone: &Arc<Zone>) -> bool {
        self.zone.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, zone))
    }

    /// Takes a changed file over; says whether the zone is another one now.
    pub(crate) fn look(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, zone) = (self.path.display(), &self.origin);
        match self.refresh(&mut seen) {
            Ok(has_changed) => {
                seen.trouble = None;
                if has_changed {
                    let names = self.zone.load().as_ref().map_or(0, |zone| zone.names());
                    tracing::info!(%path, %zone, serial = self.serial.value(), names, "zone read");
                }
                has_changed
            }
            Err(trouble) => {
                self.failures.increment();
                let said = trouble.to_string();
                if seen.trouble.as_ref() != Some(&said) {
                    tracing::warn!(%path, %zone, reason = said, "zone not read; what it said before still holds");
                    seen.trouble = Some(said);
                }
                false
            }
        }
    }

    /// `Ok(false)` if the zone is the one that is served.
    fn refresh(&self, seen: &mut Seen) -> Result<bool, Trouble> {
        let modified = std::fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|error| Trouble::Unreadable(error.to_string()))?;
        let before = self.zone.load();
        if self.by_mtime && before.is_some() && seen.modified == Some(modified) {
            return Ok(false);
        }
        let octets = master::slurp(&self.path, ZONE_FILE_MAX).map_err(Trouble::Unreadable)?;
        let zone = Zone::read(&self.path, &octets, &self.origin)?;
        seen.modified = Some(modified);
        if !self.by_mtime && before.as_ref().is_some_and(|before| before.serial() == zone.serial()) {
            return Ok(false);
        }
        self.serial.set(zone.serial().into());
        self.zone.store(Some(Arc::new(zone)));
        Ok(true)
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
