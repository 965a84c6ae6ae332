//! `nearpath completions`: print completions for a shell.

use std::process::ExitCode;

use clap::Args;

/// Flags of `nearpath completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsFlags {}

/// Print completions for a shell.
pub fn run(_flags: &CompletionsFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath completions` comes with a later commit")
}
