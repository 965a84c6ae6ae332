//! `conntrack`: the kernel's table of connections has room; when it is full, what needs an entry is dropped.

use super::super::patient::Patient;
use super::super::verdict::Finding;

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// How full it may be, per cent.
const WARN: u64 = 80;
const FAIL: u64 = 95;

/// Looks at the figures of this network.
pub(in super::super) async fn check(_: &Patient) -> Finding {
    match (read(COUNT), read(MAX)) {
        (Some(count), Some(max)) => judge(count, max),
        _ => Finding::skip("connection tracking is not loaded, or does not show its figures here"),
    }
}

fn read(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn judge(count: u64, max: u64) -> Finding {
    let told = format!("{count} of {max} entries");
    if max == 0 {
        return Finding::ok(format!("{count} entries, no limit"));
    }
    let mend = || {
        format!(
            "sysctl -w net.netfilter.nf_conntrack_max={}; who fills it: conntrack -L -p udp --dport 53; questions to the daemon need no entry",
            max.saturating_mul(2)
        )
    };
    match count.saturating_mul(100) / max {
        full if full >= FAIL => Finding::fail(format!("{told}: what needs another one is dropped"), mend()),
        full if full >= WARN => Finding::warn(format!("{told}: nearly full"), mend()),
        _ => Finding::ok(told),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn how_full_it_is() {
        for (count, max, state) in [
            (0, 262_144, State::Ok),
            (209_000, 262_144, State::Ok),
            (215_000, 262_144, State::Warn),
            (262_144, 262_144, State::Fail),
            (5, 0, State::Ok),
            (u64::MAX, 262_144, State::Fail),
        ] {
            assert_eq!(judge(count, max).state, state, "{count} of {max}");
        }
    }
}
