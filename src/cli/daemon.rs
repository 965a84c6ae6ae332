//! Flags of the subcommands that ask a running daemon about itself.

use std::path::PathBuf;

use clap::Args;

/// Where the daemon is, and how its answer is printed.
#[derive(Args, Clone, Debug)]
pub struct DaemonFlags {
    /// The folder of the daemon's state, where its socket is
    #[arg(long, value_name = "DIR", default_value = "/var/lib/nearpath", env = "NEARPATH_STATEDIR")]
    pub statedir: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

impl DaemonFlags {
    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.statedir.join(crate::see::SOCKET)
    }
}
