//! Who has an address: pods and their search lists, read without waiting and replaced whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use contract::metrics::Gauge;
use contract::wire::{Name, RecordType};
use contract::{Context, ListId, Scope, SearchList, SearchLists};

use crate::qualify;

/// A pod as far as its look-ups go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Every address that it has.
    pub addresses: Vec<IpAddr>,
    /// Its search domains in order; `.` may stand among them.
    pub search: Vec<Name>,
    /// Names with fewer dots are searched (resolv.conf(5)).
    pub ndots: u8,
}

/// Tells the search list behind an address. Filled by a file today; a watch fills it the same way.
#[derive(Debug)]
pub struct PodIndex {
    snapshot: ArcSwap<Snapshot>,
    lists: Arc<SearchLists>,
    pods: Arc<Gauge>,
    conflicts: Arc<Gauge>,
}

// fixed hashes: the keys come from the cluster, not from clients
type ByAddress = HashMap<u128, Client, foldhash::fast::FixedState>;
type ById = HashMap<ListId, Arc<SearchList>, foldhash::fast::FixedState>;

/// One state of the index; never changed once it is published.
#[derive(Debug, Default)]
struct Snapshot {
    by_address: ByAddress,
    /// The list of every client that is not a known pod (`autopath RESOLV-CONF`).
    everybody: Option<Client>,
    lists: ById,
}

#[derive(Clone, Debug)]
struct Client {
    list: Arc<SearchList>,
    ndots: u8,
}

impl PodIndex {
    /// An index without pods: every question is resolved as asked.
    pub fn new(context: &Context) -> Self {
        let gauge = |name, help| context.metrics.gauge(name, help, &[("server", context.server.as_str())]);
        let this = Self {
            snapshot: ArcSwap::default(),
            lists: Arc::clone(&context.lists),
            pods: gauge("nearpath_autopath_pods", "Pods whose search lists are known."),
            conflicts: gauge(
                "nearpath_autopath_address_conflicts",
                "Addresses that more than one pod claims: their questions are resolved as asked.",
            ),
        };
        // a directive before a reload may have left more
        this.pods.set(0);
        this.conflicts.set(0);
        this
    }

    /// Replaces everything by these pods at once. An address that two of them have belongs to neither.
    pub fn replace(&self, pods: Vec<Pod>) {
        let mut owners: HashMap<u128, Option<usize>> = HashMap::new();
        for (place, pod) in pods.iter().enumerate() {
            for address in &pod.addresses {
                let owner = owners.entry(number(*address)).or_insert(Some(place));
                *owner = owner.filter(|owner| *owner == place);
            }
        }
        let clients: Vec<Client> = pods.iter().map(|pod| self.client(&pod.search, pod.ndots)).collect();
        let lists = clients.iter().map(|client| (client.list.id, Arc::clone(&client.list))).collect();
        let conflicts = owners.values().filter(|owner| owner.is_none()).count();
        let by_address =
            owners.into_iter().filter_map(|(address, owner)| Some((address, clients[owner?].clone()))).collect();
        self.snapshot.store(Arc::new(Snapshot { by_address, everybody: None, lists }));
        self.pods.set(i64::try_from(pods.len()).unwrap_or(i64::MAX));
        self.conflicts.set(i64::try_from(conflicts).unwrap_or(i64::MAX));
    }

    /// Replaces everything by one list that every client has.
    pub fn replace_for_everybody(&self, search: &[Name], ndots: u8) {
        let client = self.client(search, ndots);
        let lists = ById::from_iter([(client.list.id, Arc::clone(&client.list))]);
        self.snapshot.store(Arc::new(Snapshot { everybody: Some(client), lists, ..Snapshot::default() }));
    }

    /// The scope of a question by name and client; the type must be one that is searched for.
    pub(crate) fn scope(&self, address: IpAddr, name: &[u8], rtype: RecordType) -> Scope {
        let snapshot = self.snapshot.load();
        let Some(client) = snapshot.by_address.get(&number(address)).or(snapshot.everybody.as_ref()) else {
            return Scope::Shared;
        };
        let Some(first) = client.list.domains.first() else { return Scope::Shared };
        match qualify::rest(name, first, client.ndots, rtype) {
            Some(_) => Scope::Search(client.list.id),
            None => Scope::Shared,
        }
    }

    /// The list with this number, while somebody has it.
    pub(crate) fn list(&self, id: ListId) -> Option<Arc<SearchList>> {
        self.snapshot.load().lists.get(&id).cloned()
    }

    fn client(&self, search: &[Name], ndots: u8) -> Client {
        Client { list: self.lists.intern(search), ndots }
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

    fn pod(name: &str, addresses: &[&str], first: &str) -> Pod {
        Pod {
            name: name.to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            search: vec![Name::parse(first).unwrap()],
            ndots: 5,
        }
    }

    fn scope(index: &PodIndex, address: &str, name: &str) -> Scope {
        index.scope(address.parse().unwrap(), Name::parse(name).unwrap().as_wire(), RecordType::A)
    }

    #[test]
    fn an_address_belongs_to_exactly_one_pod_or_to_nobody() {
        let context = crate::context_for_tests(None);
        let index = PodIndex::new(&context);
        let told = |gauge: &str, number: u32| {
            let text = context.metrics.text();
            text.contains(&format!("nearpath_autopath_{gauge}{{server=\"dns://d.e.:53\"}} {number}\n"))
        };
        assert_eq!(scope(&index, "10.0.0.1", "x.a.svc.d"), Scope::Shared);
        index.replace(vec![
            pod("a/one", &["10.0.0.1", "fd00::1", "10.0.0.1"], "a.svc.d"),
            pod("a/two", &["10.0.0.2"], "a.svc.d"),
            pod("b/three", &["10.0.0.2", "10.0.0.3"], "b.svc.d"),
            pod("b/four", &["10.0.0.2"], "b.svc.d"),
        ]);
        let a = scope(&index, "10.0.0.1", "x.a.svc.d");
        assert_ne!(a, Scope::Shared);
        assert_eq!(scope(&index, "fd00::1", "x.a.svc.d"), a);
        assert_eq!(scope(&index, "::ffff:10.0.0.1", "x.a.svc.d"), a, "an IPv4 client of an IPv6 socket");
        assert_eq!(scope(&index, "10.0.0.2", "x.a.svc.d"), Scope::Shared, "claimed three times");
        assert_eq!(scope(&index, "10.0.0.3", "x.a.svc.d"), Scope::Shared, "another namespace");
        assert_ne!(scope(&index, "10.0.0.3", "x.b.svc.d"), a);
        assert_eq!(scope(&index, "10.0.0.9", "x.a.svc.d"), Scope::Shared, "no pod");
        assert!(told("address_conflicts", 1) && told("pods", 4), "{}", context.metrics.text());

        index.replace(vec![pod("a/two", &["10.0.0.2"], "a.svc.d")]);
        assert_eq!(scope(&index, "10.0.0.2", "x.a.svc.d"), a, "equal lists keep one number");
        assert_eq!(scope(&index, "10.0.0.1", "x.a.svc.d"), Scope::Shared, "gone");
        assert!(told("address_conflicts", 0));
        PodIndex::new(&context);
        assert!(told("pods", 0), "another one begins anew");
        let other = Context { server: "dns://.:53".to_owned(), ..context.clone() };
        PodIndex::new(&other).replace(vec![pod("a/two", &["10.0.0.2"], "a.svc.d")]);
        assert!(told("pods", 0), "another server block counts for itself");
    }

    #[test]
    fn a_list_for_everybody_needs_no_address() {
        let index = PodIndex::new(&crate::context_for_tests(None));
        index.replace_for_everybody(&[Name::parse("a.svc.d").unwrap(), Name::root()], 2);
        let Scope::Search(id) = scope(&index, "192.0.2.77", "x.y.a.svc.d") else { panic!("it is searched") };
        assert_eq!(index.list(id).unwrap().domains.len(), 2);
        assert_eq!(scope(&index, "192.0.2.77", "x.y.z.a.svc.d"), Scope::Shared);
        index.replace_for_everybody(&[], 5);
        assert_eq!(scope(&index, "192.0.2.77", "x.a.svc.d"), Scope::Shared);
        assert!(index.list(id).is_none());
    }
}
