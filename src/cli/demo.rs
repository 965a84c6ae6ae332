//! `nearpath demo`.
use std::process::ExitCode;

use clap::Args;

/// Flags of `demo`.
#[derive(Args, Debug)]
pub struct DemoFlags {
    /// End after the table
    #[arg(long)]
    once: bool,
}

/// Shows it.
pub fn run(_flags: &DemoFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not yet")
}
