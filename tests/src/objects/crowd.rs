//! Many pods at once, for tests of size.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Pod, PodStatus};
use crate::api::Api;

/// Requests under way at the same time.
const TOGETHER: usize = 4;

/// Pods that share a namespace, spread over nodes by turns; pod `N` is called `crowd-N`.
#[derive(Clone, Debug)]
pub struct Crowd {
    namespace: String,
    nodes: Vec<String>,
    first_address: Ipv4Addr,
    size: usize,
}

impl Crowd {
    /// A crowd of `size` pods. Their addresses go up from `first_address`, which is pod 0's.
    pub fn new(namespace: &str, nodes: &[&str], first_address: Ipv4Addr, size: usize) -> Self {
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        Self { namespace: namespace.to_owned(), nodes, first_address, size }
    }

    /// The name of pod `number`.
    pub fn name(&self, number: usize) -> String {
        format!("crowd-{number}")
    }

    /// The node of pod `number`.
    pub fn node(&self, number: usize) -> &str {
        &self.nodes[number % self.nodes.len()]
    }

    /// The address of pod `number`.
    pub fn address(&self, number: usize) -> Ipv4Addr {
        let number = u32::try_from(number).expect("fewer pods than addresses");
        Ipv4Addr::from(u32::from(self.first_address) + number)
    }

    /// How many pods it has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Makes the namespace and every pod, and says that they run.
    #[track_caller]
    pub fn comes(&self, api: &Api) {
        api.namespace(&self.namespace);
        self.each(|number| {
            let name = self.name(number);
            api.create_pod(&Pod::new(&self.namespace, &name).on(self.node(number)));
            let address = self.address(number).to_string();
            api.set_pod_status(&self.namespace, &name, &PodStatus::running(&[&address]));
        });
    }

    /// Deletes every pod.
    #[track_caller]
    pub fn goes(&self, api: &Api) {
        self.each(|number| api.delete_pod(&self.namespace, &self.name(number)));
    }

    /// Does something for every pod, several at a time.
    pub fn each(&self, what: impl Fn(usize) + Sync) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..TOGETHER {
                scope.spawn(|| {
                    while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < self.size) {
                        what(number);
                    }
                });
            }
        });
    }
}
