//! From octets to the store: nothing is believed that was not looked at.

use std::time::Duration;

use contract::limits::SEARCH_DOMAINS_MAX;
use contract::wire::{Class, Name, RecordType};
use contract::{Answer, Moment, Scope};

use super::octets::Octets;
use super::{HEAD, MAGIC, Stamp, VERSION, checksum};
use crate::key::REST;
use crate::{BlockId, KeyBuffer, Policy, Store};

/// Why such a piece is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It does not begin as one.
    #[error("it is no file of hot answers")]
    Foreign,
    /// It was written by another version.
    #[error("it has form {0}, and form {VERSION} is read")]
    Version(u32),
    /// The checksum is not that of what follows, or what follows is no whole table.
    #[error("it is damaged")]
    Damaged,
}

/// What a piece holds, its answers not yet looked at.
#[derive(Debug)]
pub struct Warm<'a> {
    /// When it was written.
    pub stamp: Stamp,
    /// What shapes the answers of each block.
    pub blocks: Vec<&'a str>,
    /// The domains of each search list.
    pub lists: Vec<Vec<Name>>,
    answers: Octets<'a>,
}

/// One kept answer.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Its block, by its place in [`Warm::blocks`].
    pub block: usize,
    /// Its search list, by its place in [`Warm::lists`]; `None`: it holds for everybody.
    pub list: Option<usize>,
    rest: &'a [u8],
    name: Name,
    age: u32,
    fresh: Duration,
    usable: Duration,
    wire: &'a [u8],
}

impl<'a> Warm<'a> {
    /// Looks at the head, the checksum and the tables.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub fn read(octets: &'a [u8]) -> Result<Self, Unusable> {
        let (head, body) = octets.split_at_checked(HEAD).ok_or(Unusable::Foreign)?;
        let mut head = Octets(head.strip_prefix(MAGIC).ok_or(Unusable::Foreign)?);
        match head.u32() {
            Some(VERSION) => {}
            version => return Err(Unusable::Version(version.unwrap_or(0))),
        }
        if head.u64() != Some(checksum(body)) {
            return Err(Unusable::Damaged);
        }
        tables(Octets(body)).ok_or(Unusable::Damaged)
    }

    /// The answers in order, as far as they can be read.
    pub fn answers(&self) -> impl Iterator<Item = Kept<'a>> {
        let mut left = self.answers;
        std::iter::from_fn(move || one(&mut left))
    }
}

fn tables(mut octets: Octets<'_>) -> Option<Warm<'_>> {
    let stamp = Stamp { wall: octets.u64()?, boot: octets.u128()?, up: octets.u64()? };
    let (mut blocks, mut lists) = (Vec::new(), Vec::new());
    for _ in 0..octets.u16()? {
        let length = octets.u32()?;
        blocks.push(std::str::from_utf8(octets.take(usize::try_from(length).ok()?)?).ok()?);
    }
    for _ in 0..octets.u16()? {
        let domains = usize::from(octets.u8()?);
        if domains > SEARCH_DOMAINS_MAX {
            return None;
        }
        lists.push((0..domains).map(|_| name(&mut octets)).collect::<Option<_>>()?);
    }
    Some(Warm { stamp, blocks, lists, answers: octets })
}

fn name(octets: &mut Octets<'_>) -> Option<Name> {
    let length = usize::from(octets.u8()?);
    Name::from_wire(octets.take(length)?)
}

fn one<'a>(octets: &mut Octets<'a>) -> Option<Kept<'a>> {
    let block = usize::from(octets.u16()?);
    let list = usize::from(octets.u16()?).checked_sub(1);
    let rest = octets.take(REST)?;
    let name = name(octets)?;
    let age = octets.u32()?;
    let fresh = Duration::from_millis(octets.u32()?.into());
    let usable = Duration::from_millis(octets.u32()?.into());
    let length = usize::from(octets.u16()?);
    Some(Kept { block, list, rest, name, age, fresh, usable, wire: octets.take(length)? })
}

impl Kept<'_> {
    /// Puts it back into a store under the numbers of this process, `passed` after it was written; false if it is past its
    /// use, is no answer to its question, or the block does not want it.
    pub fn put_back(
        &self,
        store: &Store,
        (block, scope): (BlockId, Scope),
        policy: &Policy,
        passed: Duration,
        now: Moment,
    ) -> bool {
        let left = (self.fresh.saturating_sub(passed), self.usable.saturating_sub(passed));
        if left.1.is_zero() {
            return false;
        }
        let rtype = RecordType(u16::from_be_bytes([self.rest[0], self.rest[1]]));
        let class = Class(u16::from_be_bytes([self.rest[2], self.rest[3]]));
        let Some(answer) = Answer::from_kept(self.wire, &self.name, rtype, class) else { return false };
        // TTLs go on from where they would be: a part of a second that has passed counts as a whole one
        let passed = u32::try_from(passed.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
        let age = self.age.saturating_add(passed);
        let answer = answer.with_ttls(|ttl| ttl.saturating_sub(age));
        store.put_back(&KeyBuffer::from_parts(block, scope, self.rest, &self.name), answer, left, policy, now)
    }
}
