//! `nearpath man`: print the manual page.

use std::process::ExitCode;

use clap::Args;

/// Flags of `nearpath man`.
#[derive(Args, Clone, Debug)]
pub struct ManFlags {}

/// Print the manual page.
pub fn run(_flags: &ManFlags) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`nearpath man` comes with a later commit")
}
