//! `nearpath doctor`: look for what is wrong with this node and its DNS, and say what mends it.

use std::process::ExitCode;

use clap::Args;

use super::daemon::DaemonFlags;

/// Flags of `nearpath doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorFlags {
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// Look for what is wrong with this node and its DNS, and say what mends it.
pub fn run(_flags: &DoctorFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath doctor` comes with a later commit")
}
