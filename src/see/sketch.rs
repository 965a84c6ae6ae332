//! What is asked for most, and by whom, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005) with weights, over the
//! last 30 to 60 s, as far as somebody has looked: nothing is counted for nobody.
//!
//! Of a number of counters each has the key of one item. An item without a counter takes the smallest one over, with what
//! it counted: that is the most by which its own count may be too high. So no count is too low, none is too high by more than its
//! error, and whatever has more than its share of the sum (one part in as many as there are counters) is among them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use contract::limits::{TOP_CLIENTS_MAX, TOP_NAMES_MAX, TOP_OPEN_FOR, TOP_TOLD_MAX, TOP_WINDOW};
use contract::wire::RecordType;
use contract::{Client, Moment};

use super::api::{Top, TopClient, TopName};
use super::tap::name_told;

/// Counts of the most frequent of one kind, in one window.
#[derive(Debug)]
struct Sketch {
    counters: Vec<Counter>,
    /// Numbers of counters as a heap: the smallest count is the first.
    heap: Vec<usize>,
    by_key: HashMap<Box<[u8]>, usize>,
    most: usize,
}

#[derive(Debug)]
struct Counter {
    key: Box<[u8]>,
    count: u64,
    error: u64,
    /// Its place in the heap.
    place: usize,
}

/// How often, estimated from above, and by how much that may be too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Estimate {
    count: u64,
    error: u64,
}

impl Sketch {
    fn new(most: usize) -> Self {
        Self { counters: Vec::new(), heap: Vec::new(), by_key: HashMap::new(), most }
    }

    fn add(&mut self, key: &[u8], weight: u64) {
        let number = match self.by_key.get(key) {
            Some(&number) => number,
            None if self.counters.len() < self.most => {
                let number = self.counters.len();
                self.counters.push(Counter { key: key.into(), count: 0, error: 0, place: number });
                self.heap.push(number);
                self.by_key.insert(key.into(), number);
                self.rise(number);
                number
            }
            None => {
                let number = self.heap[0];
                let counter = &mut self.counters[number];
                let before = std::mem::replace(&mut counter.key, key.into());
                counter.error = counter.count;
                self.by_key.remove(&before);
                self.by_key.insert(key.into(), number);
                number
            }
        };
        self.counters[number].count += weight;
        self.sink(self.counters[number].place);
    }

    /// Puts a counter that has grown below those that are smaller.
    fn sink(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2].into_iter().filter(|&child| child < self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.count_at(child)) else { return };
            if self.count_at(least) >= self.count_at(place) {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    /// Puts a new counter, which is zero, above the others.
    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.count_at(place) < self.count_at((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        for place in [one, other] {
            self.counters[self.heap[place]].place = place;
        }
    }

    fn count_at(&self, place: usize) -> u64 {
        self.counters[self.heap[place]].count
    }

    /// What is known of a key, be it that it has no counter.
    fn estimate(&self, key: &[u8]) -> Estimate {
        match self.by_key.get(key).map(|&number| &self.counters[number]) {
            Some(counter) => Estimate { count: counter.count, error: counter.error },
            None if self.counters.len() < self.most => Estimate::default(),
            None => Estimate { count: self.count_at(0), error: self.count_at(0) },
        }
    }
}

/// The windows of one kind: the one that is counted in, and the one before.
#[derive(Debug)]
struct Windows {
    current: Sketch,
    before: Sketch,
    most: usize,
}

impl Windows {
    fn new(most: usize) -> Self {
        Self { current: Sketch::new(most), before: Sketch::new(most), most }
    }

    fn turn(&mut self) {
        self.before = std::mem::replace(&mut self.current, Sketch::new(self.most));
    }

    /// The most frequent of both together, the first one first.
    fn most_frequent(&self) -> Vec<(&[u8], Estimate)> {
        let more = self.before.counters.iter().filter(|counter| !self.current.by_key.contains_key(&counter.key));
        let keys = self.current.counters.iter().chain(more).map(|counter| &*counter.key);
        let both = |key| {
            let (one, other) = (self.current.estimate(key), self.before.estimate(key));
            (key, Estimate { count: one.count + other.count, error: one.error + other.error })
        };
        let mut all: Vec<_> = keys.map(both).collect();
        all.sort_by(|(key, one), (other_key, other)| other.count.cmp(&one.count).then_with(|| key.cmp(other_key)));
        all.truncate(TOP_TOLD_MAX);
        all
    }
}

/// The most frequent names and clients.
#[derive(Debug)]
pub(super) struct Tops {
    /// By name in wire form and type.
    names: Windows,
    /// By address, an IPv4 address as a mapped one.
    clients: Windows,
    /// When the windows began, the one before and the current one.
    began: (Moment, Moment),
    /// What was counted in them: queries, and how many were looked at for that.
    sums: [(u64, u64); 2],
    /// When somebody last asked.
    asked: Option<Moment>,
}

impl Default for Tops {
    fn default() -> Self {
        Self::begun(Moment(0))
    }
}

impl Tops {
    /// Empty, with windows that begin now.
    fn begun(now: Moment) -> Self {
        let (names, clients) = (Windows::new(TOP_NAMES_MAX), Windows::new(TOP_CLIENTS_MAX));
        Self { names, clients, began: (now, now), sums: [(0, 0); 2], asked: None }
    }

    /// Counts a query that stands for so many.
    pub(super) fn count(&mut self, now: Moment, client: &Client, name: &[u8], rtype: RecordType, weight: u32) {
        self.turn(now);
        let mut key = [0; contract::wire::NAME_MAX + 2];
        let Some(room) = key.get_mut(..name.len() + 2) else { return };
        room[..name.len()].copy_from_slice(name);
        room[name.len()..].copy_from_slice(&rtype.0.to_be_bytes());
        self.names.current.add(room, weight.into());
        let ip = match client.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        self.clients.current.add(&ip.octets(), weight.into());
        let [current, _] = &mut self.sums;
        *current = (current.0 + u64::from(weight), current.1 + 1);
    }

    /// Begins another window if it is time.
    fn turn(&mut self, now: Moment) {
        if now.since(self.began.1) < TOP_WINDOW {
            return;
        }
        for windows in [&mut self.names, &mut self.clients] {
            windows.turn();
        }
        self.sums = [(0, 0), self.sums[0]];
        self.began = (self.began.1, now);
    }

    /// What they are now. Who comes first, or after nobody has asked for [`TOP_OPEN_FOR`], begins: while nobody asks nothing is
    /// counted, and time in which nothing is counted would make rates too low.
    pub(super) fn told(&mut self, now: Moment, pod: impl Fn(IpAddr) -> Option<Arc<str>>) -> Top {
        let is_counting = self.asked.is_some_and(|asked| now.since(asked) < TOP_OPEN_FOR);
        if !is_counting {
            *self = Self::begun(now);
        }
        self.asked = Some(now);
        self.turn(now);
        let name = |(key, estimate): (&[u8], Estimate)| {
            let (name, rtype) = key.split_last_chunk::<2>()?;
            let (name, rtype) = (name_told(name), RecordType(u16::from_be_bytes(*rtype)).to_string());
            Some(TopName { name, rtype, queries: estimate.count, error: estimate.error })
        };
        let client = |(key, estimate): (&[u8], Estimate)| {
            let ip = IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(key).ok()?)).to_canonical();
            let pod = pod(ip).map(|pod| pod.to_string());
            Some(TopClient { ip: ip.to_string(), pod, queries: estimate.count, error: estimate.error })
        };
        let (queries, looked_at) = (self.sums[0].0 + self.sums[1].0, self.sums[0].1 + self.sums[1].1);
        Top {
            window_s: now.since(self.began.0).as_secs_f64(),
            one_of: (queries + looked_at / 2).checked_div(looked_at).unwrap_or(1),
            names: self.names.most_frequent().into_iter().filter_map(name).collect(),
            clients: self.clients.most_frequent().into_iter().filter_map(client).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
