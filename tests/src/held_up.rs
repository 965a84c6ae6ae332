//! How long this machine holds up whoever only sleeps: the control beside a time that is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long it sleeps at a time.
const NAP: Duration = Duration::from_millis(10);

/// A thread that sleeps and notes by how much it was late at most; it ends with this.
#[derive(Debug)]
pub struct HeldUp {
    open: Arc<AtomicBool>,
    longest: Arc<AtomicU64>,
}

impl HeldUp {
    /// Begins to look.
    pub fn watch() -> Self {
        let (open, longest) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let (is_open, most) = (Arc::clone(&open), Arc::clone(&longest));
        std::thread::spawn(move || {
            while is_open.load(Ordering::Relaxed) {
                let start = Instant::now();
                std::thread::sleep(NAP);
                let late = start.elapsed().saturating_sub(NAP).as_micros();
                most.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { open, longest }
    }

    /// The longest time so far by which it was late.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.load(Ordering::Relaxed))
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
    }
}
