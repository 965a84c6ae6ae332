//! Things that outlive a reload: the plugin of a new Corefile finds what the one of the old Corefile still holds.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Things by their type and a key, each for as long as somebody holds it. A new plugin is built before the old one goes, so
/// what both have stays.
#[derive(Default)]
pub struct Shelf(Mutex<HashMap<TypeId, Box<dyn Any + Send>>>);

/// The things of one type, by keys of one type.
type Things<K, T> = HashMap<K, Weak<T>>;

impl Shelf {
    /// The thing of this type and key: the one that somebody holds, or a new one. `make` must not ask the shelf.
    pub fn get_or_make<K, T>(&self, key: K, make: impl FnOnce() -> T) -> Arc<T>
    where
        K: Eq + Hash + Send + 'static,
        T: Send + Sync + 'static,
    {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let things = shelf.entry(TypeId::of::<Things<K, T>>()).or_insert_with(|| Box::new(Things::<K, T>::new()));
        let things = things.downcast_mut::<Things<K, T>>().expect("it stands under its own type");
        if let Some(thing) = things.get(&key).and_then(Weak::upgrade) {
            return thing;
        }
        things.retain(|_, thing| thing.strong_count() > 0); // so that it never holds more than once were in use together
        let thing = Arc::new(make());
        things.insert(key, Arc::downgrade(&thing));
        thing
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_holds_is_found_and_what_nobody_holds_is_made_anew() {
        let shelf = Shelf::default();
        let held = shelf.get_or_make("one", || 1);
        assert!(Arc::ptr_eq(&held, &shelf.get_or_make("one", || 2)));
        assert_eq!(*shelf.get_or_make("other", || 3), 3);
        assert_eq!(*shelf.get_or_make("other", || 4), 4, "nobody holds it any more");
        drop(held);
        assert_eq!(*shelf.get_or_make("one", || 5), 5);
    }

    #[test]
    fn types_of_things_and_of_keys_are_apart() {
        let shelf = Shelf::default();
        let (number, text) = (shelf.get_or_make(1_u8, || 7), shelf.get_or_make(1_u8, || "seven"));
        let other = shelf.get_or_make(1_u16, || 8);
        assert_eq!((*number, *text, *other), (7, "seven", 8));
    }

    #[test]
    fn what_is_gone_takes_no_room() {
        let shelf = Shelf::default();
        for number in 0..1_000 {
            shelf.get_or_make(number, || number);
        }
        let shelf = shelf.0.into_inner().unwrap();
        let things = shelf.values().next().unwrap().downcast_ref::<Things<i32, i32>>().unwrap();
        assert_eq!(things.len(), 1);
    }
}
