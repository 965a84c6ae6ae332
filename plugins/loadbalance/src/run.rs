//! The addresses of one section, and how they change places without anything else in the message noticing.
//!
//! A record whose owner is written as a pointer holds no label that another name could point to, so it can lie anywhere.
//! One that spells its owner keeps its place, and changes TTL and RDATA with others of the same owner and type.

use std::net::IpAddr;

use contract::limits::BALANCED_ADDRESSES_MAX;
use contract::wire::{Message, Record, RecordType, Section, read_name};

/// Where one address record lies.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    start: u16,
    /// Where its TTL is.
    ttl_at: u16,
    end: u16,
    /// It holds no label.
    is_free: bool,
}

/// The address records of a section, in order.
#[derive(Debug)]
pub(crate) struct Run {
    spots: [Spot; BALANCED_ADDRESSES_MAX],
    count: usize,
    /// They lie one behind the other, and all are free.
    is_loose: bool,
}

/// Octets of a record between its TTL and its RDATA: the TTL itself and the length.
const TTL_TO_RDATA: u16 = 6;
/// A length octet from here on is a pointer (RFC 1035 4.1.4).
const POINTER: u8 = 0xc0;

impl Run {
    /// The address records of a section; the first [`BALANCED_ADDRESSES_MAX`] of them.
    pub(crate) fn of(message: &Message<'_>, section: Section) -> Self {
        let mut this = Self { spots: [Spot::default(); BALANCED_ADDRESSES_MAX], count: 0, is_loose: true };
        for record in message.section(section).filter(is_address) {
            let Some(spot) = this.spots.get_mut(this.count) else { break };
            *spot = Spot::of(message, &record);
            this.is_loose &= spot.is_free && (this.count == 0 || this.spots[this.count - 1].end == record.owner as u16);
            this.count += 1;
        }
        this
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The address in a place.
    pub(crate) fn address(&self, reply: &[u8], place: usize) -> IpAddr {
        let spot = self.spots[place];
        let rdata = &reply[usize::from(spot.ttl_at + TTL_TO_RDATA)..usize::from(spot.end)];
        match (<[u8; 4]>::try_from(rdata), <[u8; 16]>::try_from(rdata)) {
            (Ok(v4), _) => IpAddr::from(v4),
            (_, Ok(v6)) => IpAddr::from(v6).to_canonical(),
            _ => unreachable!("only records with whole addresses are taken"),
        }
    }

    /// The owner of the record in a place, wire form, lower case: its octets and their number; `None` if it is broken.
    pub(crate) fn owner(&self, reply: &[u8], place: usize) -> Option<([u8; 255], usize)> {
        let mut name = [0; 255];
        let length = read_name(reply, self.spots[place].start.into(), &mut name)?;
        name.make_ascii_lowercase(); // length octets are below every letter
        Some((name, length))
    }

    /// Lets two records change places, `one` before `other`, if they can.
    pub(crate) fn exchange(&mut self, reply: &mut [u8], one: usize, other: usize) {
        let (first, second) = (self.spots[one], self.spots[other]);
        if first.length() == second.length() && first.is_free && second.is_free {
            swap(reply, (first.start, first.end), (second.start, second.end));
        } else if self.is_loose {
            let span = &mut reply[usize::from(first.start)..usize::from(second.end)];
            span.rotate_right(second.length());
            span[second.length()..].rotate_left(first.length());
            self.spots.swap(one, other);
            self.lay_out(one, other, first.start);
        } else if first.end - first.ttl_at == second.end - second.ttl_at
            && self.owner(reply, one) == self.owner(reply, other)
        {
            swap(reply, (first.ttl_at, first.end), (second.ttl_at, second.end));
        }
    }

    /// Takes a record out of its place and puts it before an earlier one; those between move on by one.
    pub(crate) fn bring(&mut self, reply: &mut [u8], from: usize, to: usize) {
        if !self.is_loose {
            return (to..from).for_each(|place| self.exchange(reply, place, from));
        }
        let (first, last) = (self.spots[to], self.spots[from]);
        reply[usize::from(first.start)..usize::from(last.end)].rotate_right(last.length());
        self.spots[to..=from].rotate_right(1);
        self.lay_out(to, from, first.start);
    }

    /// Says anew where the records from one place to another begin and end.
    fn lay_out(&mut self, from: usize, to: usize, mut start: u16) {
        for spot in &mut self.spots[from..=to] {
            let moved = Spot {
                start,
                ttl_at: start + (spot.ttl_at - spot.start),
                end: start + (spot.end - spot.start),
                is_free: spot.is_free,
            };
            *spot = moved;
            start = moved.end;
        }
    }
}

impl Spot {
    fn of(message: &Message<'_>, record: &Record) -> Self {
        let first = message.wire()[record.owner];
        Self {
            start: record.owner as u16,
            ttl_at: record.ttl_at as u16,
            end: record.end as u16,
            is_free: first >= POINTER || first == 0,
        }
    }

    fn length(self) -> usize {
        usize::from(self.end - self.start)
    }
}

/// True for an A or AAAA with a whole address.
fn is_address(record: &Record) -> bool {
    let length = record.end - record.rdata;
    matches!((record.rtype, length), (RecordType::A, 4) | (RecordType::AAAA, 16))
}

/// Exchanges two stretches of the same length, the first one before the second.
fn swap(reply: &mut [u8], one: (u16, u16), other: (u16, u16)) {
    let (before, behind) = reply.split_at_mut(other.0.into());
    let length = usize::from(other.1 - other.0);
    before[usize::from(one.0)..usize::from(one.1)].swap_with_slice(&mut behind[..length]);
}
