//! In which order a group's upstreams are asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::seq::SliceRandom as _;

/// The order for a question (CoreDNS's names).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Any order.
    #[default]
    Random,
    /// Each question starts with the next upstream.
    RoundRobin,
    /// As written.
    Sequential,
}

/// A policy and where it stands.
#[derive(Debug)]
pub(crate) struct Order {
    policy: Policy,
    next: AtomicUsize,
}

impl Order {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, next: AtomicUsize::new(0) }
    }

    /// The numbers of `count` upstreams, in the order in which they are asked this time.
    pub(crate) fn numbers(&self, count: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..count).collect();
        match self.policy {
            Policy::Random => numbers.shuffle(&mut rand::rng()),
            Policy::RoundRobin => {
                let first = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
                numbers.rotate_left(first);
            }
            Policy::Sequential => {}
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_its_order() {
        let sequential = Order::new(Policy::Sequential);
        assert_eq!((sequential.numbers(3), sequential.numbers(3)), (vec![0, 1, 2], vec![0, 1, 2]));
        let round = Order::new(Policy::RoundRobin);
        let turns = [round.numbers(3), round.numbers(3), round.numbers(3), round.numbers(3)];
        assert_eq!(turns, [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2]]);
        let random = Order::new(Policy::Random);
        let firsts: std::collections::HashSet<usize> = (0..200).map(|_| random.numbers(3)[0]).collect();
        assert_eq!(firsts.len(), 3);
        let mut sorted = random.numbers(15);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..15).collect::<Vec<_>>());
    }
}
