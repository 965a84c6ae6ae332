//! An object and what it publishes in one piece of memory: a node may know a hundred thousand of them.
//!
//! ```text
//!   kind | namespace | name | publication ...
//!   publication: name | flags | type, if known | TTL, if asked for | number of targets | target ...
//! ```
//!
//! A number takes seven bits an octet, the lowest first; a text or a name stands behind its length. One content has one form,
//! so equal octets are equal publications.

use crate::published::{Kind, Object, Publication};
use crate::wire::{Name, RecordType};

const HAS_TYPE: u8 = 1;
const HAS_TTL: u8 = 2;
const IS_PLAIN: u8 = 4;

#[cfg(test)]
thread_local! {
    /// How often what an object publishes was read.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What tells an object from others.
pub(super) type Key<'h> = (Kind, &'h str, &'h str);

/// An object as it is kept.
#[derive(Debug, Default)]
pub(super) struct Held(Box<[u8]>);

/// A publication as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View<'h> {
    /// Its name in wire form.
    pub(super) name: &'h [u8],
    pub(super) rtype: Option<RecordType>,
    /// All octets of it.
    pub(super) octets: &'h [u8],
}

/// The key of an object.
pub(super) fn key(object: &Object) -> Key<'_> {
    (object.kind, &object.namespace, &object.name)
}

impl Held {
    /// As many of the publications, from the first on, as `fits` says yes to: it is told how many octets they take with this one.
    pub(super) fn new(object: &Object, publications: &[Publication], mut fits: impl FnMut(usize) -> bool) -> Self {
        let mut octets = vec![object.kind as u8];
        push(&mut octets, object.namespace.as_bytes());
        push(&mut octets, object.name.as_bytes());
        for publication in publications {
            let length = octets.len();
            push_publication(&mut octets, publication);
            if !fits(octets.len()) {
                octets.truncate(length);
                break;
            }
        }
        Self(octets.into())
    }

    /// True for the place of an object that is gone.
    pub(super) fn is_free(&self) -> bool {
        self.0.is_empty()
    }

    /// How much memory it takes.
    pub(super) fn octets(&self) -> usize {
        self.0.len()
    }

    /// Whose it is; not to be asked of a free place.
    pub(super) fn key(&self) -> Key<'_> {
        self.read().0
    }

    /// The same as an object of its own.
    pub(super) fn object(&self) -> Object {
        let (kind, namespace, name) = self.key();
        Object { kind, namespace: namespace.into(), name: name.into() }
    }

    /// What it publishes; nothing if the place is free.
    pub(super) fn views(&self) -> impl Iterator<Item = View<'_>> {
        #[cfg(test)]
        READ.set(READ.get() + 1);
        let mut reader = if self.is_free() { Reader(&[]) } else { self.read().1 };
        std::iter::from_fn(move || (!reader.0.is_empty()).then(|| reader.view()))
    }

    fn read(&self) -> (Key<'_>, Reader<'_>) {
        let (kind, rest) = self.0.split_first().expect("it is not free");
        let kind = [Kind::DnsEndpoint, Kind::Service, Kind::Ingress][usize::from(*kind)];
        let mut reader = Reader(rest);
        ((kind, reader.text(), reader.text()), reader)
    }
}

impl View<'_> {
    /// The same with memory of its own.
    pub(super) fn publication(&self) -> Publication {
        let mut reader = Reader(self.octets);
        let name = reader.owned_name();
        let flags = reader.octet();
        let rtype = (flags & HAS_TYPE != 0).then(|| RecordType(reader.number() as u16));
        let ttl = (flags & HAS_TTL != 0).then(|| reader.number() as u32);
        let targets = (0..reader.number()).map(|_| reader.text().into()).collect();
        Publication { name, rtype, targets, ttl, is_plain: flags & IS_PLAIN != 0 }
    }

    /// The name with memory of its own.
    pub(super) fn owned_name(&self) -> Name {
        Reader(self.octets).owned_name()
    }
}

fn push_publication(octets: &mut Vec<u8>, publication: &Publication) {
    let Publication { name, rtype, targets, ttl, is_plain } = publication;
    push(octets, name.as_wire());
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    octets.push(flag(rtype.is_some(), HAS_TYPE) | flag(ttl.is_some(), HAS_TTL) | flag(*is_plain, IS_PLAIN));
    rtype.iter().for_each(|rtype| push_number(octets, usize::from(rtype.0)));
    ttl.iter().for_each(|ttl| push_number(octets, *ttl as usize));
    push_number(octets, targets.len());
    targets.iter().for_each(|target| push(octets, target.as_bytes()));
}

fn push(octets: &mut Vec<u8>, text: &[u8]) {
    push_number(octets, text.len());
    octets.extend_from_slice(text);
}

fn push_number(octets: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        octets.push(number as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

/// Takes from the front what the functions above put there.
#[derive(Clone)]
struct Reader<'h>(&'h [u8]);

impl<'h> Reader<'h> {
    fn octet(&mut self) -> u8 {
        let (octet, rest) = self.0.split_first().expect("it was put there");
        self.0 = rest;
        *octet
    }

    fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let octet = self.octet();
            number |= usize::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    fn octets(&mut self) -> &'h [u8] {
        let length = self.number();
        let (octets, rest) = self.0.split_at(length);
        self.0 = rest;
        octets
    }

    fn text(&mut self) -> &'h str {
        std::str::from_utf8(self.octets()).expect("it was a text")
    }

    fn owned_name(&mut self) -> Name {
        Name::from_wire(self.octets()).expect("it was a name")
    }

    fn view(&mut self) -> View<'h> {
        let whole = self.0;
        let name = self.octets();
        let flags = self.octet();
        let rtype = (flags & HAS_TYPE != 0).then(|| RecordType(self.number() as u16));
        if flags & HAS_TTL != 0 {
            self.number();
        }
        for _ in 0..self.number() {
            self.octets();
        }
        View { name, rtype, octets: &whole[..whole.len() - self.0.len()] }
    }
}
