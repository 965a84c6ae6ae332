//! Who has an address: pods and their search lists, read without waiting and replaced whole.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Moment;
use crate::limits::PLAIN_ADDRESSES_MAX;
use crate::scope::{ListId, Plain, SearchList};

/// A pod as far as its look-ups go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `NAMESPACE/NAME`.
    pub name: Arc<str>,
    /// Every address that it has.
    pub addresses: Vec<IpAddr>,
    /// Its search domains in order; `.` may stand among them.
    pub list: Arc<SearchList>,
    /// Names with fewer dots are searched (resolv.conf(5)).
    pub ndots: u8,
}

/// What is known of whoever has an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// `NAMESPACE/NAME`; `None`: a list that every client has.
    pub pod: Option<Arc<str>>,
    /// The search domains.
    pub list: Arc<SearchList>,
    /// Names with fewer dots are searched.
    pub ndots: u8,
}

/// Tells the search list behind an address, or why there is none. Whoever fills it (a file, a watch) replaces it whole; whoever
/// reads it waits for nobody.
#[derive(Debug, Default)]
pub struct PodIndex {
    now: ArcSwap<Snapshot>,
    /// One more than the milliseconds of the last word of whoever knows the pods; 0: none yet.
    heard: AtomicU64,
}

/// Whoever has an address, or why nobody does as far as look-ups go.
pub type Known = Result<Resident, Plain>;

// fixed hashes: the keys come from the cluster, not from clients
type ByAddress = HashMap<u128, Known, foldhash::fast::FixedState>;
type ById = HashMap<ListId, Arc<SearchList>, foldhash::fast::FixedState>;

/// One state of the index; never changed once it is published.
#[derive(Clone, Debug)]
struct Snapshot {
    by_address: ByAddress,
    /// Who has any other address: the list of every client (`autopath RESOLV-CONF`), or nobody, and why.
    others: Known,
    lists: ById,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { by_address: ByAddress::default(), others: Err(Plain::NotSynced), lists: ById::default() }
    }
}

/// How much an index knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// False until somebody has told who has which address.
    pub is_synced: bool,
    /// Pods with an address of their own.
    pub pods: usize,
    /// Addresses that have a search list.
    pub addresses: usize,
    /// Addresses that two pods claim.
    pub conflicts: usize,
    /// Addresses that the kernel doubts.
    pub doubts: usize,
}

impl PodIndex {
    /// Replaces everything by these pods at once. An address that two of them have belongs to neither; how many such there
    /// are is returned.
    pub fn replace<'p>(&self, pods: impl IntoIterator<Item = &'p Pod>) -> usize {
        self.replace_with(pods, [])
    }

    /// The same with addresses of which it is known why they belong to nobody; of those that no pod has,
    /// [`PLAIN_ADDRESSES_MAX`] at most.
    pub fn replace_with<'p>(
        &self,
        pods: impl IntoIterator<Item = &'p Pod>,
        plain: impl IntoIterator<Item = (IpAddr, Plain)>,
    ) -> usize {
        let mut owners: HashMap<u128, Option<&Pod>> = HashMap::new();
        let mut lists = ById::default();
        for pod in pods {
            lists.insert(pod.list.id, Arc::clone(&pod.list));
            for address in &pod.addresses {
                let owner = owners.entry(number(*address)).or_insert(Some(pod));
                *owner = owner.filter(|owner| std::ptr::eq(*owner, pod));
            }
        }
        let conflicts = owners.values().filter(|owner| owner.is_none()).count();
        let resident =
            |pod: &Pod| Resident { pod: Some(Arc::clone(&pod.name)), list: Arc::clone(&pod.list), ndots: pod.ndots };
        let known = |owner: Option<&Pod>| owner.map(resident).ok_or(Plain::Conflict);
        let mut by_address: ByAddress = owners.into_iter().map(|(address, owner)| (address, known(owner))).collect();
        for (address, plain) in plain.into_iter().take(PLAIN_ADDRESSES_MAX) {
            by_address.entry(number(address)).or_insert(Err(plain));
        }
        self.now.store(Arc::new(Snapshot { by_address, others: Err(Plain::Unknown), lists }));
        conflicts
    }

    /// An address belongs to nobody, since the kernel says so, until the next replacement says otherwise.
    pub fn withdraw(&self, address: IpAddr) {
        let address = number(address);
        if !matches!(self.now.load().by_address.get(&address), Some(Ok(_))) {
            return;
        }
        self.now.rcu(|now| {
            let mut next = Snapshot::clone(now);
            next.by_address.insert(address, Err(Plain::Doubt));
            next
        });
    }

    /// Nothing is known any more, as at the start.
    pub fn forget(&self) {
        self.now.store(Arc::default());
    }

    /// Replaces everything by one list that every client has.
    pub fn replace_for_everybody(&self, list: Arc<SearchList>, ndots: u8) {
        let lists = ById::from_iter([(list.id, Arc::clone(&list))]);
        let others = Ok(Resident { pod: None, list, ndots });
        self.now.store(Arc::new(Snapshot { by_address: ByAddress::default(), others, lists }));
    }

    /// What `look` makes of whoever has an address; or why nobody is known to. On the hit path: no lock, no allocation.
    pub fn at<R>(&self, address: IpAddr, look: impl FnOnce(&Resident) -> R) -> Result<R, Plain> {
        let snapshot = self.now.load();
        match snapshot.by_address.get(&number(address)).unwrap_or(&snapshot.others) {
            Ok(resident) => Ok(look(resident)),
            Err(plain) => Err(*plain),
        }
    }

    /// The list with this number, while somebody has it.
    pub fn list(&self, id: ListId) -> Option<Arc<SearchList>> {
        self.now.load().lists.get(&id).cloned()
    }

    /// How many addresses have a list.
    pub fn addresses(&self) -> usize {
        self.now.load().by_address.values().filter(|known| known.is_ok()).count()
    }

    /// Whoever knows the pods has spoken at this moment, whether or not there was news.
    pub fn heard(&self, at: Moment) {
        self.heard.store(at.0.saturating_add(1), Ordering::Relaxed);
    }

    /// The time since the last word of whoever knows the pods; `None`: there was none yet.
    pub fn age(&self, now: Moment) -> Option<Duration> {
        let heard = self.heard.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.since(Moment(heard)))
    }

    /// How much it knows. Looks at every address.
    pub fn census(&self) -> Census {
        let now = self.now.load();
        let mut pods = HashSet::new();
        let mut census = Census { is_synced: !matches!(now.others, Err(Plain::NotSynced)), ..Census::default() };
        for known in now.by_address.values() {
            match known {
                Ok(resident) => {
                    census.addresses += 1;
                    pods.extend(resident.pod.as_ref());
                }
                Err(Plain::Conflict) => census.conflicts += 1,
                Err(Plain::Doubt) => census.doubts += 1,
                Err(_) => {}
            }
        }
        census.pods = pods.len();
        census
    }

    /// Every address of which something is known, in their order, `most` at most; and how many there was no room for.
    pub fn listing(&self, most: usize) -> (Vec<(IpAddr, Known)>, usize) {
        let now = self.now.load();
        let mut numbers: Vec<u128> = now.by_address.keys().copied().collect();
        numbers.sort_unstable();
        let left_out = numbers.len().saturating_sub(most);
        let told = numbers.iter().take(most).map(|number| (address(*number), now.by_address[number].clone()));
        (told.collect(), left_out)
    }

    /// The addresses of the pod `NAMESPACE/NAME`, in their order: those that are its own for sure.
    pub fn addresses_of(&self, pod: &str) -> Vec<IpAddr> {
        let now = self.now.load();
        let is_its = |known: &Known| {
            known.as_ref().is_ok_and(|resident| resident.pod.as_deref().is_some_and(|name| name == pod))
        };
        let mut numbers: Vec<u128> =
            now.by_address.iter().filter(|(_, known)| is_its(known)).map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(address).collect()
    }
}

/// An address as a number: of both families, and the same for an IPv4 address that came through an IPv6 socket.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Out of [`number`].
fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

#[cfg(test)]
mod tests;
