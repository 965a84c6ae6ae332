//! What a server block counts of its queries and replies: per desk, summed when somebody asks.
//!
//! A datagram thread's desk has a slot of its own and adds without locking the memory; whoever has none adds to the slot
//! that all others share.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use contract::metrics::{OCTETS, SECONDS};
use contract::wire::{Rcode, RecordType};
use contract::{Client, Plain, Transport};

/// Slots that one desk at a time has to itself; further desks share one.
const SLOTS: usize = 16;

/// Which slots are taken, in all tallies alike: a bit each.
#[derive(Debug, Default)]
pub struct Places(AtomicU32);

/// A desk's own slot, until it is dropped. Two threads cannot use it at once: it is not `Sync`.
#[derive(Debug)]
pub struct Place {
    slot: usize,
    places: Arc<Places>,
    one_writer: PhantomData<Cell<()>>,
}

impl Places {
    /// A slot that nobody has; `None` if all are taken.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.0.load(Ordering::Relaxed);
        loop {
            let slot = taken.trailing_ones() as usize;
            if slot >= SLOTS {
                return None;
            }
            // acquires what the one who had it before counted there
            match self.0.compare_exchange_weak(taken, taken | 1 << slot, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Place { slot, places: Arc::clone(self), one_writer: PhantomData }),
                Err(now) => taken = now,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.fetch_and(!(1 << self.slot), Ordering::Release);
    }
}

/// For a slot with one writer: no other thread's addition can come between.
fn add_alone(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

fn add_shared(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
/// The types that CoreDNS names in its metrics; all others are `other`.
pub const TYPES: [RecordType; 19] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CNAME,
    RecordType::DNSKEY,
    RecordType::DS,
    RecordType::HTTPS,
    RecordType::MX,
    RecordType::NSEC3,
    RecordType::NSEC,
    RecordType::NS,
    RecordType::PTR,
    RecordType::RRSIG,
    RecordType::SOA,
    RecordType::SRV,
    RecordType::SVCB,
    RecordType::TXT,
    RecordType::IXFR,
    RecordType::AXFR,
    RecordType::ANY,
];
/// RCODEs that are told apart; all above share the last place.
pub const RCODES: usize = 24;
const TRANSPORTS: usize = 4;
/// Protocols as CoreDNS tells them apart.
pub const PROTOCOLS: [&str; 2] = ["udp", "tcp"];
/// Who may have made a reply, as CoreDNS's label `plugin` says it; the first is the server itself.
pub const ANSWERERS: [&str; 11] =
    ["", "cache", "forward", "privatezone", "hosts", "autopath", "acl", "any", "local", "loop", "whoami"];
/// The store, in [`ANSWERERS`].
const CACHE: usize = 1;

/// How a stored answer came to be used, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // said by the words
pub enum StoreUse {
    Success,
    Denial,
    Stale,
    Miss,
    None,
}

/// Counts of one server block, of all its listeners.
#[derive(Debug)]
pub struct Tally {
    /// Those of the places, then the shared one.
    slots: Box<[Slot]>,
    /// Replies that the store did not make, by who did; all of them are in the slots too.
    made: [[AtomicU64; RCODES]; ANSWERERS.len()],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot {
    /// By transport, by family (IPv4, IPv6), by type.
    requests: [[[AtomicU64; TYPES.len() + 1]; 2]; TRANSPORTS],
    rcodes: [AtomicU64; RCODES],
    /// By protocol.
    request_octets: [Histogram<{ OCTETS.len() + 1 }>; PROTOCOLS.len()],
    reply_octets: [Histogram<{ OCTETS.len() + 1 }>; PROTOCOLS.len()],
    dnssec_ok: AtomicU64,
    seconds: Histogram<{ SECONDS.len() + 1 }>,
    store: [AtomicU64; 4],
    /// In the order of [`Plain::ALL`].
    plain: [AtomicU64; Plain::ALL.len()],
}

#[derive(Debug)]
struct Histogram<const N: usize> {
    buckets: [AtomicU64; N],
    /// Octets, or microseconds.
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Histogram<N> {
    fn count(&self, bounds: &[u64], value: u64, add: impl Fn(&AtomicU64, u64)) {
        let index = bounds.iter().position(|&bound| value <= bound).unwrap_or(N - 1);
        add(&self.buckets[index], 1);
        add(&self.sum, value);
    }

    fn add_to(&self, buckets: &mut [u64], sum: &mut u64) {
        for (total, bucket) in buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        *sum += self.sum.load(Ordering::Relaxed);
    }
}

/// [`OCTETS`] as whole numbers.
const OCTET_BOUNDS: [u64; OCTETS.len()] = whole(OCTETS, 1.0);
/// [`SECONDS`] in microseconds.
const MICROSECOND_BOUNDS: [u64; SECONDS.len()] = whole(SECONDS, 1e6);

const fn whole<const N: usize>(bounds: &[f64], scale: f64) -> [u64; N] {
    let mut numbers = [0; N];
    let mut index = 0;
    while index < N {
        numbers[index] = (bounds[index] * scale) as u64;
        index += 1;
    }
    numbers
}

/// One query and its reply, to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// QTYPE.
    pub rtype: RecordType,
    /// What the reply said.
    pub rcode: Rcode,
    /// Octets of the query.
    pub query_len: usize,
    /// Octets of the reply.
    pub reply_len: usize,
    /// From arrival to reply; zero for a reply made at once.
    pub took: Duration,
    /// The store's part.
    pub store: StoreUse,
    /// True if the query had the DO bit.
    pub dnssec_ok: bool,
    /// Which plugin made the reply, in [`ANSWERERS`]; of no account where the store did.
    pub answerer: usize,
    /// Why there was no search, where the block has AutoPath and there was none.
    pub plain: Option<Plain>,
}

/// The place of a plugin in [`ANSWERERS`]; one that is not there is the server.
pub fn answerer(name: &str) -> usize {
    ANSWERERS.iter().position(|known| *known == name).unwrap_or(0)
}

impl Default for Tally {
    fn default() -> Self {
        let made = std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)));
        Self { slots: (0..=SLOTS).map(|_| Slot::default()).collect(), made }
    }
}

impl Tally {
    /// Counts one exchange, of a desk with a place of its own or of anybody.
    #[inline]
    pub fn count(&self, place: Option<&Place>, client: &Client, exchange: &Exchange) {
        if matches!(exchange.store, StoreUse::Miss | StoreUse::None) {
            self.made[exchange.answerer][rcode_index(exchange.rcode)].fetch_add(1, Ordering::Relaxed);
        }
        match place {
            Some(place) => self.slots[place.slot].count(client, exchange, add_alone),
            None => self.slots[SLOTS].count(client, exchange, add_shared),
        }
    }

    /// The sums of all desks.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            request_octets: std::array::from_fn(|_| (vec![0; OCTETS.len() + 1], 0)),
            reply_octets: std::array::from_fn(|_| (vec![0; OCTETS.len() + 1], 0)),
            seconds: (vec![0; SECONDS.len() + 1], 0),
            ..Totals::default()
        };
        for slot in &self.slots {
            slot.add_to(&mut totals);
        }
        self.attribute(&mut totals);
        totals
    }

    /// Tells replies by who made them: those of the slots are memory's.
    fn attribute(&self, totals: &mut Totals) {
        totals.answered = totals.rcodes.iter().map(|(&rcode, &count)| ((rcode, CACHE), count)).collect();
        for (answerer, made) in self.made.iter().enumerate() {
            for (rcode, count) in made.iter().enumerate() {
                let (rcode, count) = (rcode as u16, count.load(Ordering::Relaxed));
                if count > 0 {
                    *totals.answered.entry((rcode, answerer)).or_default() += count;
                    *totals.rcodes.entry(rcode).or_default() += count;
                }
            }
        }
    }
}

fn rcode_index(rcode: Rcode) -> usize {
    usize::from(rcode.0).min(RCODES - 1)
}

fn protocol_index(transport: Transport) -> usize {
    usize::from(transport != Transport::Udp)
}

impl Slot {
    #[inline]
    fn count(&self, client: &Client, exchange: &Exchange, add: impl Fn(&AtomicU64, u64)) {
        let rtype = TYPES.iter().position(|&rtype| rtype == exchange.rtype).unwrap_or(TYPES.len());
        let family = usize::from(client.ip().is_ipv6());
        add(&self.requests[transport_index(client.transport)][family][rtype], 1);
        let protocol = protocol_index(client.transport);
        self.request_octets[protocol].count(&OCTET_BOUNDS, exchange.query_len as u64, &add);
        self.reply_octets[protocol].count(&OCTET_BOUNDS, exchange.reply_len as u64, &add);
        if exchange.dnssec_ok {
            add(&self.dnssec_ok, 1);
        }
        self.seconds.count(&MICROSECOND_BOUNDS, exchange.took.as_micros() as u64, &add);
        match exchange.store {
            StoreUse::None => {}
            StoreUse::Miss => add(&self.store[StoreUse::Miss as usize], 1),
            used => {
                add(&self.store[used as usize], 1);
                add(&self.rcodes[rcode_index(exchange.rcode)], 1);
            }
        }
        if let Some(plain) = exchange.plain {
            add(&self.plain[plain as usize], 1);
        }
    }

    fn add_to(&self, totals: &mut Totals) {
        for (transport, families) in self.requests.iter().enumerate() {
            for (family, types) in families.iter().enumerate() {
                for (rtype, count) in types.iter().enumerate() {
                    let count = count.load(Ordering::Relaxed);
                    if count > 0 {
                        *totals.requests.entry((transport, family, rtype)).or_default() += count;
                    }
                }
            }
        }
        for (rcode, count) in self.rcodes.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                *totals.rcodes.entry(rcode as u16).or_default() += count;
            }
        }
        for protocol in 0..PROTOCOLS.len() {
            let (queries, replies) = (&mut totals.request_octets[protocol], &mut totals.reply_octets[protocol]);
            self.request_octets[protocol].add_to(&mut queries.0, &mut queries.1);
            self.reply_octets[protocol].add_to(&mut replies.0, &mut replies.1);
        }
        totals.dnssec_ok += self.dnssec_ok.load(Ordering::Relaxed);
        self.seconds.add_to(&mut totals.seconds.0, &mut totals.seconds.1);
        for (total, count) in totals.store.iter_mut().zip(&self.store) {
            *total += count.load(Ordering::Relaxed);
        }
        for (total, count) in totals.plain.iter_mut().zip(&self.plain) {
            *total += count.load(Ordering::Relaxed);
        }
    }
}

/// Summed counts.
#[derive(Debug, Default)]
pub struct Totals {
    /// By (transport, family, index in [`TYPES`]).
    pub requests: BTreeMap<(usize, usize, usize), u64>,
    /// By RCODE.
    pub rcodes: BTreeMap<u16, u64>,
    /// By (RCODE, index in [`ANSWERERS`]).
    pub answered: BTreeMap<(u16, usize), u64>,
    /// Queries with the DO bit.
    pub dnssec_ok: u64,
    /// By protocol: buckets by [`OCTETS`], and the sum in octets.
    pub request_octets: [(Vec<u64>, u64); PROTOCOLS.len()],
    /// The same of replies.
    pub reply_octets: [(Vec<u64>, u64); PROTOCOLS.len()],
    /// Buckets by [`SECONDS`], and the sum in microseconds.
    pub seconds: (Vec<u64>, u64),
    /// By [`StoreUse`]: success, denial, stale, miss.
    pub store: [u64; 4],
    /// Questions that AutoPath did not search for, in the order of [`Plain::ALL`].
    pub plain: [u64; Plain::ALL.len()],
}

fn transport_index(transport: Transport) -> usize {
    match transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
        Transport::Https => 3,
    }
}

/// The transports in the order of [`Totals::requests`].
pub const TRANSPORT_LABELS: [&str; TRANSPORTS] = ["udp", "tcp", "tls", "https"];
