//! What every object publishes, found by the object and by the name.
//!
//! Both are found by a hash, and then compared: an entry of an index is 16 octets, whatever the names are. Of a name above others
//! the hash alone is kept, with a seed of its own: two of them that are taken for one are not to be expected.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::limits::{PUBLISHED_ABOVE_OCTETS, PUBLISHED_NAMES_MAX, PUBLISHED_OCTETS_MAX};
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
    /// Hashes of names above others that are published, each with how many objects publish how many names below it.
    above: BTreeMap<u64, u32>,
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
        let taken = self.octets + self.above.len() * PUBLISHED_ABOVE_OCTETS;
        let octets_max = PUBLISHED_OCTETS_MAX.saturating_sub(taken);
        let mut above = publications.iter().map(|one| self.new_above(&one.name) * PUBLISHED_ABOVE_OCTETS);
        let mut above_octets = 0;
        let after = Held::new(object, publications, |octets| {
            count += 1;
            above_octets += above.next().unwrap_or_default();
            count <= count_max && octets + above_octets <= octets_max
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

    /// Whether something is published under a name or below it.
    pub(super) fn any_below(&self, name: &Name) -> bool {
        self.above.contains_key(&self.hasher.hash_one(name.as_wire())) || !self.types(name).is_empty()
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

    /// How many names above this one are above no other one yet.
    fn new_above(&self, name: &Name) -> usize {
        above(name.as_wire()).filter(|name| !self.above.contains_key(&self.hasher.hash_one(name))).count()
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
        self.index(place, before, &after);
        let entry = (self.hasher.hash_one(key(object)), place);
        if after.is_free() {
            self.by_object.remove(&entry);
            self.free.push(place);
        } else {
            self.by_object.insert(entry);
        }
        self.held[place as usize] = after;
    }

    /// What the object at a place publishes is found by its names, and by those above them.
    fn index(&mut self, place: u32, before: &Held, after: &Held) {
        let (old, new) = (names(before), names(after));
        for name in old.difference(&new) {
            self.by_name.remove(&(self.hasher.hash_one(name), place));
            for name in above(name) {
                let Entry::Occupied(mut count) = self.above.entry(self.hasher.hash_one(name)) else { continue };
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        for name in new.difference(&old) {
            self.by_name.insert((self.hasher.hash_one(name), place));
            for name in above(name) {
                *self.above.entry(self.hasher.hash_one(name)).or_default() += 1;
            }
        }
    }
}

/// The names of an object, each once.
fn names(held: &Held) -> HashSet<&[u8]> {
    held.views().map(|view| view.name).collect()
}

/// The names above one in wire form, the root last.
fn above(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(name), |name| parent(name))
}

fn parent(name: &[u8]) -> Option<&[u8]> {
    let (length, rest) = name.split_first()?;
    rest.get(usize::from(*length)..).filter(|parent| !parent.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn object(number: usize) -> Object {
        Object { kind: Kind::Service, namespace: "shop".into(), name: number.to_string().into() }
    }

    fn a(name: &str) -> Publication {
        let targets = ["192.0.2.1".into()].into();
        let name = Name::parse(name).unwrap();
        Publication { name, rtype: Some(RecordType::A), targets, ttl: None, is_plain: true }
    }

    #[test]
    fn names_above_are_counted_and_go_with_the_last_name_below() {
        let mut store = Store::default();
        let below = |store: &Store, name: &str| store.any_below(&Name::parse(name).unwrap());
        store.set(&object(0), &[a("x.b.z"), a("x.b.z"), a("y.b.z")]);
        store.set(&object(1), &[a("x.b.z"), a("c.z")]);
        assert_eq!(store.above.len(), 3, "b.z, z and the root");
        assert!(below(&store, "b.z") && below(&store, "x.b.z") && below(&store, ".") && !below(&store, "w.x.b.z"));
        store.set(&object(0), &[a("y.b.z")]);
        store.set(&object(1), &[]);
        assert!(below(&store, "b.z") && !below(&store, "c.z") && !below(&store, "x.b.z"));
        store.set(&object(0), &[]);
        assert!(store.above.is_empty() && !below(&store, "z"));
    }

    #[test]
    fn deep_names_take_of_the_same_room() {
        let mut store = Store::default();
        let large = |name: &str| Publication { targets: ["x".repeat(6_000).into()].into(), ..a(name) };
        let deep = |number: usize| large(&format!("{}{number}", "a.".repeat(120)));
        let mut kept = 0;
        while store.set(&object(kept), &[deep(kept)]).is_whole {
            kept += 1;
        }
        let taken = store.octets + store.above.len() * PUBLISHED_ABOVE_OCTETS;
        assert!(taken <= PUBLISHED_OCTETS_MAX && taken > PUBLISHED_OCTETS_MAX - 16_384, "{taken}");
        assert!(kept < PUBLISHED_NAMES_MAX && store.above.len() > 100 * kept);
        store.set(&object(0), &[]);
        assert!(store.set(&object(kept), &[deep(kept)]).is_whole, "room is given back");
    }

    #[test]
    fn names_below_a_wildcard_are_found_without_a_look_at_all() {
        let mut store = Store::default();
        for number in 0..10_000 {
            store.set(&object(number), &[a(&format!("n{number}.team-{}.z", number % 20))]);
        }
        let before = crate::published::held::READ.get();
        for (asked, expected) in [("team-7.z", true), ("other.z", false), ("n7.team-7.z", true), ("x.team-7.z", false)]
        {
            assert_eq!(store.any_below(&Name::parse(asked).unwrap()), expected, "{asked}");
        }
        let read = crate::published::held::READ.get() - before;
        assert!(read <= 4, "{read} objects were read");
    }
}
