//! `health`: the pages that probes and the kubelet look at.

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::super::http;
use super::super::patient::{Patient, concrete};
use super::super::verdict::Finding;
use crate::admin;

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
        let health = pages.health.then(|| page(at, "/health", "503 names what hangs; the daemon's log says more"));
        let ready =
            pages.ready.then(|| page(at, "/ready", "what is named waits for its upstream, its file or the API server"));
        health.into_iter().chain(ready).collect::<Vec<_>>()
    });
    Finding::worst(join_all(pages).await, "the Corefile has neither `health` nor `ready`")
}

async fn page(at: SocketAddr, path: &'static str, mend: &'static str) -> Finding {
    let url = format!("http://{at}{path}");
    match http::page(at, path).await {
        Ok((200, _)) => Finding::ok(format!("{url} is well")),
        Ok((status, text)) => Finding::fail(format!("{url} says {status}: {}", text.trim()), mend),
        Err(why) => Finding::fail(format!("{url}: {why}"), "`ss -lntp` shows who listens there"),
    }
}
