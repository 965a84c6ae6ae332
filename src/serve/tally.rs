//! What a server block counts of its queries and replies: per desk, summed when somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::metrics::{OCTETS, SECONDS};
use contract::wire::{Rcode, RecordType};
use contract::{Client, Transport};

/// Desks share counters when there are more of them than slots.
const SLOTS: usize = 16;
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
    RecordType::ANY,
    RecordType::NAPTR,
    RecordType::CAA,
];
const RCODES: usize = 24;
const TRANSPORTS: usize = 4;

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
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot {
    /// By transport, by family (IPv4, IPv6), by type.
    requests: [[[AtomicU64; TYPES.len() + 1]; 2]; TRANSPORTS],
    rcodes: [AtomicU64; RCODES],
    request_octets: Histogram<{ OCTETS.len() + 1 }>,
    reply_octets: Histogram<{ OCTETS.len() + 1 }>,
    seconds: Histogram<{ SECONDS.len() + 1 }>,
    store: [AtomicU64; 4],
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
    fn count(&self, bounds: &[f64], value: f64, sum: u64) {
        let index = bounds.iter().position(|&bound| value <= bound).unwrap_or(N - 1);
        one(&self.buckets[index]);
        self.sum.fetch_add(sum, Ordering::Relaxed);
    }

    fn add_to(&self, buckets: &mut [u64], sum: &mut u64) {
        for (total, bucket) in buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.load(Ordering::Relaxed);
        }
        *sum += self.sum.load(Ordering::Relaxed);
    }
}

fn one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
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
}

impl Default for Tally {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Slot::default()).collect() }
    }
}

impl Tally {
    /// Counts one exchange at a desk.
    pub fn count(&self, desk: usize, client: &Client, exchange: &Exchange) {
        let slot = &self.slots[desk % SLOTS];
        let rtype = TYPES.iter().position(|&rtype| rtype == exchange.rtype).unwrap_or(TYPES.len());
        one(&slot.requests[transport_index(client.transport)][usize::from(client.ip().is_ipv6())][rtype]);
        one(&slot.rcodes[usize::from(exchange.rcode.0).min(RCODES - 1)]);
        slot.request_octets.count(OCTETS, exchange.query_len as f64, exchange.query_len as u64);
        slot.reply_octets.count(OCTETS, exchange.reply_len as f64, exchange.reply_len as u64);
        slot.seconds.count(SECONDS, exchange.took.as_secs_f64(), exchange.took.as_micros() as u64);
        match exchange.store {
            StoreUse::None => {}
            used => one(&slot.store[used as usize]),
        }
    }

    /// The sums of all desks.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            request_octets: (vec![0; OCTETS.len() + 1], 0),
            reply_octets: (vec![0; OCTETS.len() + 1], 0),
            seconds: (vec![0; SECONDS.len() + 1], 0),
            ..Totals::default()
        };
        for slot in &self.slots {
            slot.add_to(&mut totals);
        }
        totals
    }
}

impl Slot {
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
        self.request_octets.add_to(&mut totals.request_octets.0, &mut totals.request_octets.1);
        self.reply_octets.add_to(&mut totals.reply_octets.0, &mut totals.reply_octets.1);
        self.seconds.add_to(&mut totals.seconds.0, &mut totals.seconds.1);
        for (total, count) in totals.store.iter_mut().zip(&self.store) {
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
    /// Buckets by [`OCTETS`], and the sum in octets.
    pub request_octets: (Vec<u64>, u64),
    /// The same of replies.
    pub reply_octets: (Vec<u64>, u64),
    /// Buckets by [`SECONDS`], and the sum in microseconds.
    pub seconds: (Vec<u64>, u64),
    /// By [`StoreUse`]: success, denial, stale, miss.
    pub store: [u64; 4],
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
