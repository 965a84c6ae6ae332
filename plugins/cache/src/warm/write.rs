//! From the store to octets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contract::{Moment, SearchList};

use super::{Stamp, seal};
use crate::key::parts_of;
use crate::{BlockId, Entry, Store};

/// What the numbers in the store's keys stand for.
#[derive(Debug, Default)]
pub struct Names {
    /// The blocks that are served, each with what shapes its answers.
    pub blocks: Vec<(BlockId, String)>,
    /// Search lists.
    pub lists: Vec<Arc<SearchList>>,
}

/// The hot part of a store in at most `octets_max` octets, and how many answers that is. Hot is what was asked for, or stored,
/// within about twice and once `lately`. With `cool`, the time of what is hot begins anew: whoever keeps it regularly says so
/// each time.
pub fn write(
    store: &Store,
    now: Moment,
    names: &Names,
    stamp: &Stamp,
    (lately, cool, octets_max): (Duration, bool, usize),
) -> (Vec<u8>, usize) {
    let mut body = Vec::new();
    body.extend(stamp.wall.to_be_bytes());
    body.extend(stamp.boot.to_be_bytes());
    body.extend(stamp.up.to_be_bytes());
    let blocks = table(&mut body, &names.blocks, |(id, fingerprint), body| {
        body.extend(u32::try_from(fingerprint.len()).unwrap_or(0).to_be_bytes());
        body.extend(fingerprint.as_bytes());
        id.0
    });
    let lists = table(&mut body, &names.lists, |list, body| {
        body.push(u8::try_from(list.domains.len()).unwrap_or(0));
        for domain in &list.domains {
            body.push(u8::try_from(domain.as_wire().len()).unwrap_or(0));
            body.extend(domain.as_wire());
        }
        list.id.0
    });
    let mut count = 0;
    store.visit_hot(now, (lately, cool), &mut |key, entry| {
        let (block, scope, rest, name) = parts_of(key);
        let list = if scope == 0 { Some(0) } else { lists.get(&scope).map(|index| index + 1) };
        let (Some(&block), Some(list)) = (blocks.get(&block.0), list) else { return true };
        if entry.answer().forced_flags() != (0, 0) {
            return true; // only messages are kept, and these say less
        }
        let before = body.len();
        body.extend(block.to_be_bytes());
        body.extend(list.to_be_bytes());
        body.extend(rest);
        body.push(u8::try_from(name.len()).unwrap_or(0));
        body.extend(name);
        answer(&mut body, entry, now);
        let fits = body.len() <= octets_max;
        if fits {
            count += 1;
        } else {
            body.truncate(before);
        }
        fits
    });
    (seal(&body), count)
}

/// Writes a table with its length before it; its rows' numbers, with the place of each row. What does not fit a number of two
/// octets is left out, and with it the answers that need it.
fn table<T>(body: &mut Vec<u8>, rows: &[T], write: impl Fn(&T, &mut Vec<u8>) -> u32) -> HashMap<u32, u16> {
    let rows = &rows[..rows.len().min(usize::from(u16::MAX) - 1)];
    body.extend((rows.len() as u16).to_be_bytes());
    (0..).zip(rows).map(|(index, row)| (write(row, body), index)).collect()
}

fn answer(body: &mut Vec<u8>, entry: &Entry, now: Moment) {
    let milliseconds = |left: Duration| u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    let message = entry.answer().message();
    body.extend(entry.age(now).to_be_bytes());
    body.extend(milliseconds(entry.remaining(now)).to_be_bytes());
    body.extend(milliseconds(entry.usable_for(now)).to_be_bytes());
    body.extend((message.wire().len() as u16).to_be_bytes());
    body.extend(message.wire());
}
