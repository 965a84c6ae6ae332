//! Who is not ready yet: a guard for each part that has still to begin, which drops it itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The names of the parts that are waited for, with how many of each there are.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<BTreeMap<&'static str, usize>>);

/// As long as it is held, the daemon is not ready.
#[derive(Debug)]
#[must_use = "dropped, it says that its part is ready"]
pub struct Pending {
    waiting: Arc<Waiting>,
    name: &'static str,
}

impl Waiting {
    pub(super) fn begin(this: &Arc<Self>, name: &'static str) -> Pending {
        *this.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        Pending { waiting: Arc::clone(this), name }
    }

    /// Each once, in the order of the alphabet.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut names = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = names.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_waited_for_until_its_last_guard_goes() {
        let waiting = Arc::new(Waiting::default());
        let (rules, again) = (Waiting::begin(&waiting, "rules"), Waiting::begin(&waiting, "rules"));
        let upstream = Waiting::begin(&waiting, "upstream");
        drop(rules);
        assert_eq!(waiting.names(), ["rules", "upstream"]);
        drop(again);
        assert_eq!(waiting.names(), ["upstream"]);
        drop(upstream);
        assert!(waiting.names().is_empty());
    }
}
