//! Who asks, as far as it decides the answer: nobody in particular, or a pod with this search list.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Gives equal lists one number. Lives as long as the process, so that numbers outlive reloads.
#[derive(Debug, Default)]
pub struct SearchLists(Mutex<HashMap<Box<[Name]>, Arc<SearchList>>>);

impl SearchLists {
    /// The one list with these domains.
    pub fn intern(&self, domains: &[Name]) -> Arc<SearchList> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(domains) {
            return Arc::clone(list);
        }
        let id = ListId(u32::try_from(lists.len()).expect("fewer lists than pods") + 1);
        let list = Arc::new(SearchList { id, domains: domains.into() });
        lists.insert(domains.into(), Arc::clone(&list));
        list
    }
}

/// Tells the scope of a question on the hit path: no lock, no allocation, no await.
pub trait Scoper: Send + Sync {
    /// `name` is QNAME in wire form and lower case.
    fn scope(&self, client: IpAddr, name: &[u8], rtype: RecordType, dnssec_ok: bool) -> Scope;

    /// The list of a scope that this scoper gave.
    fn list(&self, id: ListId) -> Option<Arc<SearchList>>;
}
