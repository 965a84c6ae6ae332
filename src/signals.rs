//! What wakes the daemon: signals, the clock of `reload`, and files that a base Corefile is rendered from.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::daemon::Daemon;
use crate::source::Source;
use crate::source::changes::Changes;

/// The signals that mean something. From [`Signals::listen`] on none is lost, and none ends the process by itself.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
    files: Option<Changes>,
}

/// What to do next.
enum Wake {
    /// Somebody asked for it.
    Reload,
    /// It is time to look at the Corefile.
    Look,
    Leave(&'static str),
    Looped,
}

impl Signals {
    /// Takes the signals, and the changes of what a base Corefile is rendered from. To be called inside the runtime.
    pub fn listen(source: &Source) -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            user: listen(SignalKind::user_defined1())?,
            files: changes(&source.folders()),
        })
    }

    /// Reloads when told or when it is time, until a signal ends the daemon, or a loop does.
    pub fn follow(mut self, daemon: &mut Daemon) -> anyhow::Result<()> {
        let handle = daemon.runtime().handle().clone();
        let mut looped = daemon.looped();
        loop {
            let wait = daemon.reload_spec().map(|spec| spec.period(rand::random::<f64>()));
            let wake = handle.block_on(async {
                tokio::select! {
                    _ = self.terminate.recv() => Wake::Leave("SIGTERM"),
                    _ = self.interrupt.recv() => Wake::Leave("SIGINT"),
                    _ = self.hangup.recv() => Wake::Reload,
                    _ = self.user.recv() => Wake::Reload,
                    () = sleep(wait) => Wake::Look,
                    () = changed(&mut self.files) => Wake::Look,
                    _ = looped.wait_for(|looped| *looped) => Wake::Looped,
                }
            });
            match wake {
                Wake::Reload => daemon.reload(true),
                Wake::Look => daemon.reload(false),
                Wake::Looped => anyhow::bail!("questions go in a circle; the log says where"),
                Wake::Leave(signal) => {
                    tracing::info!("{signal}: leaving");
                    return Ok(());
                }
            }
        }
    }
}

/// Changes in folders, if there are any to look at. Without them a reload is asked for by a signal.
fn changes(folders: &[PathBuf]) -> Option<Changes> {
    if folders.is_empty() {
        return None;
    }
    Changes::in_folders(folders)
        .inspect_err(|error| tracing::warn!("changed files are not noticed until a reload is asked for: {error}"))
        .ok()
}

async fn changed(files: &mut Option<Changes>) {
    match files {
        Some(files) => files.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
