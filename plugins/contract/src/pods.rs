//! Who has an address: pods and their search lists, read without waiting and replaced whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::scope::{ListId, SearchList};

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

/// Tells the search list behind an address. Whoever fills it (a file, a watch) replaces it whole; whoever reads it waits for
/// nobody.
#[derive(Debug, Default)]
pub struct PodIndex(ArcSwap<Snapshot>);

// fixed hashes: the keys come from the cluster, not from clients
type ByAddress = HashMap<u128, Resident, foldhash::fast::FixedState>;
type ById = HashMap<ListId, Arc<SearchList>, foldhash::fast::FixedState>;

/// One state of the index; never changed once it is published.
#[derive(Debug, Default)]
struct Snapshot {
    by_address: ByAddress,
    /// The list of every client that is not a known pod (`autopath RESOLV-CONF`).
    everybody: Option<Resident>,
    lists: ById,
}

impl PodIndex {
    /// Replaces everything by these pods at once. An address that two of them have belongs to neither; how many such there
    /// are is returned.
    pub fn replace<'p>(&self, pods: impl IntoIterator<Item = &'p Pod>) -> usize {
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
        let by_address = owners.into_iter().filter_map(|(address, owner)| Some((address, resident(owner?)))).collect();
        self.0.store(Arc::new(Snapshot { by_address, everybody: None, lists }));
        conflicts
    }

    /// An address belongs to nobody, until the next replacement says otherwise.
    pub fn withdraw(&self, address: IpAddr) {
        let address = number(address);
        if !self.0.load().by_address.contains_key(&address) {
            return;
        }
        self.0.rcu(|now| {
            let mut by_address = now.by_address.clone();
            by_address.remove(&address);
            Snapshot { by_address, everybody: now.everybody.clone(), lists: now.lists.clone() }
        });
    }

    /// Replaces everything by one list that every client has.
    pub fn replace_for_everybody(&self, list: Arc<SearchList>, ndots: u8) {
        let lists = ById::from_iter([(list.id, Arc::clone(&list))]);
        let everybody = Some(Resident { pod: None, list, ndots });
        self.0.store(Arc::new(Snapshot { everybody, lists, ..Snapshot::default() }));
    }

    /// What `look` makes of whoever has an address; `None` if nobody is known to. On the hit path: no lock, no allocation.
    pub fn at<R>(&self, address: IpAddr, look: impl FnOnce(&Resident) -> R) -> Option<R> {
        let snapshot = self.0.load();
        snapshot.by_address.get(&number(address)).or(snapshot.everybody.as_ref()).map(look)
    }

    /// The list with this number, while somebody has it.
    pub fn list(&self, id: ListId) -> Option<Arc<SearchList>> {
        self.0.load().lists.get(&id).cloned()
    }

    /// How many addresses have a list.
    pub fn addresses(&self) -> usize {
        self.0.load().by_address.len()
    }
}

/// An address as a number: of both families, and the same for an IPv4 address that came through an IPv6 socket.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::SearchLists;
    use crate::wire::Name;

    fn pod(lists: &SearchLists, name: &str, addresses: &[&str], first: &str) -> Pod {
        Pod {
            name: name.into(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            list: lists.intern(&[Name::parse(first).unwrap()]),
            ndots: 5,
        }
    }

    fn list_of(index: &PodIndex, address: &str) -> Option<ListId> {
        index.at(address.parse().unwrap(), |resident| resident.list.id)
    }

    #[test]
    fn an_address_belongs_to_exactly_one_pod_or_to_nobody() {
        let (lists, index) = (SearchLists::default(), PodIndex::default());
        assert_eq!(list_of(&index, "10.0.0.1"), None);
        let conflicts = index.replace(&[
            pod(&lists, "a/one", &["10.0.0.1", "fd00::1", "10.0.0.1"], "a.svc.d"),
            pod(&lists, "a/two", &["10.0.0.2"], "a.svc.d"),
            pod(&lists, "b/three", &["10.0.0.2", "10.0.0.3"], "b.svc.d"),
            pod(&lists, "b/four", &["10.0.0.2"], "b.svc.d"),
        ]);
        assert_eq!(conflicts, 1);
        let a = list_of(&index, "10.0.0.1");
        assert!(a.is_some());
        assert_eq!(list_of(&index, "fd00::1"), a);
        assert_eq!(list_of(&index, "::ffff:10.0.0.1"), a, "an IPv4 client of an IPv6 socket");
        assert_eq!(list_of(&index, "10.0.0.2"), None, "claimed three times");
        assert_ne!(list_of(&index, "10.0.0.3"), a, "another namespace");
        assert_eq!(list_of(&index, "10.0.0.9"), None, "no pod");
        assert_eq!(index.at("10.0.0.3".parse().unwrap(), |who| who.pod.clone()), Some(Some("b/three".into())));
        assert_eq!(index.addresses(), 3);

        index.withdraw("10.0.0.1".parse().unwrap());
        assert_eq!((list_of(&index, "10.0.0.1"), list_of(&index, "fd00::1")), (None, a), "one address of it");
        index.withdraw("10.0.0.9".parse().unwrap());
        assert_eq!(index.addresses(), 2);

        assert_eq!(index.replace(&[pod(&lists, "a/two", &["10.0.0.2"], "a.svc.d")]), 0);
        assert_eq!(list_of(&index, "10.0.0.2"), a, "equal lists keep one number");
        assert_eq!(list_of(&index, "10.0.0.1"), None, "gone");
    }

    #[test]
    fn a_list_for_everybody_needs_no_address() {
        let (lists, index) = (SearchLists::default(), PodIndex::default());
        let list = lists.intern(&[Name::parse("a.svc.d").unwrap(), Name::root()]);
        index.replace_for_everybody(Arc::clone(&list), 2);
        assert_eq!(list_of(&index, "192.0.2.77"), Some(list.id));
        assert_eq!(index.list(list.id).unwrap().domains.len(), 2);
        index.replace(&[]);
        assert_eq!(list_of(&index, "192.0.2.77"), None);
        assert!(index.list(list.id).is_none());
    }
}
