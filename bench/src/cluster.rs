//! Clusters for the rows about the API server: a real kube-apiserver before a real etcd; here 5,000 pods on 50 nodes, and pods
//! that are replaced; in `published` objects that publish names.
//!
//! The control plane is that of the integration tests, whose harness speaks of trouble by panics: [`guarded`] makes errors of
//! them.

mod counts;
mod node;
mod object;
mod published;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow, ensure};
use nearpath_tests::objects::{ClusterIp, Endpoint, PodStatus, Port};
use nearpath_tests::{Api, ControlPlane};

pub(crate) use self::counts::{Counts, Meter, SETTLE};
pub(crate) use self::node::{Node, Watching};
pub(crate) use self::published::{CHANGED, Published, PublishingCluster};
use crate::bench::Bench;
use crate::child;

/// Pods of the whole cluster.
pub(crate) const PODS: usize = 5_000;
/// Nodes that they are on.
pub(crate) const NODES: usize = 50;
/// Namespaces that they, and all other objects, are in.
const NAMESPACES: usize = 40;
/// What the API server says of one pod that is replaced by another: ended (asked to, stopped, gone), begun (there, pending,
/// running).
pub(crate) const EVENTS_PER_REPLACEMENT: usize = 6;
/// Objects that are made or changed at the same time.
const TOGETHER: usize = 8;
/// Where the folder with the control plane's programs is said.
const PROGRAMS: &str = "NEARPATH_CONTROLPLANE";

/// A control plane with its pods. Pods `0..on_first` are on node 0, the others on the other nodes by turns.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    api: Api,
    on_first: usize,
    /// How often pods have been replaced: each time they get other addresses.
    generation: AtomicUsize,
}

impl Cluster {
    /// Starts the control plane and makes the pods, all running. Uses all cores of the run.
    pub(crate) fn start(bench: &Bench, on_first: usize) -> Result<Self> {
        let plane = control_plane(bench)?;
        let api = plane.api();
        let cluster = Self { plane, api, on_first, generation: AtomicUsize::new(0) };
        let api = &cluster.api;
        make_namespaces(api);
        let ports = [Port::udp("dns", 53), Port::tcp("dns-tcp", 53)];
        api.service("kube-system", "kube-dns", &ports, ClusterIp::Any);
        let centre = ["198.18.0.1", "198.18.0.2"].map(Endpoint::ready); // nobody asks a question
        api.endpoint_slice("kube-system", "kube-dns", "1", &centre, &ports);
        let all: Vec<_> = (0..PODS).collect();
        each(&all, |number| cluster.begins(number, 0));
        Ok(cluster)
    }

    /// The name of a node, from 0.
    pub(crate) fn node_name(number: usize) -> String {
        format!("node-{number}.eu-central-1.compute.internal")
    }

    /// `share` pods of each node.
    pub(crate) fn some_of_each_node(&self, share: usize) -> Vec<usize> {
        (0..share).chain(self.on_first..self.on_first + share * (NODES - 1)).collect()
    }

    /// Each of these pods ends, and another one of its name begins, with another address.
    pub(crate) fn replace(&self, pods: &[usize]) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        each(pods, |number| {
            let (namespace, name) = (namespace(number), name(number));
            self.api.begin_pod_deletion(&namespace, &name, 30);
            let stopped = PodStatus::running(&[&address(number, generation - 1)]).phase("Succeeded");
            self.api.set_pod_status(&namespace, &name, &stopped);
            self.api.delete_pod(&namespace, &name);
            self.begins(number, generation);
        });
    }

    fn begins(&self, number: usize, generation: usize) {
        let (namespace, name) = (namespace(number), name(number));
        self.api.create_pod(&object::pod(&namespace, &name, &Self::node_name(self.node_of(number))));
        self.api.set_pod_status(&namespace, &name, &PodStatus::running(&[]).phase("Pending"));
        self.api.set_pod_status(&namespace, &name, &PodStatus::running(&[&address(number, generation)]));
    }

    fn node_of(&self, number: usize) -> usize {
        if number < self.on_first { 0 } else { 1 + (number - self.on_first) % (NODES - 1) }
    }
}

/// Starts a control plane; uses all cores of the run.
fn control_plane(bench: &Bench) -> Result<ControlPlane> {
    ensure!(std::env::var_os(PROGRAMS).is_some(), "there is no control plane here: {PROGRAMS} names none");
    child::pin(&bench.cores.pair)?;
    Ok(ControlPlane::start())
}

/// Does something with each of these, several at a time.
fn each(numbers: &[usize], what: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                what(*number);
            }
        };
        let workers: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            // with what it said, which the scope alone would not pass on
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

fn make_namespaces(api: &Api) {
    (0..NAMESPACES).for_each(|number| api.namespace(&namespace(number)));
}

fn namespace(number: usize) -> String {
    format!("team-{}", number % NAMESPACES)
}

fn name(number: usize) -> String {
    format!("checkout-7d9c5b8f64-{number:05}")
}

/// Addresses of a generation follow each other.
fn address(number: usize, generation: usize) -> String {
    let offset = u32::try_from(number + generation * PODS).expect("fewer than addresses in 10/8");
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + offset).to_string()
}

/// Does something with the harness of the tests, whose panics become errors.
pub(crate) fn guarded<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let outcome = std::thread::scope(|scope| scope.spawn(work).join());
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("{}", text.unwrap_or("the harness panicked")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_harness_is_an_error_of_the_row() {
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
        let error = guarded::<()>(|| panic!("no {}", "etcd")).unwrap_err();
        assert_eq!(error.to_string(), "no etcd");
    }

    #[test]
    fn addresses_are_used_once() {
        assert_eq!(address(0, 0), "10.1.0.0");
        assert_eq!(address(4_999, 0), "10.1.19.135");
        assert_eq!(address(0, 1), "10.1.19.136");
    }
}
