//! `descriptors`: the daemon may open as many files as its bounds allow connections.

use contract::limits::{CONNECTIONS_MAX, UPSTREAM_DATAGRAMS_MAX};

use super::super::patient::Patient;
use super::super::system::process_limits;
use super::super::verdict::Finding;

/// Sockets that wait for questions, files, the kernel's words.
const BESIDE: u64 = 256;
/// Used beyond this, per cent of the limit, the next connection may be the last.
const FULL: u64 = 90;
const MEND: &str = "start it with a higher limit: LimitNOFILE=65536 of its unit, or the container runtime's default-ulimits; now: prlimit --nofile=65536 --pid";

/// Looks at the limit and at what is open.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let (Some(folder), Some(process)) = (patient.folder(), &patient.process) else {
        return Finding::skip("no daemon serves: see `daemon`");
    };
    let Some(limit) = process_limits::open_files(&folder) else {
        return Finding::skip("the limit cannot be read, or there is none");
    };
    let open = std::fs::read_dir(folder.join("fd")).map_or(0, |all| all.count() as u64);
    judge(limit, open, process.pid)
}

fn judge(limit: u64, open: u64, pid: u32) -> Finding {
    let wanted = (CONNECTIONS_MAX + UPSTREAM_DATAGRAMS_MAX) as u64 + BESIDE;
    let mend = format!("{MEND} {pid}");
    if open > limit / 100 * FULL {
        return Finding::fail(format!("{open} files are open of {limit} that may be"), mend);
    }
    match limit < wanted {
        true => Finding::warn(format!("{limit} files may be open, and its bounds allow {wanted}"), mend),
        false => Finding::ok(format!("{open} files are open of {limit} that may be")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn few_full_or_enough() {
        for (limit, open, state) in [(65_536, 40, State::Ok), (1_024, 40, State::Warn), (65_536, 60_000, State::Fail)] {
            assert_eq!(judge(limit, open, 1).state, state, "{limit} {open}");
        }
    }
}
