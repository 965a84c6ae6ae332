//! `daemon`: it runs, and answers a question about itself at each of its addresses, by UDP and by TCP.

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::super::ask::{Over, ask, chaos};
use super::super::patient::Patient;
use super::super::verdict::Finding;
use super::listed;

const NOT_RUNNING: &str =
    "start it: kubectl -n kube-system rollout status daemonset/nearpath; its log says why it ended";
const NOT_ANSWERING: &str =
    "kubectl -n kube-system logs -l app.kubernetes.io/name=nearpath --tail=50; the watchdog ends a daemon that hangs";

/// Asks it what it is.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let doors = patient.doors();
    let asked = join_all(doors.iter().flat_map(|at| [Over::Udp, Over::Tcp].map(|over| is_nearpath(*at, over)))).await;
    if patient.process.is_none() {
        let seen = asked.iter().filter(|finding| finding.is_ok()).count();
        if seen == 0 || patient.options.is_none() {
            return Finding::fail("no nearpath serves in this network", NOT_RUNNING);
        }
    }
    let unclear = unclear(patient.process.as_ref().map(|process| process.pid), &patient.unclear);
    if doors.is_empty() {
        let nowhere = || Finding::skip("no address to ask it at: see `address` and `corefile`");
        return unclear.unwrap_or_else(nowhere);
    }
    let failed = asked.into_iter().filter_map(Result::err).map(|why| Finding::fail(why, NOT_ANSWERING));
    let well = Finding::ok(format!("answers by UDP and TCP at {}", listed(&doors)));
    Finding::worst(failed.chain(unclear).chain([well]), "")
}

/// Several serve here, and nobody said which one is meant: what is found may be another one's.
fn unclear(looked_at: Option<u32>, pids: &[u32]) -> Option<Finding> {
    let pid = looked_at.filter(|_| pids.len() > 1)?;
    Some(Finding::warn(
        format!("{} daemons serve in this network, processes {}; looked at is {pid}", pids.len(), listed(pids)),
        "say which one is meant: nearpath doctor --pid PID, or --statedir DIR",
    ))
}

async fn is_nearpath(at: SocketAddr, over: Over) -> Result<(), String> {
    let reply = ask(&chaos("version.bind."), at, over).await;
    let said = reply.map_err(|why| format!("{at} by {over}: {why}"))?;
    match said.text() {
        Some(text) if text.starts_with("nearpath ") => Ok(()),
        Some(text) => Err(format!("{at} by {over}: another program answers, {text}")),
        None => Err(format!("{at} by {over}: another program answers, with {}", said.rcode())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_told_with_all_whom_it_could_have_been() {
        let found = unclear(Some(7), &[7, 8]).unwrap();
        assert_eq!(found.reason, "2 daemons serve in this network, processes 7, 8; looked at is 7");
        assert_eq!(unclear(Some(7), &[]), None);
        assert_eq!(unclear(None, &[7, 8]), None);
    }
}
