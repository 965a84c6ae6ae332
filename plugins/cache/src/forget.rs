//! Which memorised answers rest on a name: its own, those with it in their chain, and what AutoPath made of it.

use contract::Moment;
use contract::wire::{Name, RecordType, Section};

use crate::Entry;
use crate::key::parts_of;

/// The scope of answers that hold for everybody.
const SHARED: u32 = 0;

/// True if the answer rests on one of these names and is to go: one of the name itself if it is older than `before`, any other at
/// once. A name that begins with `*` stands for all names below its parent.
pub(crate) fn rests_on(names: &[Name], before: Moment, key: &[u8], entry: &Entry) -> bool {
    let (_, scope, _, asked) = parts_of(key);
    if scope == SHARED && names.iter().any(|name| covers(name, asked)) {
        return entry.stored() < before;
    }
    scope != SHARED && names.iter().any(|name| begins_with(asked, name)) || has_in_chain(names, entry)
}

/// True if the question is about a name in one of these zones, or is a search for one.
pub(crate) fn concerns(zones: &[Name], key: &[u8]) -> bool {
    let (_, scope, _, asked) = parts_of(key);
    let within = zones.iter().any(|zone| Name::strip(asked, zone.as_wire()).is_some());
    within || scope != SHARED && zones.iter().any(|zone| has_inside(asked, zone))
}

/// True if the name of a wildcard or an exact name is that of the question.
fn covers(name: &Name, asked: &[u8]) -> bool {
    match below_wildcard(name) {
        Some(parent) => Name::strip(asked, parent).is_some_and(|labels| !labels.is_empty()),
        None => asked == name.as_wire(),
    }
}

/// The parent of a wildcard, in wire form.
fn below_wildcard(name: &Name) -> Option<&[u8]> {
    name.as_wire().strip_prefix(b"\x01*")
}

/// True if the labels of `name` come first in a search's name, before the domain that it begins with.
fn begins_with(asked: &[u8], name: &Name) -> bool {
    match below_wildcard(name) {
        Some(parent) => has_labels_inside(asked, parent),
        None => asked.starts_with(&name.as_wire()[..name.as_wire().len() - 1]),
    }
}

fn has_inside(asked: &[u8], zone: &Name) -> bool {
    has_labels_inside(asked, zone.as_wire())
}

/// True if the labels of `zone` (wire form, with the root's) stand in `asked`, from the start of a label on.
fn has_labels_inside(asked: &[u8], zone: &[u8]) -> bool {
    let labels = &zone[..zone.len() - 1];
    let mut at = 0;
    while at < asked.len() && asked[at] != 0 {
        if asked[at..].starts_with(labels) {
            return true;
        }
        at += 1 + usize::from(asked[at]);
    }
    false
}

/// True if an answer's records, or the target of one of its CNAMEs, belong to one of these names.
fn has_in_chain(names: &[Name], entry: &Entry) -> bool {
    let message = entry.answer().message();
    message.section(Section::Answer).filter(|record| record.rtype == RecordType::CNAME).any(|record| {
        [record.owner, record.rdata]
            .into_iter()
            .filter_map(|at| message.name(at))
            .any(|known| names.iter().any(|name| covers(name, known.as_wire())))
    })
}
