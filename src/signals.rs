//! What wakes the daemon: signals, and the clock of `reload`.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::Daemon;

/// What to do next.
enum Wake {
    Reload,
    Leave(&'static str),
    Looped,
}

/// Reloads when told or when it is time, until a signal ends the daemon.
pub fn follow(daemon: &mut Daemon) -> anyhow::Result<()> {
    let handle = daemon.runtime().handle().clone();
    let _inside = handle.enter();
    let listen = |kind| signal(kind).context("cannot listen to signals");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let mut user = listen(SignalKind::user_defined1())?;
    let mut looped = daemon.looped();
    loop {
        let wait = daemon.reload_spec().map(|spec| spec.period(rand::random::<f64>()));
        let wake = handle.block_on(async {
            tokio::select! {
                _ = terminate.recv() => Wake::Leave("SIGTERM"),
                _ = interrupt.recv() => Wake::Leave("SIGINT"),
                _ = hangup.recv() => Wake::Reload,
                _ = user.recv() => Wake::Reload,
                () = sleep(wait) => Wake::Reload,
                _ = looped.wait_for(|looped| *looped) => Wake::Looped,
            }
        });
        match wake {
            Wake::Reload => daemon.reload(),
            Wake::Looped => anyhow::bail!("questions go in a circle; the log says where"),
            Wake::Leave(signal) => {
                tracing::info!("{signal}: leaving");
                return Ok(());
            }
        }
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
