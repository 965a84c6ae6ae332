//! This node's pods: hears the API server and the kernel, and publishes who has an address.
//!
//! ```text
//!   Reflector --Word--+
//!                     +--> Index --residents--> contract::PodIndex, which the hit path reads
//!   witness --Testimony+     '--a doubt--> the reflector is asked for a list
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use contract::limits::HOST_ADDRESSES_MAX;
use contract::metrics::{Counter, Gauge, Metrics};
use contract::{Clock, Moment, Plain, PodIndex, SearchLists};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use crate::herald::Withdrawn;
use crate::index::{Index, Residents};
use crate::kubelet::NodeDns;
use crate::node::HostFiles;
use crate::pod::PodObject;
use crate::reflector::Word;
use crate::trouble::{Outage, Trouble};
use crate::witness::Testimony;

/// After so long without a word of the API server an address counts only if the kernel vouches for it.
const VOUCHED_AFTER: Duration = Duration::from_secs(300);
/// A doubt that lasts so long is worth a list.
const ASK_AFTER: Duration = Duration::from_secs(3);
/// How often is looked whether the host's files changed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often ages are looked at, and whether anybody still reads.
const TICK: Duration = Duration::from_secs(1);
/// Words that are taken in before the result is published.
const TOGETHER_MAX: usize = 256;

/// What the pods' work needs.
pub(crate) struct Parts {
    /// What it fills, as long as somebody reads it.
    pub(crate) out: Weak<PodIndex>,
    pub(crate) node: NodeDns,
    /// Where that comes from.
    pub(crate) host: HostFiles,
    pub(crate) lists: Arc<SearchLists>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the kernel took out of use, and the index does not know yet.
    pub(crate) withdrawn: Arc<Withdrawn>,
    pub(crate) metrics: Arc<Metrics>,
    /// The reflector lists when this is notified.
    pub(crate) ask: Arc<Notify>,
    /// The zone that the pods' labels tell.
    pub(crate) zone: watch::Sender<Option<String>>,
}

/// The work beside the queries.
pub(crate) struct Pods {
    parts: Parts,
    index: Index,
    counts: Counts,
    /// The node's own addresses, as its pods tell them.
    host: BTreeSet<IpAddr>,
    /// True once the pods were listed: before that nothing is published.
    is_listed: bool,
    /// When the API server was last heard; `None`: never.
    heard: Option<Moment>,
    outage: Outage,
    vouched: bool,
    begun: Moment,
    /// When a list was last found to be needed that has not been asked for.
    doubted_at: Option<Moment>,
    /// When the host's files were looked at.
    looked_at: Moment,
}

impl Drop for Pods {
    /// Nobody hears the kernel any more: whoever still reads the index believes it no longer.
    fn drop(&mut self) {
        if let Some(out) = self.parts.out.upgrade() {
            out.forget();
        }
        self.counts.clear();
    }
}

impl Pods {
    pub(crate) fn new(parts: Parts) -> Self {
        let counts = Counts::new(&parts.metrics);
        let now = parts.clock.now();
        Self {
            parts,
            index: Index::default(),
            counts,
            host: BTreeSet::new(),
            is_listed: false,
            heard: None,
            outage: Outage::default(),
            vouched: false,
            begun: now,
            doubted_at: None,
            looked_at: now,
        }
    }

    /// Goes on until nobody reads the index.
    pub(crate) async fn run(
        mut self,
        mut words: mpsc::Receiver<Word<PodObject>>,
        mut kernel: mpsc::Receiver<Testimony>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.parts.out.strong_count() > 0 {
            // the kernel first: what it doubts must not be served a moment longer
            let changed = tokio::select! {
                biased;
                testimony = kernel.recv() => match testimony {
                    Some(testimony) => self.hear_kernel(testimony),
                    None => return, // its thread is gone: all begins anew, rather than go on without it
                },
                word = words.recv() => match word {
                    Some(word) => self.hear(word),
                    None => return,
                },
                lasted = self.outage.over() => {
                    let (lasted, pods) = (lasted.as_secs(), self.index.len());
                    tracing::info!("kubernetes: pods: in step again after {lasted} s; {pods} pods of this node are known");
                    false
                }
                _ = tick.tick() => self.tick(),
            };
            let mut changed = changed;
            for _ in 0..TOGETHER_MAX {
                changed |= match (kernel.try_recv(), words.try_recv()) {
                    (Err(_), Err(_)) => break,
                    (testimony, word) => {
                        let doubted = testimony.is_ok_and(|testimony| self.hear_kernel(testimony));
                        word.is_ok_and(|word| self.hear(word)) | doubted
                    }
                };
            }
            if changed {
                self.publish();
            }
        }
    }

    /// True if it changes what is served.
    fn hear(&mut self, word: Word<PodObject>) -> bool {
        if let Word::Trouble(trouble) = word {
            self.complain(&trouble);
            return false;
        }
        self.outage.heard();
        if let Word::Opened = word {
            return false; // a server that tells nothing vouches for nothing
        }
        let now = self.parts.clock.now();
        self.heard = Some(now);
        if let Some(out) = self.parts.out.upgrade() {
            out.heard(now);
        }
        match word {
            Word::Alive | Word::Opened | Word::Trouble(_) => return false,
            Word::Changed(pod) => {
                self.counts.changed.increment();
                self.see_zone(&pod);
                let news = self.see_host(&pod);
                match pod.claim(&self.parts.node, &self.parts.lists) {
                    Some(claim) => self.index.changed(claim),
                    None => return news,
                }
            }
            Word::Deleted(pod) => {
                self.counts.deleted.increment();
                self.index.deleted(pod.uid());
            }
            Word::List { items, version, asked, anew } => {
                self.counts.lists.increment();
                items.iter().for_each(|pod| self.see_zone(pod));
                self.host.clear();
                items.iter().for_each(|pod| _ = self.see_host(pod));
                let Parts { node, lists, clock, .. } = &self.parts;
                let claims: Vec<_> = items.iter().filter_map(|pod| pod.claim(node, lists)).collect();
                let asked = Moment(clock.now().0.saturating_sub(millis(Instant::now() - asked)));
                self.index.list(claims, version, asked, anew);
                if self.counts.synced.value() == 0 {
                    tracing::info!("kubernetes: {} pods of this node are known", self.index.len());
                }
                self.counts.synced.set(1);
                self.is_listed = true;
            }
        }
        true
    }

    fn complain(&mut self, trouble: &Trouble) {
        trouble.count(&self.parts.metrics, "pods");
        if self.outage.troubled(trouble) {
            let meanwhile = match self.heard {
                None => "until it is there questions are resolved as asked",
                Some(_) => "what is known goes on being used",
            };
            tracing::warn!("kubernetes: pods: {trouble}{}; {meanwhile}", trouble.advice());
        }
    }

    /// True if it changes what is served.
    fn hear_kernel(&mut self, testimony: Testimony) -> bool {
        match testimony {
            Testimony::Changed { address, change, newcomer } => {
                match newcomer {
                    true => self.index.newcomer(address, change, self.parts.clock.now(), seconds_since_1970()),
                    false => self.index.doubt(address, change, seconds_since_1970()),
                }
                self.parts.withdrawn.taken_in(address, change);
                if let Some(pod) = self.index.doubted(address) {
                    tracing::debug!("kubernetes: {address} of {pod} is in doubt: the kernel shows a change behind it");
                    self.counts.doubts.increment();
                    match newcomer {
                        true => self.parts.ask.notify_one(),
                        // most often the pod is being deleted, and the watch is about to say so
                        false => self.doubted_at = Some(self.parts.clock.now()),
                    }
                }
            }
            Testimony::Restored { address, since } => {
                self.index.restored(address, since, self.parts.clock.now());
                if self.index.doubted(address).is_some() {
                    self.parts.ask.notify_one();
                }
            }
            Testimony::Traced(address) => self.index.traced(address, true),
            Testimony::Untraced(address) => self.index.traced(address, false),
            Testimony::Blind { reason } => {
                tracing::warn!("kubernetes: the kernel's word on links and routes cannot be had: {reason}");
                self.index.blind();
            }
        }
        true
    }

    /// True if the API server has been away for so long, or is back.
    fn tick(&mut self) -> bool {
        let now = self.parts.clock.now();
        if self.doubted_at.is_some_and(|at| now.since(at) >= ASK_AFTER) {
            self.doubted_at = None;
            if self.counts.doubted.value() > 0 {
                self.parts.ask.notify_one();
            }
        }
        self.follow_host(now);
        let age = now.since(self.heard.unwrap_or(self.begun));
        self.counts.age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let vouched = self.heard.is_some() && age >= VOUCHED_AFTER;
        std::mem::replace(&mut self.vouched, vouched) != vouched
    }

    /// Pods that come from now on have what the host's file says now; those that are known keep what they were given.
    fn follow_host(&mut self, now: Moment) {
        if now.since(self.looked_at) < LOOK_EVERY {
            return;
        }
        self.looked_at = now;
        if let Some(node) = self.parts.host.changed() {
            tracing::info!(
                "kubernetes: what the kubelet gives to pods has changed; pods that come from now on have it"
            );
            self.parts.node = node;
        }
    }

    fn see_zone(&self, pod: &PodObject) {
        if let Some(zone) = pod.zone() {
            self.parts.zone.send_if_modified(|known| {
                let news = known.as_deref() != Some(zone);
                if news {
                    *known = Some(zone.to_owned());
                }
                news
            });
        }
    }

    /// Takes in the node's own addresses; true if one is new.
    fn see_host(&mut self, pod: &PodObject) -> bool {
        let room = HOST_ADDRESSES_MAX.saturating_sub(self.host.len());
        let new: Vec<_> = pod.host_addresses().filter(|address| !self.host.contains(address)).take(room).collect();
        self.host.extend(&new);
        !new.is_empty()
    }

    fn publish(&mut self) {
        let Some(out) = self.parts.out.upgrade().filter(|_| self.is_listed) else { return };
        let age = self.heard.map_or(Duration::MAX, |heard| self.parts.clock.now().since(heard));
        self.vouched = self.heard.is_some() && age >= VOUCHED_AFTER;
        let residents = self.index.residents(self.vouched);
        self.counts.show(&self.index, &residents);
        let host = self.host.iter().map(|address| (*address, Plain::HostNetwork));
        self.parts.withdrawn.publish(residents.pods, host.chain(residents.plain).collect(), &out);
        self.counts.addresses.set(i64::try_from(out.addresses()).unwrap_or(i64::MAX));
    }
}

/// The time of day, to be compared with what the kubelet of the same node wrote.
#[expect(clippy::disallowed_methods, reason = "no clock but the one on the wall can be compared with the kubelet's")]
fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What operators see of it.
struct Counts {
    pods: Arc<Gauge>,
    addresses: Arc<Gauge>,
    conflicts: Arc<Gauge>,
    doubted: Arc<Gauge>,
    unvouched: Arc<Gauge>,
    octets: Arc<Gauge>,
    age: Arc<Gauge>,
    synced: Arc<Gauge>,
    refused: Arc<Gauge>,
    changed: Arc<Counter>,
    deleted: Arc<Counter>,
    lists: Arc<Counter>,
    doubts: Arc<Counter>,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let gauge = |name, help| {
            let gauge = metrics.gauge(name, help, &[]);
            gauge.set(0);
            gauge
        };
        let event = |kind| {
            let help = "Words of the API server about pods.";
            metrics.counter("nearpath_kubernetes_events_total", help, &[("type", kind)])
        };
        Self {
            pods: gauge("nearpath_kubernetes_pods", "Pods of this node that have an address of their own."),
            addresses: gauge("nearpath_kubernetes_addresses", "Addresses whose search list is known."),
            conflicts: gauge(
                "nearpath_kubernetes_address_conflicts",
                "Addresses that more than one live pod claims: their questions are resolved as asked.",
            ),
            doubted: gauge(
                "nearpath_kubernetes_doubted_addresses",
                "Addresses out of use until the API server confirms what the kernel put in doubt.",
            ),
            unvouched: gauge(
                "nearpath_kubernetes_unvouched_addresses",
                "Addresses out of use because the API server is away and the kernel shows no route to them.",
            ),
            octets: gauge("nearpath_kubernetes_index_bytes", "Memory of the index of pods, estimated."),
            age: gauge("nearpath_kubernetes_index_age_seconds", "Since the API server's last word about pods."),
            synced: gauge("nearpath_kubernetes_synced", "1 once this node's pods were listed."),
            refused: gauge("nearpath_kubernetes_refused_pods", "Words about pods for which there was no room."),
            changed: event("changed"),
            deleted: event("deleted"),
            lists: metrics.counter("nearpath_kubernetes_lists_total", "Lists of this node's pods.", &[]),
            doubts: metrics.counter(
                "nearpath_kubernetes_doubts_total",
                "Addresses of pods that the kernel put in doubt.",
                &[],
            ),
        }
    }

    /// Nothing is watched any more.
    fn clear(&self) {
        for gauge in
            [&self.pods, &self.addresses, &self.conflicts, &self.doubted, &self.unvouched, &self.octets, &self.age]
        {
            gauge.set(0);
        }
        self.synced.set(0);
    }

    fn show(&self, index: &Index, residents: &Residents) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.pods.set(number(index.len()));
        self.conflicts.set(number(residents.conflicts));
        self.doubted.set(number(residents.doubted));
        self.unvouched.set(number(residents.unvouched));
        self.octets.set(number(index.octets()));
        self.refused.set(i64::try_from(index.refused()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests;
