//! Every check: its name, what it looks at, and who does it.

use std::time::Duration;

use contract::Boxed;
use futures_util::future::join_all;

use super::checks::{
    address, answers, api, clock, cloud, conntrack, corefile, daemon, descriptors, failsafe, health, large, loops,
    memory, ports, receive, resolv, rules, state, upstreams,
};
use super::patient::Patient;
use super::report::Report;
use super::verdict::Finding;

/// A row of the table.
pub(super) struct Check {
    /// As reports name it.
    pub(super) name: &'static str,
    /// In a few words.
    pub(super) looks_at: &'static str,
    run: for<'p> fn(&'p Patient) -> Boxed<'p, Finding>,
}

/// The checks, in the order in which they are told: the daemon, the node, whom it asks, the cluster, pods, the kernel, files.
pub(super) static CHECKS: [Check; 22] = [
    Check {
        name: "daemon",
        looks_at: "whether it answers at each address, by UDP and by TCP",
        run: |patient| Box::pin(daemon::check(patient)),
    },
    Check { name: "health", looks_at: "what /health and /ready say", run: |patient| Box::pin(health::check(patient)) },
    Check {
        name: "address",
        looks_at: "the addresses that pods ask, on an interface",
        run: |patient| Box::pin(address::check(patient)),
    },
    Check {
        name: "rules",
        looks_at: "the rules of nftables or iptables",
        run: |patient| Box::pin(rules::check(patient)),
    },
    Check {
        name: "failsafe",
        looks_at: "whether the kernel stands in without a daemon",
        run: |patient| Box::pin(failsafe::check(patient)),
    },
    Check {
        name: "port",
        looks_at: "other programs on the port that pods ask",
        run: |patient| Box::pin(ports::check(patient)),
    },
    Check {
        name: "receive buffer",
        looks_at: "questions lost or waiting in the sockets",
        run: |patient| Box::pin(receive::check(patient)),
    },
    Check {
        name: "upstreams",
        looks_at: "whether each upstream answers, by UDP and by TCP",
        run: |patient| Box::pin(upstreams::check(patient)),
    },
    Check {
        name: "answers",
        looks_at: "whether the daemon says what its upstream says",
        run: |patient| Box::pin(answers::check(patient)),
    },
    Check {
        name: "large answers",
        looks_at: "path MTU and fragments on the way from upstreams",
        run: |patient| Box::pin(large::check(patient)),
    },
    Check { name: "loop", looks_at: "upstreams that lead back to us", run: |patient| Box::pin(loops::check(patient)) },
    Check {
        name: "cloud limits",
        looks_at: "resolvers of clouds without a rate",
        run: |patient| Box::pin(cloud::check(patient)),
    },
    Check {
        name: "api rights",
        looks_at: "whether what is watched may be listed",
        run: |patient| Box::pin(api::rights(patient)),
    },
    Check {
        name: "index",
        looks_at: "this node's pods, here and at the API server",
        run: |patient| Box::pin(api::index(patient)),
    },
    Check {
        name: "resolv.conf",
        looks_at: "a pod's name servers and search list",
        run: |patient| Box::pin(resolv::servers(patient)),
    },
    Check { name: "ndots", looks_at: "a pod's ndots and options", run: |patient| Box::pin(resolv::ndots(patient)) },
    Check {
        name: "corefile",
        looks_at: "errors and warnings of the Corefile",
        run: |patient| Box::pin(corefile::check(patient)),
    },
    Check {
        name: "state folder",
        looks_at: "whether it can be written",
        run: |patient| Box::pin(state::check(patient)),
    },
    Check {
        name: "memory",
        looks_at: "the cgroup's limit, what is used of it, kills",
        run: |patient| Box::pin(memory::check(patient)),
    },
    Check {
        name: "descriptors",
        looks_at: "the limit of open files",
        run: |patient| Box::pin(descriptors::check(patient)),
    },
    Check {
        name: "conntrack",
        looks_at: "how full connection tracking is",
        run: |patient| Box::pin(conntrack::check(patient)),
    },
    Check {
        name: "clock",
        looks_at: "the clock on the wall and what it runs on",
        run: |patient| Box::pin(clock::check(patient)),
    },
];

/// Runs all of them together, each for at most `within`.
pub(super) async fn run_all(patient: &Patient, within: Duration) -> Report {
    let findings = CHECKS.iter().map(|check| async move {
        let found = tokio::time::timeout(within, (check.run)(patient)).await;
        let late =
            |_| Finding::warn(format!("not done within {} s", within.as_secs()), "look at the load of this node: top");
        (check.name, check.looks_at, found.unwrap_or_else(late))
    });
    Report::new(join_all(findings).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_fit_their_column() {
        for (number, check) in CHECKS.iter().enumerate() {
            assert!(check.name.len() < 16 && !check.looks_at.is_empty(), "{}", check.name);
            assert!(CHECKS.iter().skip(number + 1).all(|other| other.name != check.name), "{} twice", check.name);
        }
    }
}
