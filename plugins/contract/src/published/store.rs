//! What every object publishes, found by the object and by the name.
//!
//! Both are found by a hash, and then compared: an entry of an index is 16 octets, whatever the names are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::limits::{PUBLISHED_NAMES_MAX, PUBLISHED_OCTETS_MAX};
use crate::published::held::{Held, Key, View, key};
use crate::published::{Kind, Object, Publication};
use crate::wire::{Name, RecordType};

/// Hashes with the places that they are found at.
type Index = BTreeSet<(u64, u32)>;

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Store {
    hasher: RandomState,
    /// By place.
    held: Vec<Held>,
    /// Places of objects that are gone.
    free: Vec<u32>,
    by_object: Index,
    by_name: Index,
    /// Publications of all objects together, and what objects take in octets, the indices apart.
    count: usize,
    octets: usize,
}

/// What a word about an object changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Names under which something else is published now, ascending.
    pub(super) names: Vec<Name>,
    /// Types that this object no longer publishes under a name.
    pub(super) gone: Vec<(Name, Option<RecordType>)>,
    /// False if there was no room for all of it.
    pub(super) is_whole: bool,
}

impl Store {
    /// An object publishes this, and nothing else.
    pub(super) fn set(&mut self, object: &Object, publications: &[Publication]) -> Change {
        let place = self.place(key(object));
        let before = place.map(|place| std::mem::take(&mut self.held[place as usize])).unwrap_or_default();
        self.count -= before.views().count();
        self.octets -= before.octets();
        let (mut count, count_max) = (self.count, PUBLISHED_NAMES_MAX);
        let octets_max = PUBLISHED_OCTETS_MAX.saturating_sub(self.octets);
        let after = Held::new(object, publications, |octets| {
            count += 1;
            count <= count_max && octets <= octets_max
        });
        let after = if after.views().next().is_some() { after } else { Held::default() };
        let kept = after.views().count();
        self.count += kept;
        self.octets += after.octets();
        let mut change = compare(&before, &after);
        change.is_whole = kept == publications.len();
        if !change.is_whole {
            // what found no room is said all the same
            change
                .gone
                .retain(|(name, rtype)| !publications.iter().any(|one| one.name == *name && one.rtype == *rtype));
        }
        self.keep(object, place, &before, after);
        change
    }

    /// Objects of a kind that are not among these.
    pub(super) fn others<'o>(&self, kind: Kind, objects: impl Iterator<Item = &'o Object>) -> Vec<Object> {
        let there: HashSet<Key<'_>> = objects.map(key).collect();
        let held = self.held.iter().filter(|held| !held.is_free());
        held.filter(|held| held.key().0 == kind && !there.contains(&held.key())).map(Held::object).collect()
    }

    /// What is published under this very name, in the order of the objects.
    pub(super) fn at(&self, name: &Name) -> Vec<(Arc<Object>, Publication)> {
        let mut found = Vec::new();
        for held in self.holders(name) {
            let object = Arc::new(held.object());
            let views = held.views().filter(|view| view.name == name.as_wire());
            found.extend(views.map(|view| (Arc::clone(&object), view.publication())));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// The types that are published under this very name.
    pub(super) fn types(&self, name: &Name) -> Vec<Option<RecordType>> {
        let views = self.holders(name).flat_map(Held::views);
        views.filter(|view| view.name == name.as_wire()).map(|view| view.rtype).collect()
    }

    /// Whether something is published under a name or below it. Looks at everything.
    pub(super) fn any_below(&self, name: &Name) -> bool {
        let mut views = self.held.iter().flat_map(Held::views);
        views.any(|view| Name::strip(view.name, name.as_wire()).is_some())
    }

    /// The names of all publications, in wire form.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.held.iter().flat_map(Held::views).map(|view| view.name)
    }

    /// How many publications there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Objects that may publish under a name.
    fn holders(&self, name: &Name) -> impl Iterator<Item = &Held> {
        let hash = self.hasher.hash_one(name.as_wire());
        self.by_name.range((hash, 0)..=(hash, u32::MAX)).map(|(_, place)| &self.held[*place as usize])
    }

    fn place(&self, key: Key<'_>) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let mut places = self.by_object.range((hash, 0)..=(hash, u32::MAX)).map(|(_, place)| *place);
        places.find(|place| self.held[*place as usize].key() == key)
    }

    /// Puts an object where it was, or into a free place, or gives its place up.
    fn keep(&mut self, object: &Object, place: Option<u32>, before: &Held, after: Held) {
        let place = match place {
            Some(place) => place,
            None if after.is_free() => return,
            None => self.free.pop().unwrap_or_else(|| {
                self.held.push(Held::default());
                u32::try_from(self.held.len() - 1).expect("PUBLISHED_NAMES_MAX objects at most")
            }),
        };
        let hash = |view: View<'_>| self.hasher.hash_one(view.name);
        let (old, new): (HashSet<u64>, HashSet<u64>) =
            (before.views().map(hash).collect(), after.views().map(hash).collect());
        old.difference(&new).for_each(|hash| {
            self.by_name.remove(&(*hash, place));
        });
        self.by_name.extend(new.difference(&old).map(|hash| (*hash, place)));
        let entry = (self.hasher.hash_one(key(object)), place);
        if after.is_free() {
            self.by_object.remove(&entry);
            self.free.push(place);
        } else {
            self.by_object.insert(entry);
        }
        self.held[place as usize] = after;
    }
}

/// What is under each name, before and after.
fn compare(before: &Held, after: &Held) -> Change {
    let mut by_name: BTreeMap<&[u8], [Vec<View<'_>>; 2]> = BTreeMap::new();
    for (side, held) in [before, after].into_iter().enumerate() {
        held.views().for_each(|view| by_name.entry(view.name).or_default()[side].push(view));
    }
    let mut change = Change::default();
    for [old, new] in by_name.into_values().filter(|[old, new]| old != new) {
        let name = old.first().or(new.first()).expect("a side has it").owned_name();
        let gone = old.iter().filter(|old| !new.iter().any(|new| new.rtype == old.rtype));
        let types: BTreeSet<Option<RecordType>> = gone.map(|view| view.rtype).collect();
        change.gone.extend(types.into_iter().map(|rtype| (name.clone(), rtype)));
        change.names.push(name);
    }
    change
}
