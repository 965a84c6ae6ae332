//! The file of weights: read at start and then from time to time; what it said before holds while it is wrong.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use contract::limits::WEIGHT_FILE_MAX;
use contract::metrics::Counter;
use contract::{BuildError, Context};

use crate::weights::{BadLine, Weights};

/// A file and what was last read from it.
#[derive(Debug)]
pub(crate) struct WeightFile {
    path: PathBuf,
    /// Between two looks; `None`: it is read once.
    reload: Option<Duration>,
    weights: ArcSwap<Weights>,
    /// Only whoever looks at the file takes it; replies do not.
    seen: Mutex<Seen>,
    failures: Arc<Counter>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The text that was last judged, whether it was taken over or not.
    text: Option<Vec<u8>>,
    /// What was logged last, so that the same is not logged at every look.
    trouble: Option<String>,
}

/// Why a file gave no weights.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("it is no file")]
    NoFile,
    #[error("it is larger than {WEIGHT_FILE_MAX} octets")]
    TooLarge,
    #[error("it is no UTF-8 text")]
    NoText,
    #[error(transparent)]
    BadLine(#[from] BadLine),
}

impl WeightFile {
    /// Reads the file for the first time. One that cannot be opened is awaited if it is looked at again.
    pub(crate) fn open(path: &Path, reload: Option<Duration>, context: &Context) -> Result<Arc<Self>, BuildError> {
        let failures = context.metrics.counter(
            "nearpath_loadbalance_reload_failures_total",
            "Looks at a file of weights that could not be taken over.",
            &[("weightfile", &path.display().to_string())],
        );
        let this =
            Self { path: path.to_owned(), reload, weights: ArcSwap::default(), seen: Mutex::default(), failures };
        let mut seen = Seen::default();
        match this.refresh(&mut seen) {
            Err(trouble @ Trouble::Unreadable(_)) if reload.is_some() => {
                tracing::warn!(path = %path.display(), reason = %trouble, "weights not read; all are 1 until they can be");
                seen.trouble = Some(trouble.to_string());
            }
            Err(trouble) => return Err(BuildError::file(path, trouble)),
            Ok(_) => {}
        }
        Ok(Arc::new(Self { seen: Mutex::new(seen), ..this }))
    }

    /// The weights, without waiting.
    pub(crate) fn weights(&self) -> Guard<Arc<Weights>> {
        self.weights.load()
    }

    /// Looks at the file again and again.
    pub(crate) async fn watched(self: Arc<Self>) {
        let Some(every) = self.reload else { return };
        let mut timer = tokio::time::interval(every);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer.tick().await; // the first one is at once, and the file has just been read
        loop {
            timer.tick().await;
            let this = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!(%error, "looking at the file of weights failed");
            }
        }
    }

    /// Takes the file over if it has changed.
    pub(crate) fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        match self.refresh(&mut seen) {
            Ok(false) => {}
            Ok(true) => {
                seen.trouble = None;
                tracing::info!(%path, addresses = self.weights.load().count(), "weights read");
            }
            Err(trouble) => {
                self.failures.increment();
                let said = trouble.to_string();
                if seen.trouble.as_ref() != Some(&said) {
                    tracing::warn!(%path, reason = said, "weights not read; those from before still hold");
                    seen.trouble = Some(said);
                }
            }
        }
    }

    /// `Ok(false)` if the text is the one that was judged last.
    fn refresh(&self, seen: &mut Seen) -> Result<bool, Trouble> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(Trouble::NoFile); // opening a pipe would wait for its writer
        }
        let mut text = Vec::new();
        File::open(&self.path)?.take(WEIGHT_FILE_MAX as u64 + 1).read_to_end(&mut text)?;
        if text.len() > WEIGHT_FILE_MAX {
            return Err(Trouble::TooLarge);
        }
        if seen.text.as_ref() == Some(&text) {
            return Ok(false);
        }
        let judged = str::from_utf8(&text).map_err(|_| Trouble::NoText).and_then(|text| Ok(Weights::parse(text)?));
        seen.text = Some(text); // also if it is refused: the same text is not judged twice
        self.weights.store(Arc::new(judged?));
        Ok(true)
    }
}
