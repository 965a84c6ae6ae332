//! Asks the probes of `loop` once the sockets are open, and tells when one comes back.

use std::sync::Arc;
use std::time::Duration;

use loop_guard::LoopGuard;
use tokio::sync::watch;

use crate::serve::entrance::Entrance;

/// How long after a probe without an answer the next one is sent (CoreDNS's own wait).
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Sends the guard's probe through its block until it is answered or the guard looks no more; sets `looped` if it comes back.
pub(crate) async fn watch(guard: Arc<LoopGuard>, entrances: Vec<Entrance>, looped: watch::Sender<bool>) {
    let mut detection = guard.detection();
    tokio::select! {
        found = detection.wait_for(Option::is_some) => {
            if let Ok(Some(found)) = found.map(|found| found.clone()) {
                tracing::error!("{found}");
                looped.send_replace(true);
            }
        }
        () = ask(&guard, &entrances) => {}
    }
}

async fn ask(guard: &LoopGuard, entrances: &[Entrance]) {
    loop {
        let probe = guard.probe();
        // the listener whose block for that name is the guard's own
        let Some(entrance) = entrances.iter().find(|entrance| entrance.passes(&probe.name, guard)) else { break };
        if entrance.probe(probe).await.is_ok() {
            guard.settle();
            break;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        if !guard.is_watchful() {
            break;
        }
    }
    // the question may still come back to us after it was answered
    tokio::time::sleep(AGAIN_AFTER).await;
}
