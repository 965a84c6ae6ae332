//! `health`: the pages that probes and the kubelet look at.

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::super::http;
use super::super::patient::{Patient, concrete};
use super::super::verdict::Finding;
use super::listed;
use crate::admin;
use crate::see::api::Overview;

const UNWELL: &str = "it names what hangs; the daemon's log says more, and the watchdog ends it if it stays so";
const UNREADY: &str =
    "what is named waits for its upstream, its file or the API server: see `upstreams` and `api rights`";

/// Asks for each page that the Corefile has.
pub(in super::super) async fn check(patient: &Patient) -> Finding {
    let Some(plan) = patient.checked.as_ref().and_then(|checked| checked.plan.as_ref()) else {
        return Finding::skip("which pages there are is not known without a Corefile: see `corefile`");
    };
    if patient.process.is_none() {
        return Finding::skip("no daemon serves: see `daemon`");
    }
    let pages = admin::pages(plan, None).into_iter().flat_map(|(at, pages)| {
        let at = SocketAddr::new(concrete(at.ip()), at.port());
        let health = pages.health.then(|| page(at, "/health", UNWELL));
        let ready = pages.ready.then(|| page(at, "/ready", UNREADY));
        health.into_iter().chain(ready).collect::<Vec<_>>()
    });
    let mut found = join_all(pages).await;
    // the same where no page is configured
    if let (Ok(overview), true) = (&patient.overview, found.is_empty()) {
        found.push(judge(overview));
    }
    Finding::worst(found, "the Corefile has neither `health` nor `ready`, and the daemon tells nothing at its socket")
}

/// What the daemon says of itself at its socket.
fn judge(overview: &Overview) -> Finding {
    match (&overview.health, overview.not_ready.as_slice()) {
        (Some(complaint), _) => Finding::fail(complaint.clone(), UNWELL),
        (None, []) => Finding::ok("the daemon says that it is well"),
        (None, waiting) => Finding::fail(format!("not ready: {}", listed(waiting)), UNREADY),
    }
}

async fn page(at: SocketAddr, path: &'static str, mend: &'static str) -> Finding {
    let url = format!("http://{at}{path}");
    match http::page(at, path).await {
        Ok((200, _)) => Finding::ok(format!("{url} is well")),
        Ok((status, text)) => Finding::fail(format!("{url} says {status}: {}", text.trim()), mend),
        Err(why) => Finding::fail(format!("{url}: {why}"), "`ss -lntp` shows who listens there"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::State;
    use super::*;

    #[test]
    fn what_the_daemon_says_of_itself() {
        for (health, not_ready, state) in [
            (None, vec![], State::Ok),
            (Some("udp-1 hangs".to_owned()), vec![], State::Fail),
            (None, vec!["autopath".to_owned()], State::Fail),
        ] {
            assert_eq!(judge(&Overview { health, not_ready, ..Overview::default() }).state, state);
        }
    }
}
