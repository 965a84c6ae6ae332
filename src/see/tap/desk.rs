//! The tap of one desk: what it answers goes to whoever looks on, at a bounded pace, without waiting for anybody.

use contract::limits::{TAP_RING_OCTETS, TAP_RINGS_MAX};
use contract::{Moment, Transport};
use rtrb::{Consumer, Producer, RingBuffer};

use super::pace::Pace;
use super::record::Record;
use super::{Shown, Taps};

/// A desk's tap. While nobody looks it is not touched.
pub struct Tap {
    pace: Pace,
    outlet: Outlet,
}

enum Outlet {
    /// A thread's own ring, through which nothing is locked or allocated. It comes once it is needed.
    Ring { coming: Consumer<Producer<u8>>, ring: Option<Producer<u8>> },
    /// What all others share.
    Queue,
}

/// Where a desk's ring is handed over, and its other end kept.
pub(super) struct Seat {
    hand_over: Producer<Producer<u8>>,
    is_given: bool,
}

impl Tap {
    /// A tap of a thread that answers datagrams, or of a connection.
    pub fn new(taps: &Taps, transport: Transport) -> Self {
        let outlet = match transport {
            Transport::Udp => {
                let (hand_over, coming) = RingBuffer::new(1);
                taps.seat(Seat { hand_over, is_given: false });
                Outlet::Ring { coming, ring: None }
            }
            Transport::Tcp | Transport::Tls | Transport::Https => Outlet::Queue,
        };
        Self { pace: Pace::new(), outlet }
    }

    /// One more query was answered at once; if it is its turn to be shown, for how many it stands.
    #[inline]
    pub fn is_due(&mut self, now: Moment) -> Option<u32> {
        self.pace.is_due(now)
    }

    /// Shows a query that stands for so many. Neither allocates nor waits where the desk is a thread's.
    pub fn show(&mut self, taps: &Taps, weight: u32, shown: &Shown<'_>) {
        let record = shown.record(weight);
        match &mut self.outlet {
            Outlet::Queue => taps.queue(&record),
            Outlet::Ring { coming, ring } => {
                if ring.is_none() {
                    *ring = coming.pop().ok();
                }
                let Some(ring) = ring else { return self.pace.rest() }; // somebody has begun to look a moment ago
                if !put(ring, &record) {
                    taps.dropped.increment();
                    self.pace.give_back(weight);
                }
            }
        }
    }
}

/// Puts a record into a ring whole, or not at all.
fn put(ring: &mut Producer<u8>, record: &Record<'_>) -> bool {
    // the other end takes nothing away from this room
    if ring.slots() < record.length() {
        return false;
    }
    let parts = [record.head().octets(), record.query, record.reply].map(|part| ring.push_entire_slice(part));
    parts.iter().all(Result::is_ok)
}

impl Seat {
    /// True if the desk has gone.
    pub(super) fn is_left(&self) -> bool {
        self.hand_over.is_abandoned()
    }

    /// Gives the desk its ring, if it has none and there is one left; the end to read from is returned.
    pub(super) fn give(&mut self, rings: usize) -> Option<Consumer<u8>> {
        if self.is_given || rings >= TAP_RINGS_MAX {
            return None;
        }
        let (ring, consumer) = RingBuffer::new(TAP_RING_OCTETS);
        self.is_given = self.hand_over.push(ring).is_ok();
        self.is_given.then_some(consumer)
    }
}

/// Takes the next record out of a ring, if it is there whole, and shows it.
pub(super) fn take(ring: &mut Consumer<u8>, scratch: &mut Vec<u8>, show: impl FnOnce(&[u8])) -> bool {
    let mut length = [0; 4];
    match ring.read_chunk(length.len()) {
        Ok(begun) => {
            let (first, second) = begun.as_slices(); // to look at: they are not taken away
            length.iter_mut().zip(first.iter().chain(second)).for_each(|(to, from)| *to = *from);
        }
        Err(_) => return false,
    }
    scratch.resize(u32::from_be_bytes(length) as usize, 0);
    let is_whole = ring.pop_entire_slice(scratch).is_ok();
    if is_whole {
        show(scratch);
    }
    is_whole
}
