//! Names inside the chains of answers: memory has those under the name that was asked for, so that pods rest on a name for which
//! nobody has ever asked.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use contract::limits::LINKED_HALF_MAX;
use contract::wire::Name;

/// Such names, in two halves: a full one becomes the older one, and what is told no more leaves with it.
#[derive(Debug, Default)]
pub(super) struct Linked(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashSet<Name>,
    old: HashSet<Name>,
}

impl Linked {
    /// An answer leads through these names.
    pub(super) fn note(&self, names: Vec<Name>) {
        if names.is_empty() {
            return;
        }
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if halves.young.len() >= LINKED_HALF_MAX && !halves.young.contains(&name) {
                halves.old = std::mem::take(&mut halves.young);
            }
            halves.young.insert(name);
        }
    }

    /// True if an answer led through this name, as far as that is remembered.
    pub(super) fn has(&self, name: &Name) -> bool {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.contains(name) || halves.old.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_and_the_latest_stay() {
        let linked = Linked::default();
        let name = |index: usize| Name::parse(&format!("n{index}.corp.example")).unwrap();
        let last = 3 * LINKED_HALF_MAX;
        for index in 0..last {
            linked.note(vec![name(0), name(index)]);
        }
        assert!(linked.has(&name(0)) && linked.has(&name(last - 1)) && linked.has(&name(last - LINKED_HALF_MAX / 2)));
        assert!(!linked.has(&name(1)) && !linked.has(&name(last)));
        let halves = linked.0.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * LINKED_HALF_MAX);
    }
}
