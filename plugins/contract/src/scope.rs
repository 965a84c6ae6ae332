//! Who asks, as far as it decides the answer: nobody in particular, or a pod with this search list.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::pods::{PodIndex, Resident};
use crate::wire::{Name, RecordType};

/// The part of a store key that says for whom an answer holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Scope {
    /// For everybody.
    #[default]
    Shared,
    /// For pods with this search list, for names below its first domain.
    Search(ListId),
}

/// The number of a [`SearchList`]; never given to another list while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListId(pub u32);

impl Scope {
    /// The scope as a number for store keys: 0 is `Shared`.
    pub fn number(self) -> u32 {
        match self {
            Self::Shared => 0,
            Self::Search(ListId(id)) => id,
        }
    }
}

/// The search domains of a resolv.conf in order. Equal lists are one object with one id.
#[derive(Debug, PartialEq, Eq)]
pub struct SearchList {
    /// Its number.
    pub id: ListId,
    /// The domains; `.` may stand among them.
    pub domains: Box<[Name]>,
}

/// Gives equal lists one number, for as long as somebody holds the list. Lives as long as the process, so that numbers
/// outlive reloads; a number is never given twice.
#[derive(Debug, Default)]
pub struct SearchLists(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_domains: HashMap<Box<[Name]>, Weak<SearchList>>,
    last: u32,
    /// How many there were after the last look for lists that nobody holds.
    tidied: usize,
}

impl SearchLists {
    /// The one list with these domains.
    pub fn intern(&self, domains: &[Name]) -> Arc<SearchList> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = known.by_domains.get(domains).and_then(Weak::upgrade) {
            return list;
        }
        // namespaces come and go: as many as are in use again may be forgotten lists
        if known.by_domains.len() > 2 * known.tidied + 16 {
            known.by_domains.retain(|_, list| list.strong_count() > 0);
            known.tidied = known.by_domains.len();
        }
        known.last = known.last.checked_add(1).expect("fewer lists than numbers in a process's life");
        let list = Arc::new(SearchList { id: ListId(known.last), domains: domains.into() });
        known.by_domains.insert(domains.into(), Arc::downgrade(&list));
        list
    }

    /// All lists that somebody holds.
    pub fn held(&self) -> Vec<Arc<SearchList>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_domains.values().filter_map(Weak::upgrade).collect()
    }
}

/// Why a question is resolved as asked, without a search.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Plain {
    /// Nobody searches for this type.
    Type,
    /// The client checks signatures: it is given names as they are signed.
    Dnssec,
    /// The name lies outside the directive's zones.
    Zone,
    /// The name does not lie below the client's first search domain, or its dots cannot be counted.
    Name,
    /// What stands before the first search domain has as many dots as the client's `ndots`, or more.
    Dots,
    /// Nobody is known to have the client's address.
    Unknown,
    /// Two pods claim the client's address.
    Conflict,
    /// The kernel says that whoever had the client's address may have gone, or does not vouch for it while the API server is away.
    Doubt,
    /// The client's address is the node's own: a pod in the host's network, or the host itself.
    HostNetwork,
    /// Who has which address is not known yet.
    NotSynced,
    /// An access list stands in the way of a candidate: there is a search, but none that memory has a part in.
    Gate,
}

impl Plain {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Type,
        Self::Dnssec,
        Self::Zone,
        Self::Name,
        Self::Dots,
        Self::Unknown,
        Self::Conflict,
        Self::Doubt,
        Self::HostNetwork,
        Self::NotSynced,
        Self::Gate,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Dnssec => "dnssec",
            Self::Zone => "zone",
            Self::Name => "name",
            Self::Dots => "dots",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
            Self::Doubt => "doubt",
            Self::HostNetwork => "host_network",
            Self::NotSynced => "not_synced",
            Self::Gate => "gate",
        }
    }
}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Type => "nobody searches for this type",
            Self::Dnssec => "the client wants signatures (DO)",
            Self::Zone => "outside the zones of autopath",
            Self::Name => "not below the client's first search domain",
            Self::Dots => "as many dots as the client's ndots",
            Self::Unknown => "no pod is known to have the client's address",
            Self::Conflict => "two pods claim the client's address",
            Self::Doubt => "the kernel does not vouch for the client's pod any more",
            Self::HostNetwork => "the client is in the host's network",
            Self::NotSynced => "the pods of this node are not known yet",
            Self::Gate => "acl stands in the way of a candidate",
        })
    }
}

/// Tells the scope of a question on the hit path: no lock, no allocation, no await.
pub trait Scoper: Send + Sync {
    /// The list of the search that the question is the first step of, or why it is none. `name` is QNAME in wire form and lower
    /// case.
    fn search(&self, client: IpAddr, name: &[u8], rtype: RecordType, dnssec_ok: bool) -> Result<ListId, Plain>;

    /// The same as a scope.
    fn scope(&self, client: IpAddr, name: &[u8], rtype: RecordType, dnssec_ok: bool) -> Scope {
        self.search(client, name, rtype, dnssec_ok).map_or(Scope::Shared, Scope::Search)
    }

    /// The same for somebody with this search list, whatever the client's address.
    fn search_as(&self, _resident: &Resident, _name: &[u8], _rtype: RecordType) -> Result<ListId, Plain> {
        Err(Plain::Unknown)
    }

    /// The list of a scope that this scoper gave.
    fn list(&self, id: ListId) -> Option<Arc<SearchList>>;

    /// Who has which address, if that is where its lists come from.
    fn index(&self) -> Option<&Arc<PodIndex>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_use_keep_their_number_and_the_others_are_forgotten() {
        let lists = SearchLists::default();
        let domains = |text: String| [Name::parse(&text).unwrap()];
        let kept = lists.intern(&domains("shop.svc.cluster.local".into()));
        let mut last = kept.id.0;
        for number in 0..1_000 {
            let list = lists.intern(&domains(format!("ns{number}.svc.cluster.local")));
            assert!(list.id.0 > last, "no number is given twice");
            last = list.id.0;
        }
        assert_eq!(lists.intern(&kept.domains).id, kept.id);
        assert!(lists.0.lock().unwrap().by_domains.len() < 64);
    }
}
