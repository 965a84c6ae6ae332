//! Answers kept over a restart: whatever the file holds, what is put back into the store are whole answers.

use std::sync::Arc;
use std::time::Duration;

use cache::warm::{Names, Stamp, Warm, seal, write};
use cache::{BlockId, Policy, Store};
use contract::metrics::Metrics;
use contract::{Moment, Scope, SearchLists};

/// The octets that the store may take.
const ROOM: u64 = 1 << 20;

/// Takes octets as a whole file, and as the body of one whose checksum fits.
pub fn warm(data: &[u8]) {
    take_over(data);
    take_over(&seal(data));
}

fn take_over(octets: &[u8]) {
    let Ok(warm) = Warm::read(octets) else { return };
    let (store, now) = (Store::new(ROOM, Arc::new(Metrics::default())), Moment(1));
    let lists = SearchLists::default();
    let lists: Vec<_> = warm.lists.iter().map(|domains| lists.intern(domains)).collect();
    let mut back = 0;
    for kept in warm.answers() {
        let scope = kept.list.and_then(|list| lists.get(list)).map_or(Scope::Shared, |list| Scope::Search(list.id));
        back += usize::from(kept.put_back(&store, (BlockId(1), scope), &Policy::default(), Duration::ZERO, now));
    }
    assert!(store.bytes() <= ROOM, "the store's bound holds");
    // what was put back can be kept again, and is read again
    let names = Names { blocks: vec![(BlockId(1), String::new())], lists };
    let (again, count) = write(&store, now, &names, &Stamp::default(), (Duration::from_secs(1), false, 4 << 20));
    let read = Warm::read(&again).expect("what was just written can be read").answers().count();
    assert!(read == count && count <= back, "{read} read of {count} written of {back} put back");
}
