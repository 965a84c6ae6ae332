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
    if doors.is_empty() {
        return Finding::skip("no address to ask it at: see `address` and `corefile`");
    }
    let failed = asked.into_iter().filter_map(Result::err).map(|why| Finding::fail(why, NOT_ANSWERING));
    let well = Finding::ok(format!("answers by UDP and TCP at {}", listed(&doors)));
    Finding::worst(failed.chain([well]), "")
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
