//! `memory`: the limit of the daemon's cgroup leaves room for a store, is not used up, and nobody was killed for it.

use std::path::Path;

use super::super::patient::Patient;
use super::super::verdict::Finding;
use crate::node::memory::{Bounds, Limit};

/// A store that is worth its name, octets.
const STORE_MIN: u64 = 4 << 20;
const MIB: u64 = 1 << 20;
/// From here on the daemon gives memory back and refuses misses, per cent.
const RELIEF: u64 = 90;

const MORE: &str =
    "raise resources.limits.memory of the DaemonSet, to 64Mi or more: kubectl -n kube-system edit daemonset nearpath";

/// Looks at the limit that the daemon lives under.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(process) = &patient.process else { return Finding::skip("no daemon serves: see `daemon`") };
    let threads = patient.options.as_ref().map_or(1, |options| options.threads);
    match Limit::of(Path::new("/"), &process.pid.to_string()) {
        Some(limit) => judge(limit.octets, limit.used(), limit.kills(), threads),
        None => Finding::ok("no limit"),
    }
}

fn judge(limit: u64, used: Option<u64>, kills: Option<u64>, threads: usize) -> Finding {
    let store = Bounds::within(limit, threads).store;
    let used_now = used.unwrap_or(0);
    let mut findings = vec![Finding::ok(format!(
        "{} MiB of {} MiB used, the store may take {} MiB",
        used_now / MIB,
        limit / MIB,
        store / MIB
    ))];
    if store < STORE_MIN {
        let reason = format!("a limit of {} MiB leaves {} KiB for answers", limit / MIB, store >> 10);
        let hopeless = store <= Bounds::within(0, threads).store;
        findings.push(if hopeless { Finding::fail(reason, MORE) } else { Finding::warn(reason, MORE) });
    }
    if used_now > limit / 100 * RELIEF {
        findings
            .push(Finding::warn(format!("{} of {} MiB used: misses are refused", used_now / MIB, limit / MIB), MORE));
    }
    if let Some(kills @ 1..) = kills {
        findings.push(Finding::warn(format!("{kills} processes of its cgroup were killed for want of memory"), MORE));
    }
    Finding::worst(findings, "")
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn limits_and_what_is_used_of_them() {
        for (limit, used, kills, state) in [
            (128 * MIB, Some(30 * MIB), Some(0), State::Ok),
            (128 * MIB, None, None, State::Ok),
            (128 * MIB, Some(120 * MIB), Some(0), State::Warn),
            (128 * MIB, Some(30 * MIB), Some(2), State::Warn),
            (20 * MIB, Some(10 * MIB), Some(0), State::Warn),
            (10 * MIB, Some(9 * MIB), Some(0), State::Fail),
        ] {
            let found = judge(limit, used, kills, 2);
            assert_eq!(found.state, state, "{limit} {used:?} {kills:?}: {}", found.reason);
        }
    }
}
