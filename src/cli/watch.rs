//! `nearpath watch`: print a line for each query that matches, live.

use std::process::ExitCode;

use clap::Args;

use super::daemon::DaemonFlags;

/// Flags of `nearpath watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchFlags {
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// Print a line for each query that matches, live.
pub fn run(_flags: &WatchFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath watch` comes with a later commit")
}
