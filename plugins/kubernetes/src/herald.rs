//! Takes an address out of use the moment that the kernel speaks, before anybody has thought about what it means.
//!
//! ```text
//!   a thread of its own: witness --Changed--> Withdrawn, PodIndex::withdraw --> Pods, which publishes without it until the
//!                                                                               change is in the index
//! ```
//!
//! The next resident of the address may ask within milliseconds. So what the kernel says waits for no other task.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use contract::limits::HERALD_WORDS_MAX;
use contract::{Plain, Pod, PodIndex};
use tokio::sync::mpsc::{self, Sender};

use crate::witness::{self, Testimony};

/// Addresses whose change the index has yet to take in, with the number of the change.
#[derive(Debug, Default)]
pub(crate) struct Withdrawn(Mutex<HashMap<IpAddr, u64>>);

impl Withdrawn {
    /// Takes an address out of use.
    fn withdraw(&self, address: IpAddr, change: u64, index: &PodIndex) {
        self.lock().insert(address, change);
        index.withdraw(address);
    }

    /// The change, and all before it, is in the index.
    pub(crate) fn taken_in(&self, address: IpAddr, change: u64) {
        let mut withdrawn = self.lock();
        if withdrawn.get(&address).is_some_and(|last| *last <= change) {
            withdrawn.remove(&address);
        }
    }

    /// Publishes pods without the addresses that are withdrawn, and why other addresses are nobody's.
    pub(crate) fn publish(&self, mut pods: Vec<Pod>, mut plain: Vec<(IpAddr, Plain)>, index: &PodIndex) {
        let withdrawn = self.lock(); // until it is published: nobody is withdrawn in between
        if !withdrawn.is_empty() {
            for pod in &mut pods {
                let gone = pod.addresses.extract_if(.., |address| withdrawn.contains_key(address));
                plain.extend(gone.map(|address| (address, Plain::Doubt)));
            }
        }
        index.replace_with(&pods, plain);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread; it ends with the receiver.
pub(crate) fn start(withdrawn: Arc<Withdrawn>, index: Weak<PodIndex>, out: Sender<Testimony>) {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(herald(&withdrawn, &index, out)),
            Err(error) => tracing::warn!("kubernetes: the kernel's word cannot be waited for: {error}"),
        }
    };
    if let Err(error) = std::thread::Builder::new().name("nearpath-kernel".to_owned()).spawn(work) {
        tracing::warn!("kubernetes: the kernel's word cannot be waited for: {error}");
    }
}

async fn herald(withdrawn: &Withdrawn, index: &Weak<PodIndex>, out: Sender<Testimony>) {
    let (testimonies, mut heard) = mpsc::channel(HERALD_WORDS_MAX);
    let tell = async {
        while let Some(testimony) = heard.recv().await {
            if let (Testimony::Changed { address, change, .. }, Some(index)) = (&testimony, index.upgrade()) {
                withdrawn.withdraw(*address, *change, &index);
            }
            if out.send(testimony).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = witness::watch(testimonies) => {}
        () = tell => {}
        () = out.closed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::SearchLists;
    use contract::wire::Name;

    #[test]
    fn what_is_withdrawn_is_not_published_until_the_change_is_taken_in() {
        let (index, withdrawn) = (PodIndex::default(), Withdrawn::default());
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let list = SearchLists::default().intern(&[Name::parse("a.svc.d").unwrap()]);
        let pods = || vec![Pod { name: "a/b".into(), addresses: vec![address], list: Arc::clone(&list), ndots: 5 }];
        withdrawn.publish(pods(), Vec::new(), &index);
        assert_eq!(index.addresses(), 1);
        withdrawn.withdraw(address, 7, &index);
        assert_eq!(index.addresses(), 0);
        withdrawn.publish(pods(), Vec::new(), &index); // made before the change was heard
        assert_eq!(index.at(address, |_| ()), Err(Plain::Doubt));
        withdrawn.taken_in(address, 6);
        withdrawn.publish(pods(), Vec::new(), &index);
        assert_eq!(index.addresses(), 0, "a later one is under way");
        withdrawn.taken_in(address, 7);
        withdrawn.publish(pods(), Vec::new(), &index);
        assert_eq!(index.addresses(), 1);
    }
}
