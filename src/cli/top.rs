//! `nearpath top`: show live what is asked, by whom, and who answers.

use std::process::ExitCode;

use clap::Args;

use super::daemon::DaemonFlags;

/// Flags of `nearpath top`.
#[derive(Args, Clone, Debug)]
pub struct TopFlags {
    /// Where the daemon is.
    #[command(flatten)]
    pub daemon: DaemonFlags,
}

/// Show live what is asked, by whom, and who answers.
pub fn run(_flags: &TopFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath top` comes with a later commit")
}
