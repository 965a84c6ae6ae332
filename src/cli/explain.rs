//! `nearpath explain`: say why a name gets the answer that it gets, for a pod or for everybody.

use std::process::ExitCode;

use clap::Args;

use super::daemon::DaemonFlags;

/// Flags of `nearpath explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainFlags {
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// Say why a name gets the answer that it gets, for a pod or for everybody.
pub fn run(_flags: &ExplainFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath explain` comes with a later commit")
}
