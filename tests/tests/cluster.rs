//! Tier `cluster`: with a real kube-apiserver, a real etcd and a real CoreDNS.
//!
//! All tests share one control plane, but for those that kill theirs; each makes namespaces of its own.

mod controlplane;
mod failsafe;
mod install;
mod latency;
mod marks;
mod memory;
mod outage;
mod pods;
mod privatezone;
mod role;
mod roll;
mod takeover;
mod walk;

use std::time::{Duration, Instant};

use nearpath_tests::{ControlPlane, Daemon};

/// Waits for a state that is reached by watches.
#[track_caller]
fn soon(what: &str, holds: impl FnMut() -> bool) {
    within(Duration::from_secs(30), what, holds);
}

/// The same with a bound of choice; how long it took.
#[track_caller]
fn within(bound: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < bound, "not within {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Flags of a daemon on a node of this name, which may do everything. The host's searches are in its folder.
fn flags(plane: &ControlPlane, node: &str) -> Vec<String> {
    let kubeconfig = plane.kubeconfig(&plane.admin_token()).display().to_string();
    let flags = ["-kubeconfig", &kubeconfig, "-node-name", node, "-host-resolvconf", "resolv.conf"];
    flags.into_iter().map(str::to_owned).collect()
}

/// A daemon on a node of this name.
#[track_caller]
fn daemon_on(plane: &ControlPlane, node: &str, corefile: &str, words: &[(&str, String)]) -> Daemon {
    let flags = flags(plane, node);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Daemon::with(corefile, words, &[("resolv.conf", "search corp.example\nnameserver 192.0.2.1\n")], &flags)
}
